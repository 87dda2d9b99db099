//! [`Request`]: what handles ask of the store's thread.

use tokio::sync::oneshot;

use super::chats::{ChatCopy, ChatCopyLine};
use super::consents::Consent;
use super::error::StoreError;
use super::ledger::{LedgerEntry, LedgerQuery, LedgerRow};
use super::mutes::{MuteChange, StoredMute};
use super::outbox::{OutboxChange, StoredSms};
use super::records::{CallRecord, RecordQuery, RecordRow};
use super::registrations::StoredContact;
use super::sessions::{LivingSessions, SessionChange};

/// The answer to a write: the sequence number of a line of the ledger, or 0.
pub(super) type Reply = oneshot::Sender<Result<u64, StoreError>>;

#[derive(Debug)]
pub(super) enum Request {
    Write(Write, Reply),
    Ledger { query: LedgerQuery, reply: oneshot::Sender<Result<Vec<LedgerRow>, StoreError>> },
    MaintainLedger { now: u64 },
    Records { query: RecordQuery, reply: oneshot::Sender<Result<Vec<RecordRow>, StoreError>> },
    SweepRecords { born_by: u64, reply: oneshot::Sender<Result<usize, StoreError>> },
    Stops { reply: oneshot::Sender<Result<Vec<String>, StoreError>> },
    Texted { day: u64, reply: oneshot::Sender<Result<Vec<(String, u64)>, StoreError>> },
    Outbox { reply: oneshot::Sender<Result<Vec<StoredSms>, StoreError>> },
    Chats { reply: oneshot::Sender<Result<Vec<ChatCopyLine>, StoreError>> },
    SweepChats { now: u64, born_by: u64, reply: oneshot::Sender<Result<usize, StoreError>> },
    Wipe { reply: oneshot::Sender<Result<bool, StoreError>> },
    TakeSeat { participant: u64, meeting: String, reply: oneshot::Sender<Result<bool, StoreError>> },
    Registrations { now: u64, reply: oneshot::Sender<Result<Vec<StoredContact>, StoreError>> },
    Sessions { now: u64, reply: oneshot::Sender<Result<LivingSessions, StoreError>> },
    Mutes { now: u64, reply: oneshot::Sender<Result<Vec<StoredMute>, StoreError>> },
}

#[derive(Debug)]
pub(super) enum Write {
    Line(Box<LedgerEntry>),
    Record(Box<CallRecord>),
    Registrations {
        device: String,
        rows: Vec<StoredContact>,
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
    Sessions(Box<SessionChange>),
    Mute(MuteChange),
    /// For its answer.
    Nothing,
}
