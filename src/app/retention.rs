//! Retention: recordings (N-12) are deleted every hour, copies of the chat (C-8) and records of calls (M-16) every minute, from the start on,
//! so also after downtime. The ledger (N-8), of which nothing is ever deleted, is verified and gets its new keys.
#![allow(clippy::disallowed_methods, reason = "a task that waits for the hour")]

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::common::units::unix_millis;
use crate::policy::retention::Retention;
use crate::store::{self, Deletion, StoreError};

/// How often recordings are looked at; retention is counted in days or hours.
const EVERY: Duration = Duration::from_secs(3600);
/// How often copies of the chat and records of calls are looked at, by the clock on the wall: it may have been moved.
const CHATS_EVERY: Duration = Duration::from_secs(60);

/// How often what is due for the ledger is done.
const LEDGER_EVERY: Duration = Duration::from_secs(10);
/// How often the whole ledger is verified.
const VERIFIED_EVERY: Duration = Duration::from_secs(86_400);

/// Verifies the ledger at once and daily, and has each day begin with a key of its own, for as long as the daemon runs (N-8).
pub(super) async fn ledger(store: store::StoreHandle) {
    let (mut due, mut days) = (tokio::time::interval(LEDGER_EVERY), tokio::time::interval(VERIFIED_EVERY));
    loop {
        tokio::select! {
            _ = due.tick() => store.maintain_ledger(unix_millis(SystemTime::now())).await,
            // The store logs what it finds, and keeps it for `status`.
            _ = days.tick() => drop(store.verify_ledger().await),
        }
    }
}

/// Deletes recordings that are older than `retention` says at the moment (`None`: never), for as long as the daemon runs.
pub(super) async fn run(directory: PathBuf, store: store::StoreHandle, mut retention: watch::Receiver<Option<Duration>>) {
    let mut hours = tokio::time::interval(EVERY);
    loop {
        tokio::select! {
            _ = hours.tick() => {}
            Ok(()) = retention.changed() => {}
        }
        let Some(retention) = *retention.borrow_and_update() else { continue };
        let directory = directory.clone();
        let swept = tokio::task::spawn_blocking(move || sweep(&directory, retention, SystemTime::now())).await;
        match swept {
            Ok(Ok(deleted)) => {
                if !deleted.is_empty() {
                    tracing::info!(deleted = deleted.len(), "recordings deleted at the end of their retention");
                }
                for recording in deleted {
                    let meeting = recording.rsplit_once('-').map_or("", |(meeting, _)| meeting).to_owned();
                    let at = unix_millis(SystemTime::now());
                    store.note_deletion(Deletion { meeting, recording, by: "retention".to_owned(), at }).await;
                }
            }
            Ok(Err(error)) => tracing::error!(%error, "old recordings cannot be deleted"),
            Err(error) => tracing::error!(%error, "the sweep of recordings failed"),
        }
    }
}

/// Deletes copies of the chat that have lived for as long as they may, for as long as the daemon runs.
pub(super) async fn chats(store: store::StoreHandle, retention: watch::Receiver<Retention>) {
    let mut minutes = tokio::time::interval(CHATS_EVERY);
    loop {
        minutes.tick().await;
        let retention = retention.borrow().clone();
        match sweep_chats(&store, &retention, unix_millis(SystemTime::now())).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "copies of the chat deleted at the end of their retention"),
            Err(StoreError::Closed) => return,
            Err(error) => tracing::error!(%error, "old copies of the chat cannot be deleted"),
        }
    }
}

/// Deletes records of calls that are older than `retention` says at the moment (`None`: never), for as long as the daemon runs.
pub(super) async fn records(store: store::StoreHandle, mut retention: watch::Receiver<Option<Duration>>) {
    let mut minutes = tokio::time::interval(CHATS_EVERY);
    loop {
        tokio::select! {
            _ = minutes.tick() => {}
            Ok(()) = retention.changed() => {}
        }
        let Some(keep) = *retention.borrow_and_update() else { continue };
        match store.sweep_records(born_by(unix_millis(SystemTime::now()), keep)).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, "records of calls deleted at the end of their retention"),
            Err(StoreError::Closed) => return,
            Err(error) => tracing::error!(%error, "old records of calls cannot be deleted"),
        }
    }
}

/// What began before this time has lived for `keep` at `now` (both in milliseconds since 1970).
fn born_by(now: u64, keep: Duration) -> u64 {
    now.saturating_sub(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX))
}

/// Deletes copies that are dead at `now` (milliseconds since 1970), and has them and those that were overwritten leave the store's journal.
async fn sweep_chats(store: &store::StoreHandle, retention: &Retention, now: u64) -> Result<usize, StoreError> {
    let deleted = store.sweep_chats(now, retention.born_by(now)).await?;
    store.wipe().await?;
    Ok(deleted)
}

/// Deletes what was written last more than `retention` before `now`, but for a recording that still goes on: it may have paused for longer.
fn sweep(directory: &Path, retention: Duration, now: SystemTime) -> io::Result<Vec<String>> {
    let mut deleted = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let ours = path.extension().is_some_and(|extension| extension == "ogg") && entry.file_type()?.is_file();
        let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
        if ours && age > retention && !is_still_recorded(&path) {
            std::fs::remove_file(&path)?;
            deleted.extend(path.file_stem().map(|id| id.to_string_lossy().into_owned()));
        }
    }
    Ok(deleted)
}

