//! The store's thread: the one writer of the file, and of the ledger's end.
#![allow(clippy::disallowed_methods, reason = "a thread of its own: it has the clock, to know the day of an epoch")]

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use tokio::sync::mpsc;

use super::error::{StoreError, at};
use super::ledger::{self, Chain, KeyPlace, LedgerEntry, LedgerHead};
use super::limits::{BATCH, CACHE_KIB, CHECKPOINT_EVERY, FILE, HEAD_FILE, MOST_WAITING, WAITS, integer};
use super::request::{Reply, Request, Write};
use super::watch::LedgerWatch;
use super::{chats, consents, mutes, outbox, records, registrations, schema, seats, sessions, stops, texted};
use crate::common::units::unix_millis;

/// How often a head is published that nothing else has published, in milliseconds.
const PUBLISHED_EVERY: u64 = 3_600_000;

/// What the thread owns.
pub(super) struct StoreWriter {
    pub(super) connection: Connection,
    pub(super) chain: Chain,
    /// The last write failed: logged once, and once more when writes succeed again.
    pub(super) failing: bool,
    /// An epoch could not begin, or its predecessor's key not be wiped: logged once, too.
    stuck: bool,
    /// Something was overwritten that can still be read in the journal (C-8).
    overwritten: bool,
    /// Lines that the disk would not take, the oldest first.
    waiting: VecDeque<(LedgerEntry, Reply)>,
    beside: HeadFile,
    pub(super) watch: Arc<LedgerWatch>,
    published: (LedgerHead, u64),
}

