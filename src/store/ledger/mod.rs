//! The ledger (N-8): what was told to whom, who has asked for messages (C-2), and which recordings were deleted, in lines that are only
//! ever appended.
//!
//! Each line holds the SHA-256 of the one before it and of its own columns ([`columns`]). An *epoch* (a start, a day) begins with a line that
//! names its key, signed by the key before it, which is wiped then ([`key`]): nobody can sign anew what lies before. [`LedgerHead`]s are
//! published where the daemon's user cannot rewrite them, and [`verify`] finds whatever does not lead to them.

mod chain;
mod columns;
mod conditions;
mod head;
mod key;
mod lines;
mod old;
mod query;
mod verify;

#[cfg(test)]
mod alterations;
#[cfg(test)]
mod tests;

pub use head::{BadLedgerHead, COLUMN, LedgerHead, METRIC, read as read_heads};
pub use lines::{Deletion, EpochLine, LedgerEntry, LedgerLine, LedgerQuery, LedgerRow};
pub use verify::{Broken, BrokenReason, Verified, VerifyError, verify};

pub(super) use chain::{Chain, Reason};
pub(super) use head::{MESSAGE, TARGET};
pub(super) use key::KeyPlace;
pub(super) use query::list;
