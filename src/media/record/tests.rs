use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::*;

const FORMAT: Format = Format { serial: 1, pre_skip: 312, rate: Hz::FULL };

/// The time within which a thread must have done what it does at once.
const SOON: Duration = Duration::from_secs(20);

fn ending() -> (impl FnOnce(RecordingEnd) + Send + 'static, Receiver<RecordingEnd>) {
    let (told, endings) = sync_channel(1);
    (move |ending| told.send(ending).unwrap(), endings)
}

struct Path(PathBuf);

impl Path {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("roomgate-record-{}-{name}.ogg", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A disk that takes `room` bytes, says when it is forced, and can stand still or break.
struct Disk {
    room: usize,
    synced: SyncSender<()>,
    stuck: Option<Receiver<()>>,
    broken: bool,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The headers pass; the first page of sound waits, or meets the fault.
        if bytes.len() > 100 || self.room < bytes.len() {
            assert!(!self.broken, "a fault of our own");
            if let Some(stuck) = self.stuck.take() {
                let _ = stuck.recv();
            }
        }
        if self.room < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Disk {
    fn sync(&mut self) -> io::Result<()> {
        let _ = self.synced.try_send(());
        Ok(())
    }
}

/// A recording is a private file and tells its length when it is dropped.
#[test]
fn a_recording_is_a_private_file_and_tells_its_length() {
    let path = Path::new("finished");
    let (ended, endings) = ending();
    let mut recorder = Recorder::create(&path.0, FORMAT, ended).unwrap();
    (0..100).for_each(|_| recorder.write(&[0xfc, 1, 2], 960).unwrap());
    drop(recorder);
    let RecordingEnd::Finished { duration, bytes } = endings.recv_timeout(SOON).unwrap() else { panic!("not finished") };
    assert_eq!(duration, Duration::from_micros((96_000 - 312) * 125 / 6));
    let metadata = std::fs::metadata(&path.0).unwrap();
    assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (bytes, 0o600));
}

#[test]
fn a_file_that_is_there_is_never_written_over() {
    let path = Path::new("there");
    std::fs::write(&path.0, b"an earlier recording").unwrap();
    let error = Recorder::create(&path.0, FORMAT, |_| panic!("told")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path.0).unwrap(), b"an earlier recording");
}

#[test]
fn a_directory_that_is_not_there_is_an_error_at_once() {
    let error = Recorder::create(std::path::Path::new("/nonexistent/x.ogg"), FORMAT, |_| panic!("told")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_full_disk_is_told_once_as_n12_says() {
    let (synced, _forced) = sync_channel(16);
    let (ended, endings) = ending();
    let disk = Disk { room: 200, synced, stuck: None, broken: false };
    let mut recorder = Recorder::start(disk, FORMAT, ended).unwrap();
    let _ = (0..60).try_for_each(|_| recorder.write(&[9; 40], 960));
    let RecordingEnd::Disk(error) = endings.recv_timeout(SOON).unwrap() else { panic!("no disk error") };
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    while recorder.write(&[9; 40], 960).is_ok() {}
    assert_eq!(recorder.write(&[9; 40], 960), Err(Ended));
    drop(recorder);
    assert!(endings.recv_timeout(SOON).is_err());
}

#[test]
fn a_disk_too_full_for_the_headers_is_an_error_of_create() {
    let (synced, _forced) = sync_channel(16);
    let disk = Disk { room: 10, synced, stuck: None, broken: false };
    assert_eq!(Recorder::start(disk, FORMAT, |_| panic!("told")).unwrap_err().kind(), io::ErrorKind::StorageFull);
}

/// A disk that stands still ends the recording without making the worker wait.
#[test]
fn a_disk_that_stands_still_ends_the_recording_without_making() {
    let (synced, _forced) = sync_channel(16);
    let (release, stuck) = sync_channel(0);
    let (ended, endings) = ending();
    let disk = Disk { room: usize::MAX, synced, stuck: Some(stuck), broken: false };
    let mut recorder = Recorder::start(disk, FORMAT, ended).unwrap();
    // The thread takes at most a page's worth before it stands still, so these fill the queue behind it.
    let written = (0..QUEUE + 1000).take_while(|_| recorder.write(&[9; 40], 960).is_ok()).count();
    assert!((QUEUE..QUEUE + 100).contains(&written), "{written}");
    assert!(matches!(endings.try_recv(), Ok(RecordingEnd::Overrun)));
    drop(release);
    assert!(endings.recv_timeout(SOON).is_err(), "told twice");
}

#[test]
fn a_fault_of_the_thread_is_told() {
    let (synced, _forced) = sync_channel(16);
    let (ended, endings) = ending();
    let disk = Disk { room: usize::MAX, synced, stuck: None, broken: true };
    let mut recorder = Recorder::start(disk, FORMAT, ended).unwrap();
    let _ = (0..60).try_for_each(|_| recorder.write(&[9; 40], 960));
    assert!(matches!(endings.recv_timeout(SOON), Ok(RecordingEnd::Fault)));
}

/// The file is forced to the disk every five seconds of sound and in a pause.
#[test]
fn the_file_is_forced_to_the_disk_every_five_seconds_of_sound() {
    let (synced, forced) = sync_channel(16);
    let (ended, _endings) = ending();
    let disk = Disk { room: usize::MAX, synced, stuck: None, broken: false };
    let mut recorder = Recorder::start(disk, FORMAT, ended).unwrap();
    forced.recv_timeout(SOON).expect("the headers");
    (0..250).for_each(|_| recorder.write(&[9; 40], 960).unwrap());
    forced.recv_timeout(SOON).expect("five seconds");
    (0..10).for_each(|_| recorder.write(&[9; 40], 960).unwrap());
    forced.recv_timeout(SOON).expect("the pause");
    drop(recorder);
    forced.recv_timeout(SOON).expect("the end");
}
