//! What is on disk: the ledger of notices (N-8), call records (M-16), registrations (S-3) and consents (C-2), in one SQLite file.
//!
//! Lines and records flow in through [`Handle`], which everyone may clone; answers flow back. One thread owns the file, so there
//! is one writer and no lock of ours. Requests that have gathered are committed together. A disk that fails is an error to each
//! who asked and one log line; the daemon goes on.

mod chats;
mod consents;
mod ledger;
mod outbox;
mod phone;
mod records;
mod registrations;
mod runs;
mod schema;
mod seats;
mod stops;
mod texted;

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

pub use chats::{ChatCopy, ChatCopyLine};
pub use consents::Consent;
pub use ledger::{Checkpoint, LedgerKey, LedgerLine, LedgerRow, NoticeOutcome, Verified, VerifyError, verify};
pub use outbox::{OutboxChange, ParcelPart, ParcelState, StoredParcel};
pub use phone::Phone;
pub use records::{CallRecord, RecordQuery, RecordRow};
pub use registrations::Registration;

use crate::ids::Ids;
use ledger::Chain;

/// The database's name in the store's directory.
const FILE: &str = "roomgate.db";

/// The ledger key's name in its own directory.
const KEY_FILE: &str = "ledger.key";

/// Requests that may wait; whoever asks beyond that waits for room.
const QUEUE: usize = 1024;

/// Requests committed together at most: a burst of notices costs one wait for the disk, not one each.
const BATCH: usize = 256;

/// Rows of one answer at most.
const MOST_ROWS: usize = 1000;

/// How long somebody else who has the file is waited for.
const WAITS: Duration = Duration::from_secs(5);
/// What SQLite keeps of the file in memory, in KiB.
const CACHE_KIB: i64 = 256;

/// Lines between two checkpoints in the log (N-8).
const CHECKPOINT_EVERY: u64 = 100;