impl StoreWriter {
    /// Opens the store in `dir`, and the ledger's keys in `key_dir`.
    pub(super) fn open(dir: &Path, key_dir: &Path, watch: Arc<LedgerWatch>) -> Result<Self, StoreError> {
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
        if !schema::has_own_ledger(&connection)? {
            // Calls are taken all the same; what is verified at the start says it where alarms are.
            tracing::error!(path = %path.display(), "the ledger's tables, indexes or triggers are not those that were made: somebody has changed them");
        }

        let chain = Chain::open(&connection, KeyPlace::new(key_dir))?;
        let beside = HeadFile::open(key_dir, &connection)?;
        let waiting = VecDeque::new();
        let published = (LedgerHead::default(), 0);
        // A daemon that was killed may have left something in the journal.
        let overwritten = true;
        let mut store = Self { connection, chain, failing: false, stuck: false, overwritten, waiting, beside, watch, published };
        let now = unix_millis(SystemTime::now());
        let due = store.chain.due(now).unwrap_or(ledger::Reason::Start);
        if due == ledger::Reason::KeyLost {
            tracing::error!("the key of the ledger's last epoch is not there: an epoch begins that it has not signed");
        }
        store.begin(due, now);
        store.follow();
        store.wipe_texts();
        Ok(store)
    }

    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH);
        while inbox.blocking_recv_many(&mut batch, BATCH) > 0 {
            let (mut writes, mut reads) = (Vec::new(), Vec::new());
            for request in batch.drain(..) {
                match request {
                    Request::Write(write, reply) => writes.push((write, reply)),
                    read => reads.push(read),
                }
            }
            self.write(writes);
            for read in reads {
                self.read(read);
            }
        }
        // The reason has been logged.
        let _ = self.write_waiting();
        if !self.waiting.is_empty() {
            tracing::error!(lines = self.waiting.len(), "the ledger loses lines that the disk has not taken");
        }
        self.publish("stop", unix_millis(SystemTime::now()));
    }

    /// Writes all or nothing: a full disk undoes the whole transaction anyway. Each is told the ledger's count after it. Lines of the ledger
    /// that cannot be written are kept, and whoever gave them is told when they are.
    pub(super) fn write(&mut self, writes: Vec<(Write, Reply)>) {
        if writes.is_empty() {
            return;
        }
        let written = self.write_waiting().and_then(|()| self.try_write(&writes));
        if written.is_ok() && writes.iter().any(|(write, _)| matches!(write, Write::Chat(_))) {
            self.overwritten = true;
            self.wipe_texts();
        }
        match written {
            // The requester may be gone.
            Ok(numbers) => writes.into_iter().zip(numbers).for_each(|((_, reply), number)| drop(reply.send(Ok(number)))),
            Err(error) => {
                for (write, reply) in writes {
                    match write {
                        Write::Line(entry) if self.waiting.len() < MOST_WAITING => self.waiting.push_back((*entry, reply)),
                        _ => drop(reply.send(Err(error.clone()))),
                    }
                }
            }
        }
        self.follow();
    }

    fn write_waiting(&mut self) -> Result<(), StoreError> {
        if !self.chain.is_open() && !self.begin(ledger::Reason::Start, unix_millis(SystemTime::now())) {
            return Err(StoreError::NoKey);
        }
        while !self.waiting.is_empty() {
            let some = self.waiting.len().min(BATCH);
            let lines: Vec<LedgerEntry> = self.waiting.iter().take(some).map(|(entry, _)| entry.clone()).collect();
            let numbers = self.transact(|chain, transaction| {
                let append = |entry| chain.append(transaction, entry).map(|()| chain.head().count);
                lines.iter().map(append).collect::<Result<Vec<_>, _>>()
            })?;
            for ((_, reply), number) in self.waiting.drain(..some).zip(numbers) {
                drop(reply.send(Ok(number)));
            }
        }
        Ok(())
    }

    fn try_write(&mut self, writes: &[(Write, Reply)]) -> Result<Vec<u64>, StoreError> {
        self.transact(|chain, transaction| {
            let mut numbers = Vec::with_capacity(writes.len());
            for (write, _) in writes {
                match write {
                    Write::Line(entry) => chain.append(transaction, entry)?,
                    Write::Record(record) => records::insert(transaction, record)?,
                    Write::Registrations { device, rows } => registrations::replace(transaction, device, rows)?,
                    Write::Consent(consent) => {
                        consents::insert(transaction, consent)?;
                        chain.append(transaction, &LedgerEntry::Consent((**consent).clone()))?;
                    }
                    Write::Stop { number, stopped, at } => stops::put(transaction, number, *stopped, *at)?,
                    Write::Texted { day, meeting, parts } => texted::count(transaction, *day, meeting, *parts)?,
                    Write::Outbox(change) => outbox::change(transaction, change)?,
                    Write::Chat(copy) => chats::put(transaction, copy)?,
                    Write::Mute(change) => mutes::change(transaction, change)?,
                    Write::Seat { participant, meeting } => seats::put(transaction, *participant, meeting)?,
                    Write::Unseat { participant } => seats::remove(transaction, *participant)?,
                    Write::Sessions(change) => sessions::change(transaction, change)?,
                    Write::Nothing => {}
                }
                numbers.push(chain.head().count);
            }
            Ok(numbers)
        })
    }

    /// One transaction, and the chain as it is after it, or before it where it fails.
    fn transact<T>(&mut self, work: impl FnOnce(&mut Chain, &Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mark = self.chain.mark();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from);
        let result = transaction.and_then(|transaction| {
            let done = work(&mut self.chain, &transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        match &result {
            Ok(_) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the store can be written again");
                }
            }
            Err(error) => {
                self.chain.back_to(mark);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::error!(%error, "the store cannot be written: lines of the ledger wait in memory, call records are being lost");
                }
            }
        }
        result
    }

    /// Has texts that were overwritten leave the journal too (C-8). Where somebody reads the file just now, it is done a little later.
    fn wipe_texts(&mut self) {
        if self.overwritten {
            // A disk that fails is noticed at the next write.
            self.overwritten = !outbox::wipe(&self.connection).unwrap_or(false);
        }
    }

    // === The ledger's end ===

    /// What is due by the clock: a day's epoch, lines that wait, a head that was not published for a while.
    pub(super) fn maintain_ledger(&mut self, now: u64) {
        if let Some(reason) = self.chain.due(now) {
            self.begin(reason, now);
        } else {
            self.wipe();
        }
        // The reason has been logged.
        let _ = self.write_waiting();
        self.wipe_texts();
        self.follow();
        if self.published.0 != self.chain.head() && now.saturating_sub(self.published.1) >= PUBLISHED_EVERY {
            self.publish("hour", now);
        }
    }

    /// Begins an epoch, or stays in the one that goes on.
    fn begin(&mut self, reason: ledger::Reason, now: u64) -> bool {
        match self.chain.begin(&mut self.connection, reason, now) {
            Ok(()) => {
                self.publish("epoch", now);
                self.wipe();
                true
            }
            Err(error) => {
                self.is_stuck(&error, "no epoch of the ledger can begin: the one before goes on");
                false
            }
        }
    }

    fn wipe(&mut self) {
        match self.chain.wipe() {
            Ok(()) => self.stuck = false,
            Err(error) => self.is_stuck(&error, "the key of the ledger's epoch before cannot be wiped"),
        }
    }

    fn is_stuck(&mut self, error: &StoreError, what: &str) {
        if !std::mem::replace(&mut self.stuck, true) {
            tracing::error!(%error, "{what}");
        }
    }

    /// Shows where the ledger ends, and keeps it beside the store.
    fn follow(&mut self) {
        let head = self.chain.head();
        if head.count / CHECKPOINT_EVERY > self.published.0.count / CHECKPOINT_EVERY {
            self.publish("lines", unix_millis(SystemTime::now()));
        }
        self.beside.keep(head);
        self.watch.end(head, self.waiting.len(), self.stuck);
    }

    fn publish(&mut self, why: &str, now: u64) {
        let head = self.chain.head();
        tracing::info!(target: ledger::TARGET, head = %head, why, "{}", ledger::MESSAGE);
        self.published = (head, now);
    }

    fn read(&mut self, request: Request) {
        match request {
            Request::Ledger { query, reply } => drop(reply.send(ledger::list(&self.connection, &query))),
            Request::MaintainLedger { now } => self.maintain_ledger(now),
            Request::Records { query, reply } => drop(reply.send(records::list(&self.connection, &query))),
            Request::SweepRecords { born_by, reply } => drop(reply.send(records::sweep(&self.connection, born_by))),
            Request::Stops { reply } => drop(reply.send(stops::list(&self.connection))),
            Request::Texted { day, reply } => drop(reply.send(texted::list(&self.connection, day))),
            Request::Outbox { reply } => drop(reply.send(outbox::list(&self.connection))),
            Request::Chats { reply } => drop(reply.send(chats::list(&self.connection))),
            Request::SweepChats { now, born_by, reply } => {
                let swept = chats::sweep(&self.connection, now, born_by);
                self.overwritten |= swept.as_ref().is_ok_and(|swept| *swept > 0);
                self.wipe_texts();
                drop(reply.send(swept));
            }
            Request::TakeSeat { participant, meeting, reply } => {
                drop(reply.send(seats::take(&self.connection, participant, &meeting)));
            }
            Request::Wipe { reply } => drop(reply.send(outbox::wipe(&self.connection))),
            Request::Registrations { now, reply } => drop(reply.send(registrations::living(&self.connection, now))),
            Request::Sessions { now, reply } => drop(reply.send(sessions::living(&self.connection, now))),
            Request::Mutes { now, reply } => drop(reply.send(mutes::living(&self.connection, now))),
            Request::Write(_, reply) => drop(reply.send(Err(StoreError::Closed))),
        }
    }
}

