//! [`StoreHandle`]: requests to the store's thread, and the opening of the store.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::{mpsc, oneshot};

use super::error::{StoreError, at};
use super::request::{Request, Write};
use super::watch::LedgerWatch;
use super::writer::StoreWriter;
use crate::common::ids::Ids;

use super::chats::{ChatCopy, ChatCopyLine};
use super::consents::Consent;
use super::ledger::{Deletion, LedgerEntry, LedgerLine, LedgerQuery, LedgerRow};
use super::mutes::{MuteChange, StoredMute};
use super::outbox::{OutboxChange, StoredSms};
use super::records::{CallRecord, RecordQuery, RecordRow};
use super::registrations::StoredContact;
use super::sessions::{LivingSessions, SessionChange};
use super::watch::{LedgerStatus, Verification};

/// Requests that may wait; whoever asks beyond that waits for room.
const QUEUE: usize = 1024;

/// Sends requests to the store's thread, which ends when the last handle is dropped and every request is done.
#[derive(Debug, Clone)]
pub struct StoreHandle {
    requests: mpsc::Sender<Request>,
    run: u32,
    watch: Arc<LedgerWatch>,
}

/// The answer to a write that was begun; a closed channel means that nothing was written.
pub type StoreStart = oneshot::Receiver<Result<u64, StoreError>>;

/// Opens the store in `dir`, and the keys of the ledger in `key_dir`, making both at the first start (directories 0700, files 0600).
///
/// Keys are no part of a backup: a copy of one could sign what its epoch has not said. What vouches for the ledger later are heads that
/// were copied elsewhere (N-8).
///
/// # Errors
/// [`StoreError`]; nothing has been started then.
pub fn open(dir: &Path, key_dir: &Path) -> Result<(StoreHandle, JoinHandle<()>), StoreError> {
    let watch = Arc::new(LedgerWatch::new(dir.to_owned(), key_dir.to_owned()));
    let mut store = StoreWriter::open(dir, key_dir, Arc::clone(&watch))?;
    let run = super::runs::begin(&mut store.connection)?;
    super::seats::sweep(&store.connection, Ids::first_of_run(run.saturating_sub(1)))?;
    let (requests, inbox) = mpsc::channel(QUEUE);
    let thread = thread::Builder::new().name("store".to_owned()).spawn(move || store.run(inbox));
    Ok((StoreHandle { requests, run, watch }, thread.map_err(at(dir))?))
}

// === impl Handle ===

impl StoreHandle {
    /// Which start of the daemon on this store this is, from 1.
    #[must_use]
    pub const fn run(&self) -> u32 {
        self.run
    }

    /// Appends what was told to the ledger and returns its sequence number. It is on the disk when this returns, which may take until the
    /// disk has room.
    ///
    /// # Errors
    /// [`StoreError::Database`] where too many lines wait already, [`StoreError::Closed`]; the line is not in the ledger then.
    pub async fn append(&self, line: LedgerLine) -> Result<u64, StoreError> {
        self.ask(|reply| Request::Write(Write::Line(Box::new(LedgerEntry::Notice(line))), reply)).await
    }

    /// Begins to write down that a recording was deleted. The store logs why that cannot be done yet.
    pub async fn note_deletion(&self, deletion: Deletion) {
        drop(self.begin(Write::Line(Box::new(LedgerEntry::Deletion(deletion)))).await);
    }

    /// Does what is due for the ledger at `now` (milliseconds since 1970): the epoch of a new day, lines that wait, a head for the log.
    pub async fn maintain_ledger(&self, now: u64) {
        // A store that is closed has nothing left to do.
        let _ = self.requests.send(Request::MaintainLedger { now }).await;
    }

    /// What is known of the ledger.
    #[must_use]
    pub fn ledger_status(&self) -> LedgerStatus {
        self.watch.status()
    }

    /// Reads the whole ledger, logs what it finds, and keeps it for [`StoreHandle::ledger_status`]. The store goes on meanwhile.
    pub async fn verify_ledger(&self) -> Verification {
        self.watch.verify().await
    }

    /// Keeps the record of a call (M-16).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`]; nothing is kept then.
    pub async fn record(&self, record: CallRecord) -> Result<(), StoreError> {
        self.ask(|reply| Request::Write(Write::Record(Box::new(record)), reply)).await.map(drop)
    }

    /// Keeps where a device is to be found, in the place of what was kept of it before (S-3).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`]; what was kept before stays then.
    pub async fn register(&self, device: &str, rows: Vec<StoredContact>) -> Result<(), StoreError> {
        let device = device.to_owned();
        self.ask(|reply| Request::Write(Write::Registrations { device, rows }, reply)).await.map(drop)
    }

    /// Keeps the proof that a number's holder has opted in (C-2). It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`]; nothing is kept then.
    pub async fn consent(&self, consent: Consent) -> Result<(), StoreError> {
        self.ask(|reply| Request::Write(Write::Consent(Box::new(consent)), reply)).await.map(drop)
    }

    /// Begins to keep that the holder of a number has said STOP at `at` (milliseconds since 1970), or START (C-2). Writes that were
    /// begun are done in this order.
    pub async fn stop(&self, number: &str, stopped: bool, at: u64) -> StoreStart {
        self.begin(Write::Stop { number: number.to_owned(), stopped, at }).await
    }