/// Why the store cannot be opened, or could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A directory or the key file.
    #[error("{}: {error}", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// The database: full disk, damaged file, locked by another process.
    #[error("the store failed: {0}")]
    Database(Arc<rusqlite::Error>),
    /// A later version has written this store; an earlier one would misread it.
    #[error(
        "the store has schema {found}, this version knows {known} at most: go back to the later version, or use another store"
    )]
    Newer {
        /// The schema on disk.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// There are ledger lines, but not the key that chains them.
    #[error("{} is missing, though the ledger has {lines} lines chained with it: put it back, or move the store away", path.display())]
    KeyMissing {
        /// Where it is expected.
        path: PathBuf,
        /// How many lines there are.
        lines: u64,
    },
    /// The key file is there, but holds no key.
    #[error("{} does not hold 64 hexadecimal digits", path.display())]
    KeyMalformed {
        /// The file.
        path: PathBuf,
    },
    /// A stored line cannot be read: the file was changed by somebody else.
    #[error("line {sequence} of the ledger is damaged")]
    Damaged {
        /// The line.
        sequence: i64,
    },
    /// The store's thread has ended.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// The way to the store. The thread ends when the last one is dropped and what was asked is done.
#[derive(Debug, Clone)]
pub struct Handle {
    requests: mpsc::Sender<Request>,
    run: u32,
}

#[derive(Debug)]
enum Request {
    Write(Write, oneshot::Sender<Result<u64, StoreError>>),
    Ledger { limit: usize, before: Option<u64>, reply: oneshot::Sender<Result<Vec<LedgerRow>, StoreError>> },
    Records { query: RecordQuery, reply: oneshot::Sender<Result<Vec<RecordRow>, StoreError>> },
    SweepRecords { born_by: u64, reply: oneshot::Sender<Result<usize, StoreError>> },
    Stops { reply: oneshot::Sender<Result<Vec<String>, StoreError>> },
    Texted { day: u64, reply: oneshot::Sender<Result<Vec<(String, u64)>, StoreError>> },
    Outbox { reply: oneshot::Sender<Result<Vec<StoredParcel>, StoreError>> },
    Chats { reply: oneshot::Sender<Result<Vec<ChatCopyLine>, StoreError>> },
    SweepChats { now: u64, born_by: u64, reply: oneshot::Sender<Result<usize, StoreError>> },
    Wipe { reply: oneshot::Sender<Result<bool, StoreError>> },
    TakeSeat { participant: u64, meeting: String, reply: oneshot::Sender<Result<bool, StoreError>> },
    Registrations { now: u64, reply: oneshot::Sender<Result<Vec<Registration>, StoreError>> },
}

#[derive(Debug)]
enum Write {
    Line(Box<LedgerLine>),
    Record(Box<CallRecord>),
    Registrations {
        device: String,
        rows: Vec<Registration>,
    },
    Consent(Box<Consent>),
    Stop {
        number: String,
        stopped: bool,
        at: u64,
    },
    Texted {
        day: u64,
        meeting: String,
        parts: u64,
    },
    Outbox(OutboxChange),
    Chat(Box<ChatCopy>),
    Seat {
        participant: u64,
        meeting: String,
    },
    Unseat {
        participant: u64,
    },
    /// For its answer.
    Nothing,
}

/// The answer to a write that was begun; an answer that never comes says that nothing was written.
pub type Begun = oneshot::Receiver<Result<u64, StoreError>>;

/// Opens the store in `dir`, and the ledger's key in `key_dir`, making both at the first start (directories 0700, files 0600).
///
/// The key lies outside the store, so that who can change the store cannot mend the chain (N-8); keep a copy of it elsewhere
/// than the store's.
///
/// # Errors
/// [`StoreError`]; nothing has been started then.
pub fn open(dir: &Path, key_dir: &Path) -> Result<(Handle, JoinHandle<()>), StoreError> {
    let mut store = Store::open(dir, key_dir)?;
    let run = runs::begin(&mut store.connection)?;
    seats::sweep(&store.connection, Ids::first_of_run(run.saturating_sub(1)))?;
    let (requests, inbox) = mpsc::channel(QUEUE);
    let thread = thread::Builder::new().name("store".to_owned()).spawn(move || store.run(inbox));
    Ok((Handle { requests, run }, thread.map_err(at(dir))?))
}

// === impl Handle ===

impl Handle {
    /// Which start of the daemon on this store this is, from 1.
    #[must_use]
    pub const fn run(&self) -> u32 {
        self.run
    }

    /// Appends a line to the ledger and returns its sequence number. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`]; the line is not in the ledger then.
    pub async fn append(&self, line: LedgerLine) -> Result<u64, StoreError> {
        self.ask(|reply| Request::Write(Write::Line(Box::new(line)), reply)).await
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
    pub async fn register(&self, device: &str, rows: Vec<Registration>) -> Result<(), StoreError> {
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
    pub async fn stop(&self, number: &str, stopped: bool, at: u64) -> Begun {
        self.begin(Write::Stop { number: number.to_owned(), stopped, at }).await
    }

    /// Begins to count that so many parts were sent by SMS for this meeting (none: an empty name) on this day since 1970 (C-2).
    pub async fn count_texted(&self, day: u64, meeting: &str, parts: u64) -> Begun {
        self.begin(Write::Texted { day, meeting: meeting.to_owned(), parts }).await
    }

    /// Begins a change of the outbox (C-7). Writes that were begun are done in this order.
    pub async fn outbox(&self, change: OutboxChange) -> Begun {
        self.begin(Write::Outbox(change)).await
    }

    /// Answered when all that was begun before is on the disk, or has failed.
    pub async fn barrier(&self) -> Begun {
        self.begin(Write::Nothing).await
    }

    /// What is in the outbox, the oldest first (C-7).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn parcels(&self) -> Result<Vec<StoredParcel>, StoreError> {
        self.ask(|reply| Request::Outbox { reply }).await
    }

    /// Begins to keep the seat of a presence, by its number (M-5). Writes that were begun are done in this order.
    pub async fn keep_seat(&self, participant: u64, meeting: &str) -> Begun {
        self.begin(Write::Seat { participant, meeting: meeting.to_owned() }).await
    }

    /// Begins to give a seat up.
    pub async fn give_up_seat(&self, participant: u64) -> Begun {
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
    pub async fn chat(&self, copy: ChatCopy) -> Begun {
        self.begin(Write::Chat(Box::new(copy))).await
    }

    /// The copies of the chat, without what was said (C-8).
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn chats(&self) -> Result<Vec<ChatCopyLine>, StoreError> {
        self.ask(|reply| Request::Chats { reply }).await
    }

    /// Deletes the copies of the chat that die by `now` or were made by `born_by` (milliseconds since 1970), and says how many (C-8).
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
    pub async fn registrations(&self, now: u64) -> Result<Vec<Registration>, StoreError> {
        self.ask(|reply| Request::Registrations { now, reply }).await
    }

    /// The newest lines of the ledger, newest first: at most `limit` and 1000, with sequence numbers below `before`.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Damaged`], [`StoreError::Closed`].
    pub async fn ledger(&self, limit: usize, before: Option<u64>) -> Result<Vec<LedgerRow>, StoreError> {
        self.ask(|reply| Request::Ledger { limit, before, reply }).await
    }

    /// The newest call records that are meant, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`].
    pub async fn records(&self, query: RecordQuery) -> Result<Vec<RecordRow>, StoreError> {
        self.ask(|reply| Request::Records { query, reply }).await
    }

    /// Deletes the records of calls that came before `born_by` (milliseconds since 1970), and says how many.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Closed`]; all are still there then.
    pub async fn sweep_records(&self, born_by: u64) -> Result<usize, StoreError> {
        self.ask(|reply| Request::SweepRecords { born_by, reply }).await
    }

    async fn begin(&self, write: Write) -> Begun {
        let (reply, answer) = oneshot::channel();
        // A store that is closed drops the reply, which says so.
        let _ = self.requests.send(Request::Write(write, reply)).await;
        answer
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Request) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

// === impl Store ===

/// What the thread owns.
struct Store {
    connection: Connection,
    chain: Chain,
    /// The last write failed: said in the log once, and once more when it is over.
    failing: bool,
}

impl Store {
    fn open(dir: &Path, key_dir: &Path) -> Result<Self, StoreError> {
        for dir in [dir, key_dir] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        }
        let path = dir.join(FILE);
        // Made here and not by SQLite, for its mode, which the files beside it (-wal, -shm) take over.
        OpenOptions::new().append(true).create(true).mode(0o600).open(&path).map_err(at(&path))?;
        let mut connection = Connection::open(&path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // In WAL mode NORMAL would let a power cut take lines that were confirmed; a proof must not vanish.
        connection.pragma_update(None, "synchronous", "FULL")?;
        // What is overwritten must not be there to be found (C-8).
        connection.pragma_update(None, "secure_delete", "ON")?;
        // Rows are mostly written and seldom read: what SQLite keeps of the file in memory need not grow with every record to 2 MB.
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.busy_timeout(WAITS)?;
        schema::migrate(&mut connection)?;

        let (count, head) = ledger::head(&connection)?;
        let key = LedgerKey::open_or_make(&key_dir.join(KEY_FILE), count)?;
        if !ledger::newest_fits(&connection, &key)? {
            tracing::error!(line = count, "the newest line of the ledger does not fit its chain: it was changed, or the key was");
        }
        let chain = Chain { key, count, head };
        tracing::info!(checkpoint = %chain.checkpoint(), "ledger checkpoint at start");
        Ok(Self { connection, chain, failing: false })
    }

    fn run(mut self, mut inbox: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH);
        while inbox.blocking_recv_many(&mut batch, BATCH) > 0 {
            let (mut writes, mut replies, mut reads) = (Vec::new(), Vec::new(), Vec::new());
            for request in batch.drain(..) {
                match request {
                    Request::Write(write, reply) => {
                        writes.push(write);
                        replies.push(reply);
                    }
                    read => reads.push(read),
                }
            }
            // Whoever asked may have gone away; that is no trouble of ours.
            match self.write(&writes) {
                Ok(numbers) => replies.into_iter().zip(numbers).for_each(|(reply, number)| drop(reply.send(Ok(number)))),
                Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
            }
            for read in reads {
                self.read(read);
            }
        }
        tracing::info!(checkpoint = %self.chain.checkpoint(), "ledger checkpoint at stop");
    }

    /// Writes all or nothing: a full disk undoes the whole transaction anyway. Returns the ledger's count after each.
    fn write(&mut self, writes: &[Write]) -> Result<Vec<u64>, StoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let (count, head) = (self.chain.count, self.chain.head);
        let result = self.try_write(writes);
        match &result {
            Ok(_) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the store can be written again");
                }
                if self.chain.count / CHECKPOINT_EVERY > count / CHECKPOINT_EVERY {
                    tracing::info!(checkpoint = %self.chain.checkpoint(), "ledger checkpoint");
                }
            }
            Err(error) => {
                (self.chain.count, self.chain.head) = (count, head);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the store cannot be written; notices and call records are being lost");
                }
            }
        }
        result
    }

    fn try_write(&mut self, writes: &[Write]) -> Result<Vec<u64>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut numbers = Vec::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Line(line) => self.chain.append(&transaction, line)?,
                Write::Record(record) => records::insert(&transaction, record)?,
                Write::Registrations { device, rows } => registrations::replace(&transaction, device, rows)?,
                Write::Consent(consent) => consents::insert(&transaction, consent)?,
                Write::Stop { number, stopped, at } => stops::put(&transaction, number, *stopped, *at)?,
                Write::Texted { day, meeting, parts } => texted::count(&transaction, *day, meeting, *parts)?,
                Write::Outbox(change) => outbox::change(&transaction, change)?,
                Write::Chat(copy) => chats::put(&transaction, copy)?,
                Write::Seat { participant, meeting } => seats::put(&transaction, *participant, meeting)?,
                Write::Unseat { participant } => seats::remove(&transaction, *participant)?,
                Write::Nothing => {}
            }
            numbers.push(self.chain.count);
        }
        transaction.commit()?;
        Ok(numbers)
    }

    fn read(&self, request: Request) {
        match request {
            Request::Ledger { limit, before, reply } => {
                drop(reply.send(ledger::list(&self.connection, limit.min(MOST_ROWS), before)));
            }
            Request::Records { query, reply } => drop(reply.send(records::list(&self.connection, &query))),
            Request::SweepRecords { born_by, reply } => drop(reply.send(records::sweep(&self.connection, born_by))),
            Request::Stops { reply } => drop(reply.send(stops::list(&self.connection))),
            Request::Texted { day, reply } => drop(reply.send(texted::list(&self.connection, day))),
            Request::Outbox { reply } => drop(reply.send(outbox::list(&self.connection))),
            Request::Chats { reply } => drop(reply.send(chats::list(&self.connection))),
            Request::SweepChats { now, born_by, reply } => drop(reply.send(chats::sweep(&self.connection, now, born_by))),
            Request::TakeSeat { participant, meeting, reply } => {
                drop(reply.send(seats::take(&self.connection, participant, &meeting)));
            }
            Request::Wipe { reply } => drop(reply.send(outbox::wipe(&self.connection))),
            Request::Registrations { now, reply } => drop(reply.send(registrations::living(&self.connection, now))),
            Request::Write(_, reply) => drop(reply.send(Err(StoreError::Closed))),
        }
    }
}

/// Says which path an I/O error is about.
fn at(path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |error| StoreError::Io { path: path.to_owned(), error: Arc::new(error) }
}

/// SQLite's integers are signed; what does not fit is as good as endless.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
