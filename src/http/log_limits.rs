//! [`LogLimits`]: lines of the log that strangers can cause, each kind with a limit of its own.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::session::PageSession;
use crate::common::log_limit::LogLimit;

/// The limit of one kind of line, shared by the tasks of all connections.
#[derive(Debug, Default)]
pub(super) struct SharedLogLimit(Mutex<LogLimit>);

impl SharedLogLimit {
    /// Whether a line is written at this moment: how many of its kind were left out since the last one.
    pub(super) fn permits(&self, now: Instant) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(now)
    }

    /// As [`SharedLogLimit::permits`] for a line on this session. Lines on members are always written; guests there may be without number.
    pub(super) fn permits_for(&self, session: &PageSession, now: Instant) -> Option<u64> {
        if session.is_member() { Some(0) } else { self.permits(now) }
    }
}

/// One limit for each kind of line.
#[derive(Debug, Default)]
pub(super) struct LogLimits {
    /// Wrong passcodes at pages.
    pub(super) wrong_passcodes: SharedLogLimit,
    /// Guests that enter by a link.
    pub(super) links_used: SharedLogLimit,
    /// Sessions of guests that end.
    pub(super) sessions_ended: SharedLogLimit,
}
