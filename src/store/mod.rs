//! What is on disk: the ledger (N-8), call records (M-16), registrations (S-3) and consents (C-2), in one SQLite file.
//!
//! Lines and records flow in through [`StoreHandle`], which everyone may clone; answers flow back. One thread owns the file, so there
//! is one writer and no lock of ours. Requests that have gathered are committed together. A disk that fails is an error to each
//! who asked and one log line; the daemon goes on, and keeps lines of the ledger in memory until they can be written.

mod chats;
mod consents;
mod error;
mod handle;
mod ledger;
mod limits;
mod mutes;
mod outbox;
mod phone;
mod records;
mod registrations;
mod request;
mod runs;
mod schema;
mod seats;
mod sessions;
mod stops;
mod texted;
mod watch;
mod writer;

pub use chats::{ChatCopy, ChatCopyLine};
pub use consents::Consent;
pub use error::StoreError;
pub use handle::{StoreHandle, StoreStart, open};
pub use ledger::{
    BadLedgerHead, Broken, BrokenReason, COLUMN as HEAD_COLUMN, Deletion, EpochLine, LedgerEntry, LedgerHead, LedgerLine,
    LedgerQuery, LedgerRow, METRIC as HEAD_METRIC, Verified, VerifyError, read_heads, verify,
};
pub use mutes::{MuteChange, StoredMute};
pub use outbox::{OutboxChange, SmsPart, SmsState, StoredSms};
pub use phone::Phone;
pub use records::{CallRecord, RecordQuery, RecordRow};
pub use registrations::StoredContact;
pub use sessions::{LivingSessions, SessionChange, StoredLink, StoredSession};
pub use watch::{LedgerStatus, Verification};