/// The last head, beside the keys: it finds a ledger that was cut off while the daemon was down by somebody who did not think of it. Not
/// written through: after a power cut it is an earlier one, which is as true.
struct HeadFile {
    path: PathBuf,
    /// It does not fit the ledger: it stays as it is, so that each verification says so, until somebody takes it away.
    frozen: bool,
    failing: bool,
    kept: Option<LedgerHead>,
}

impl HeadFile {
    fn open(key_dir: &Path, connection: &Connection) -> Result<Self, StoreError> {
        let path = key_dir.join(HEAD_FILE);
        let kept: Option<LedgerHead> = fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
        let frozen = match kept {
            Some(head) if head.count > 0 => {
                let found = "SELECT hash FROM ledger WHERE sequence = ?";
                let found = connection.query_row(found, [integer(head.count)], |row| row.get::<_, Vec<u8>>(0)).optional()?;
                found.as_deref() != Some(&head.hash[..])
            }
            _ => false,
        };
        if frozen {
            tracing::error!(path = %path.display(), "the ledger does not lead to the head that was kept beside it: lines were cut off or changed");
        }
        Ok(Self { path, frozen, failing: false, kept })
    }

    fn keep(&mut self, head: LedgerHead) {
        if self.frozen || self.kept == Some(head) {
            return;
        }
        let draft = self.path.with_extension("head.new");
        let write = || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            writeln!(file, "{head}")?;
            fs::rename(&draft, &self.path)
        };
        match write() {
            Ok(()) => (self.kept, self.failing) = (Some(head), false),
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(path = %self.path.display(), %error, "the ledger's head cannot be kept beside its keys");
                }
            }
        }
    }
}
