//! Lines of the ledger on their way to the store (N-8).
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: it has the clock and starts what may be slow")]

use std::time::{SystemTime, UNIX_EPOCH};

use super::effects::MeetingEffects;
use crate::common::machine;
use crate::common::units::unix_millis;
use crate::meeting::state::PendingLine;
use crate::store::LedgerLine;
use crate::telemetry::metrics::Unwritten;

impl MeetingEffects {
    /// Writes a line apart from the task: the disk may be slow, and the next notice must not wait for it.
    pub(super) fn write_ledger(&self, line: PendingLine) {
        let (notice, line) = (line.entry.notice, self.ledger_line(line));
        let counted = self.shared.counted.clone();
        counted.notice(line.outcome.as_str());
        let (store, meeting) = (self.shared.store.clone(), self.meeting.clone());
        tokio::spawn(async move {
            if let Err(error) = store.append(line).await {
                counted.unwritten(Unwritten::Ledger);
                tracing::error!(%meeting, %notice, %error, "a ledger line could not be written");
            }
        });
    }

    /// As the store has it, with the time of day of the change that it tells of.
    fn ledger_line(&self, line: PendingLine) -> LedgerLine {
        let PendingLine { entry, call, phone, device, language, received_permille, .. } = line;
        let elapsed = machine::now().saturating_duration_since(entry.event_at);
        let at = SystemTime::now().checked_sub(elapsed).unwrap_or(UNIX_EPOCH);
        let low = |sequence: u32| u16::try_from(sequence & 0xFFFF).unwrap_or_default();
        LedgerLine {
            meeting: self.meeting.to_string(),
            call,
            participant: entry.who.to_string(),
            device,
            phone,
            what: entry.what.iter().map(ToString::to_string).collect(),
            language,
            at: unix_millis(at),
            first_seq: entry.carried.map(|carried| low(carried.first)),
            last_seq: entry.carried.map(|carried| low(carried.last)),
            ssrc: entry.carried.map(|carried| carried.ssrc),
            received_permille,
            outcome: entry.outcome,
        }
    }
}
