//! `log`: prints messages where somebody who tries Roomgate out reads them.

use std::io::Write as _;

use super::Provider;
use crate::ids::CallId;
use crate::relay::{Message, Number, segment};

/// Prints on standard output. Under a service manager that is the journal, where nobody's words have a place (C-8): there only
/// that something would have been sent is said.
pub(super) struct Log {
    from: Number,
    with_text: bool,
}

impl Log {
    pub(super) fn new(from: Number) -> Self {
        Self { from, with_text: std::env::var_os("JOURNAL_STREAM").is_none() }
    }
}

impl Provider for Log {
    fn submit(&self, message: Message) {
        let parts = segment::segments(message.text.expose()).len();
        tracing::info!(from = %self.from, to = %message.to, parts, "SMS printed, not sent: the provider is `log`");
        if self.with_text {
            let mut out = std::io::stdout().lock();
            let text = message.text.expose();
            // A closed standard output is no reason not to run.
            let _ = writeln!(out, "SMS from {} to {}: {text}", self.from, message.to).and_then(|()| out.flush());
        }
    }

    /// What was printed cannot be taken back, and nothing waits.
    fn forget(&self, _: CallId) {}
}
