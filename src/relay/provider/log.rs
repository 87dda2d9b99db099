//! `log`: prints messages where somebody who tries Roomgate out reads them.

use std::io::Write as _;

use tokio::sync::mpsc;

use super::{OutgoingSms, Provider, ProviderEvent, SubmitOutcome};
use crate::common::printable::printable;
use crate::relay::{PhoneNumber, segment};

/// Messages that may be on their way to the terminal.
const TAKES: usize = 16;

/// Prints on standard output. Under a service manager that is the journal, where nobody's words have a place (C-8): there only
/// that something would have been sent is said.
pub(super) struct LogProvider {
    from: PhoneNumber,
    with_text: bool,
    events: mpsc::Sender<ProviderEvent>,
}

impl LogProvider {
    pub(super) fn open(from: PhoneNumber, events: mpsc::Sender<ProviderEvent>) -> Self {
        let log = Self { from, with_text: std::env::var_os("JOURNAL_STREAM").is_none(), events };
        log.say(ProviderEvent::Takes(TAKES));
        log
    }

    fn say(&self, event: ProviderEvent) {
        // At most as many as it takes, and the first one: there is room, as long as anybody listens.
        let _ = self.events.try_send(event);
    }
}

impl Provider for LogProvider {
    fn submit(&self, sms: OutgoingSms) {
        let parts = segment::segments(sms.text.expose()).len();
        tracing::info!(from = %self.from, to = %sms.to, parts, "SMS printed, not sent: the provider is `log`");
        if self.with_text {
            let mut out = std::io::stdout().lock();
            // One line, whatever is in it: a second one could look as if it were ours.
            let text = printable(sms.text.expose());
            // A closed standard output is no reason not to run.
            let _ = writeln!(out, "SMS from {} to {}: {text}", self.from, sms.to).and_then(|()| out.flush());
        }
        self.say(ProviderEvent::Outcome { id: sms.id, outcome: SubmitOutcome::Accepted { name: None } });
    }
}
