//! What the log says of calls that strangers bring about: of each cause a few lines.

use std::sync::{Mutex, PoisonError};

use super::router::is_known;
use crate::common::machine;
use crate::common::rate_limit::LogBudget;
use crate::sip::Incoming;

/// One budget a cause.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    refusals: Mutex<LogBudget>,
    no_ports: Mutex<LogBudget>,
}

fn say(lines: &Mutex<LogBudget>) -> Option<u64> {
    lines.lock().unwrap_or_else(PoisonError::into_inner).say(machine::now())
}

impl CallLog {
    /// Whether the refusal of a call is written, and how many were not since the last one. Those of known callers all are.
    pub(super) fn refusal(&self, incoming: &Incoming) -> Option<u64> {
        if is_known(incoming) { Some(0) } else { say(&self.refusals) }
    }

    /// The same of a call without a media port.
    pub(super) fn no_port(&self) -> Option<u64> {
        say(&self.no_ports)
    }
}