    /// Begins to count that so many parts were sent by SMS for this meeting (none: an empty name) on this day since 1970 (C-2).
    pub async fn count_texted(&self, day: u64, meeting: &str, parts: u64) -> StoreStart {
        self.begin(Write::Texted { day, meeting: meeting.to_owned(), parts }).await
    }

    /// Begins a change of the outbox (C-7). Writes that were begun are done in this order.
    pub async fn outbox(&self, change: OutboxChange) -> StoreStart {
        self.begin(Write::Outbox(change)).await
    }

    /// Answered when all that was begun before is on the disk, or has failed.
    pub async fn barrier(&self) -> StoreStart {
        self.begin(Write::Nothing).await
    }

    /// What is in the outbox, the oldest first (C-7).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn messages(&self) -> Result<Vec<StoredSms>, StoreError> {
        self.ask(|reply| Request::Outbox { reply }).await
    }

    /// Begins to keep the seat of a presence, by its number (M-5). Writes that were begun are done in this order.
    pub async fn keep_seat(&self, participant: u64, meeting: &str) -> StoreStart {
        self.begin(Write::Seat { participant, meeting: meeting.to_owned() }).await
    }

    /// Begins to give a seat up.
    pub async fn give_up_seat(&self, participant: u64) -> StoreStart {
        self.begin(Write::Unseat { participant }).await
    }

    /// Takes a seat up again that was kept by the last run, once; whether there was one in this meeting.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn take_seat(&self, participant: u64, meeting: &str) -> Result<bool, StoreError> {
        let meeting = meeting.to_owned();
        self.ask(|reply| Request::TakeSeat { participant, meeting, reply }).await
    }

    /// Begins to keep a copy of the chat, in the place of the device's earlier one (C-8).
    pub async fn chat(&self, copy: ChatCopy) -> StoreStart {
        self.begin(Write::Chat(Box::new(copy))).await
    }

    /// Begins to keep a closed microphone, or to forget it (K-4). Writes that were begun are done in this order.
    pub async fn mute(&self, change: MuteChange) -> StoreStart {
        self.begin(Write::Mute(change)).await
    }

    /// The closed microphones that are kept at `now` (milliseconds since 1970); the others are deleted (K-4).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn mutes(&self, now: u64) -> Result<Vec<StoredMute>, StoreError> {
        self.ask(|reply| Request::Mutes { now, reply }).await
    }

    /// The copies of the chat, without what was said (C-8).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn chats(&self) -> Result<Vec<ChatCopyLine>, StoreError> {
        self.ask(|reply| Request::Chats { reply }).await
    }

    /// Deletes the copies of the chat that die by `now` or were made by `born_by` (milliseconds since 1970), and gives their number (C-8).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`]; all are still there then.
    pub async fn sweep_chats(&self, now: u64, born_by: u64) -> Result<usize, StoreError> {
        self.ask(|reply| Request::SweepChats { now, born_by, reply }).await
    }

    /// Has texts that were overwritten leave the journal too (C-8).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`]; they are still there then. So they are after `false`: somebody reads the file.
    pub async fn wipe(&self) -> Result<bool, StoreError> {
        self.ask(|reply| Request::Wipe { reply }).await
    }

    /// The numbers whose holders have said STOP (C-2).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn stops(&self) -> Result<Vec<String>, StoreError> {
        self.ask(|reply| Request::Stops { reply }).await
    }

    /// How many parts were sent by SMS on this day, by meeting (C-2).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn texted(&self, day: u64) -> Result<Vec<(String, u64)>, StoreError> {
        self.ask(|reply| Request::Texted { day, reply }).await
    }

    /// Registrations that live at `now` (milliseconds since 1970); the dead are deleted.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn registrations(&self, now: u64) -> Result<Vec<StoredContact>, StoreError> {
        self.ask(|reply| Request::Registrations { now, reply }).await
    }

    /// Begins a change of links and sessions (U-4). Writes that were begun are done in this order.
    pub async fn sessions(&self, change: SessionChange) -> StoreStart {
        self.begin(Write::Sessions(Box::new(change))).await
    }

    /// Links and sessions that live at `now` (milliseconds since 1970), the oldest first; the dead are deleted.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn living_sessions(&self, now: u64) -> Result<LivingSessions, StoreError> {
        self.ask(|reply| Request::Sessions { now, reply }).await
    }

    /// The newest lines of the ledger that are meant, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`], [`StoreError::Closed`].
    pub async fn ledger(&self, query: LedgerQuery) -> Result<Vec<LedgerRow>, StoreError> {
        self.ask(|reply| Request::Ledger { query, reply }).await
    }

    /// The newest call records that are meant, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn records(&self, query: RecordQuery) -> Result<Vec<RecordRow>, StoreError> {
        self.ask(|reply| Request::Records { query, reply }).await
    }

    /// Deletes the records of calls that came before `born_by` (milliseconds since 1970), and gives their number.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`]; all are still there then.
    pub async fn sweep_records(&self, born_by: u64) -> Result<usize, StoreError> {
        self.ask(|reply| Request::SweepRecords { born_by, reply }).await
    }

    async fn begin(&self, write: Write) -> StoreStart {
        let (reply, answer) = oneshot::channel();
        // A store that is closed drops the reply.
        let _ = self.requests.send(Request::Write(write, reply)).await;
        answer
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

#[cfg(test)]
pub(super) mod tests;
