//! [`Recorder`]: a meeting's mix, already encoded, to an Ogg Opus file. One thread a recording, since a disk may make it wait.
//!
//! Packets flow in through a bounded queue that the media worker never waits for; the file flows out, and once, at the end, an
//! [`RecordingEnd`]. Keeps N-12: whatever stops the recorder is reported, and the file plays up to its last page, one a second, however
//! the process died.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::ogg::OggOpus;
use crate::common::units::Hz;

/// Packets between the worker and the disk: 10 s at 20 ms each. Full, the disk has stood still for so long that the recording
/// has a hole; it ends as [`RecordingEnd::Overrun`].
const QUEUE: usize = 512;

/// Sound after which the file is forced to the disk, in samples at 48 kHz: what a power cut may take.
const SYNC_SAMPLES: u64 = 5 * 48_000;

/// After so long without a packet (a pause) what is held back is written.
const IDLE: Duration = Duration::from_secs(1);

/// Contents of the headers of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Any number; random, so that two files can be joined.
    pub serial: u32,
    /// The encoder's look-ahead in samples at 48 kHz.
    pub pre_skip: u16,
    /// The rate of the mix that was encoded.
    pub rate: Hz,
}

/// How a recording ended, reported exactly once.
#[derive(Debug)]
pub enum RecordingEnd {
    /// Stopped when asked; everything that was given is on the disk.
    Finished {
        /// How much sound the file holds.
        duration: Duration,
        /// Its size.
        bytes: u64,
    },
    /// The disk did not keep up for 10 s.
    Overrun,
    /// The disk is full or broken.
    Disk(io::Error),
    /// The writer thread ended by a fault of our own.
    Fault,
}

/// The recording has ended; its [`RecordingEnd`] has been reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recording has ended")]
pub struct Ended;

/// The worker's end of a recording. Dropping it finishes the file. A pause is a time without packets.
#[derive(Debug)]
pub struct Recorder {
    queue: Option<SyncSender<Packet>>,
    report: Report,
}

#[derive(Debug)]
struct Packet {
    payload: Box<[u8]>,
    samples_48k: u32,
}

/// Destination of a recording: a file, or the disk of a test.
trait Sink: Write + Send + 'static {
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

// === impl Recorder ===

impl Recorder {
    /// Makes the file (mode 0600, never over one that is there), locks it for as long as it grows, writes its headers and starts its thread.
    ///
    /// `ended` is called once, from the thread or from [`Recorder::write`], and must not wait: it hands the ending on.
    ///
    /// # Errors
    /// The system's reason for which the file cannot be made; `ended` is not called then.
    pub fn create(path: &Path, format: Format, ended: impl FnOnce(RecordingEnd) + Send + 'static) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // Held until the file is finished, or the process is gone: whoever looks whether a recording goes on, at rest for however long, asks
        // for the lock.
        if let Err(error) = file.try_lock() {
            tracing::debug!(%error, "the recordings' file system has no locks");
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // So that the name itself outlasts a power cut.
        File::open(directory)?.sync_all()?;
        Self::start(file, format, ended)
    }

    fn start(mut sink: impl Sink, format: Format, ended: impl FnOnce(RecordingEnd) + Send + 'static) -> io::Result<Self> {
        let mut ogg = OggOpus::new(format.serial, format.pre_skip, format.rate.0);
        let headers = ogg.headers();
        sink.write_all(&headers)?;
        sink.sync()?;
        let (queue, packets) = sync_channel(QUEUE);
        let report = Report(Arc::new(Mutex::new(Some(Box::new(ended)))));
        let on_unwind = ReportOnUnwind(report.clone());
        let pre_skip = u64::from(format.pre_skip);
        let mut writer = Writer { sink, bytes: headers.len() as u64, samples: 0, unsynced: 0 };
        thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            let ending = match writer.run(ogg, &packets) {
                Ok(()) => {
                    let duration = Duration::from_micros(writer.samples.saturating_sub(pre_skip).saturating_mul(125) / 6);
                    RecordingEnd::Finished { duration, bytes: writer.bytes }
                }
                Err(error) => RecordingEnd::Disk(error),
            };
            on_unwind.0.send(ending);
        })?;
        Ok(Self { queue: Some(queue), report })
    }

    /// Queues one Opus packet that decodes to `samples_48k` samples at 48 kHz. Never waits.
    ///
    /// # Errors
    /// [`Ended`] once the recording has ended, or ends now because the queue is full.
    pub fn write(&mut self, opus_payload: &[u8], samples_48k: u32) -> Result<(), Ended> {
        let queue = self.queue.as_ref().ok_or(Ended)?;
        let sent = queue.try_send(Packet { payload: opus_payload.into(), samples_48k });
        sent.map_err(|refused| {
            if matches!(refused, TrySendError::Full(_)) {
                self.report.send(RecordingEnd::Overrun);
            }
            self.queue = None;
            Ended
        })
    }
}

// === impl Writer ===

/// The thread's state.
struct Writer<S> {
    sink: S,
    bytes: u64,
    samples: u64,
    unsynced: u64,
}

impl<S: Sink> Writer<S> {
    fn run(&mut self, mut ogg: OggOpus, packets: &Receiver<Packet>) -> io::Result<()> {
        loop {
            match packets.recv_timeout(IDLE) {
                Ok(Packet { payload, samples_48k }) => {
                    self.samples = self.samples.saturating_add(u64::from(samples_48k));
                    self.unsynced = self.unsynced.saturating_add(u64::from(samples_48k));
                    if let Some(page) = ogg.packet(&payload, samples_48k) {
                        self.put(&page)?;
                    }
                    if self.unsynced >= SYNC_SAMPLES {
                        self.sync()?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(page) = ogg.flush() {
                        self.put(&page)?;
                        self.sync()?;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.put(&ogg.finish())?;
                    return self.sync();
                }
            }
        }
    }

    fn put(&mut self, page: &[u8]) -> io::Result<()> {
        self.sink.write_all(page)?;
        self.bytes += page.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.unsynced = 0;
        self.sink.sync()
    }
}

// === impl Report ===

/// Reports the ending, once, from whichever side finds it first.
#[derive(Clone)]
struct Report(Arc<Mutex<Option<OnEnd>>>);

type OnEnd = Box<dyn FnOnce(RecordingEnd) + Send>;

impl Report {
    fn send(&self, ending: RecordingEnd) {
        let on_end = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = on_end {
            ended(ending);
        }
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Report")
    }
}

/// Held by the thread: if it unwinds, that is reported too.
struct ReportOnUnwind(Report);

impl Drop for ReportOnUnwind {
    fn drop(&mut self) {
        self.0.send(RecordingEnd::Fault);
    }
}

#[cfg(test)]
mod tests;
