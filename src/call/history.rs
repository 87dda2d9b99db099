//! Calls that are over, the newest last: what an administrator asks for when somebody says "it sounded bad just now".

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::registry::CallEntry;
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::media::PortStats;

/// So many are remembered; the oldest gives way.
const KEPT: usize = 100;

/// A call that is over.
#[derive(Debug, Clone)]
pub struct EndedCall {
    /// Its entry, as it was last.
    pub entry: CallEntry,
    /// Why it ended.
    pub cause: Cause,
    /// What its media came to.
    pub stats: PortStats,
}

/// The last calls that had media.
#[derive(Debug, Default)]
pub(super) struct CallHistory(Mutex<VecDeque<EndedCall>>);

impl CallHistory {
    /// Remembers one.
    pub(super) fn note(&self, mut ended: EndedCall) {
        // Its port is closed: nobody shall ask there.
        ended.entry.port = None;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(ended);
    }

    /// One of them.
    pub(super) fn find(&self, call: CallId) -> Option<EndedCall> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().find(|ended| ended.entry.call == call).cloned()
    }
}
