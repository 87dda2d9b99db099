//! The state of the ledger at the API (N-8).

use serde::Serialize;
use utoipa::ToSchema;

use crate::common::units::rfc3339;
use crate::store::{LedgerStatus, Verification, VerifyError};

/// Whether the ledger holds together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LedgerVerification)]
pub struct LedgerReport {
    /// It does, as far as can be told without heads from elsewhere.
    pub whole: bool,
    /// When it was read (RFC 3339).
    pub verified_at: String,
    /// Count, hash of the newest line, and key of its epoch: to be kept elsewhere.
    pub head: String,
    /// Lines; up to the break, where there is one.
    pub lines: u64,
    /// The first line that does not fit.
    pub breaks_at: Option<u64>,
    /// What is wrong, for people.
    pub fault: Option<String>,
    /// Lines that wait in memory, because the disk does not take them.
    pub waiting: usize,
}

impl LedgerReport {
    /// The report on a verification, which ran while the ledger was in this state.
    #[must_use]
    pub fn new(status: &LedgerStatus, verification: &Verification) -> Self {
        let (head, breaks_at, fault) = match &verification.outcome {
            Ok(verified) => (verified.head, None, None),
            Err(error @ VerifyError::Broken(broken)) => (status.head, Some(broken.at), Some(error.to_string())),
            Err(error @ VerifyError::Store(_)) => (status.head, None, Some(error.to_string())),
        };
        Self {
            whole: fault.is_none(),
            verified_at: rfc3339(verification.at),
            head: head.to_string(),
            lines: breaks_at.map_or(head.count, |at| at.saturating_sub(1)),
            breaks_at,
            fault,
            waiting: status.waiting,
        }
    }
}