/// Whether its recorder still holds the lock of the file. On a file system without locks only the age counts.
fn is_still_recorded(recording: &Path) -> bool {
    File::open(recording).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::redact::Redacted;
    use crate::common::units::Hz;
    use crate::media::record::{Format, Recorder, RecordingEnd};
    use crate::store::ChatCopy;

    /// C-8, with a clock that is moved; `interop` moves it while the daemon is down.
    #[tokio::test]
    async fn c8_copies_of_the_chat_go_on_time_by_the_clock_on_the_wall() {
        let day = Duration::from_secs(86_400);
        let at = 20_000 * 86_400_000;
        for keep in [Retention::UNLESS_SAID, day] {
            let folder = tempfile::tempdir().unwrap();
            let (store, thread) = store::open(folder.path(), &folder.path().join("keys")).unwrap();
            let retention = Retention { keep, region: "eu".into() };
            let copy = |device: &str, text: &str| ChatCopy {
                device: device.to_owned(),
                text: Redacted::new(text.to_owned()),
                region: "eu".to_owned(),
                at,
                dies_at: retention.dies_at(at).unwrap(),
            };
            for (device, text) in [("board", "earlier words"), ("board", "the last words"), ("hall", "the last words")] {
                store.chat(copy(device, text)).await.await.unwrap().unwrap();
            }
            let bytes = || {
                let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap_or_default();
                String::from_utf8_lossy(&[read("roomgate.db"), read("roomgate.db-wal")].concat()).into_owned()
            };
            assert!(!bytes().contains("earlier words"), "C-8: replaced, it is gone at once");
            let death = at + u64::try_from(keep.as_millis()).unwrap();
            assert_eq!(sweep_chats(&store, &retention, death - 1).await.unwrap(), 0, "not too early");
            assert_eq!(store.chats().await.unwrap().len(), 2, "one for each device");
            assert!(bytes().contains("the last words") && !bytes().contains("earlier words"));
            let longer = Retention { keep: 1_000 * day, region: "eu".into() };
            assert_eq!(sweep_chats(&store, &longer, death).await.unwrap(), 2, "by the date that was written with it");
            assert!(!bytes().contains("the last words"));
            store.chat(copy("board", "the last words")).await.await.unwrap().unwrap();
            let shorter = Retention { keep: day / 2, region: "eu".into() };
            assert_eq!(
                sweep_chats(&store, &shorter, at + 86_400_000 / 2).await.unwrap(),
                1,
                "by a policy that has become shorter"
            );
            drop(store);
            thread.join().unwrap();
        }
    }

    /// A recording that is deleted at the end of its retention leaves a line.
    #[tokio::test]
    async fn n8_a_recording_that_is_deleted_at_the_end_of_its_retention() {
        let (recordings, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (store, thread) = store::open(folder.path(), &folder.path().join("keys")).unwrap();
        let file = std::fs::File::create(recordings.path().join("board-room-20261128T080137.998Z.ogg")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let (_keep, retention) = watch::channel(Some(Duration::from_secs(86_400)));
        let sweeping = tokio::spawn(run(recordings.path().to_owned(), store.clone(), retention));
        let newest = || store.ledger(store::LedgerQuery { limit: 1, ..store::LedgerQuery::default() });
        let found = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                // Each answer waits for the store's thread.
                if let store::LedgerEntry::Deletion(deletion) = newest().await.unwrap().remove(0).entry {
                    return deletion;
                }
            }
        });
        let Deletion { meeting, recording, by, .. } = found.await.expect("a line");
        assert_eq!((&*meeting, &*recording, &*by), ("board-room", "board-room-20261128T080137.998Z", "retention"));
        sweeping.abort();
        let _ = sweeping.await;
        drop(store);
        thread.join().unwrap();
    }

    #[test]
    fn only_recordings_older_than_the_retention_go() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["old.ogg", "note.txt"] {
            std::fs::write(directory.path().join(name), "x").unwrap();
        }
        let (day, now) = (Duration::from_secs(86_400), SystemTime::now());
        assert_eq!(sweep(directory.path(), day, now).unwrap(), [""; 0]);
        assert_eq!(sweep(directory.path(), day, now + 2 * day).unwrap(), ["old"]);
        assert!(directory.path().join("note.txt").exists());
    }

    /// A recording that has paused for longer than its retention goes on.
    #[test]
    fn n12_a_recording_that_has_paused_for_longer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo-20261128T080137.998Z.ogg");
        let format = Format { serial: 1, pre_skip: 312, rate: Hz::FULL };
        let (finish, finished) = std::sync::mpsc::sync_channel(1);
        let mut recorder = Recorder::create(&path, format, move |ending| finish.send(ending).unwrap()).unwrap();
        recorder.write(&[0xF8, 0xFF, 0xFE], 960).unwrap();
        let (day, now) = (Duration::from_secs(86_400), SystemTime::now());
        assert_eq!(sweep(directory.path(), day, now + 30 * day).unwrap(), [""; 0]);
        assert!(path.exists());
        drop(recorder);
        assert!(matches!(finished.recv().unwrap(), RecordingEnd::Finished { .. }));
        // The thread lets the file go right after it has told.
        while is_still_recorded(&path) {
            std::thread::yield_now();
        }
        assert_eq!(sweep(directory.path(), day, now).unwrap(), [""; 0], "it counts from its end");
        assert_eq!(sweep(directory.path(), day, now + 2 * day).unwrap(), ["demo-20261128T080137.998Z"]);
    }
}
