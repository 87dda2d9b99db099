//! Calls that went wrong, the newest last: what an administrator asks for when somebody says "it did not work" (S-8).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::common::cause::Cause;
use crate::common::ids::CallId;

/// So many are remembered; the oldest gives way.
const KEPT: usize = 50;

/// One call that was refused, or ended as nobody wanted.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its name in the log.
    pub call: CallId,
    /// The device's label, or `unknown`.
    pub device: String,
    /// Whom it dialled, digits masked; `None`: where that is no question, since it was let in, or called by us.
    pub dialled: Option<String>,
    /// Where its SIP comes from, or goes to; `None`: nowhere.
    pub peer: Option<SocketAddr>,
    /// Why.
    pub cause: Cause,
    /// When.
    pub at: Instant,
}

/// The failures of all calls.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<VecDeque<Failure>>);

impl Failures {
    /// Remembers a call, if its end was one that nobody wanted.
    pub(super) fn note(&self, failure: Failure) {
        if !failure.cause.is_fault() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(failure);
    }

    /// What is remembered, the newest first.
    pub(super) fn all(&self) -> Vec<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}
