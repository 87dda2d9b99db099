//! The ledger's lines on their way (N-8): each waits until it is known in which packets its notice left, and how many of them the device
//! has received.
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: it has the clock and starts what may be slow")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::MeetingTask;
use crate::common::ids::NoticeId;
use crate::common::machine;
use crate::common::units::unix_millis;
use crate::policy::{NoticeEntry, NoticeResult, SentPackets};
use crate::store::{LedgerLine, NoticeOutcome, Phone};
use crate::telemetry::metrics::Unwritten;

/// How long a line waits for word from the device's call, which may be gone: longer than the media wait for a report.
const AWAITED: Duration = Duration::from_secs(20);

/// A line that is not written yet.
struct Line {
    entry: NoticeEntry,
    call: String,
    phone: Phone,
    device: String,
    language: String,
    until: Instant,
}

/// Lines that are not written yet: as many as notices were told lately.
#[derive(Default)]
pub(super) struct PendingLedgerLines(BTreeMap<NoticeId, Line>);

impl PendingLedgerLines {
    /// When the first of them waits no longer.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().map(|line| line.until).min()
    }

    /// Those that wait no longer at `now`; all of them for `None`.
    pub(super) fn due(&self, now: Option<Instant>) -> Vec<NoticeId> {
        let due = |line: &Line| now.is_none_or(|now| line.until <= now);
        self.0.iter().filter(|(_, line)| due(line)).map(|(notice, _)| *notice).collect()
    }
}

impl MeetingTask {
    /// A notice is over: its line waits for what the device's call has to say of it.
    pub(super) fn ledger(&mut self, entry: NoticeEntry) {
        let guest = self.guests.get(&entry.who);
        let (call, phone, device, language) =
            guest.map(|g| (g.call.to_string(), g.phone.clone(), g.device.clone(), g.language.clone())).unwrap_or_default();
        let until = machine::now() + AWAITED;
        self.lines.0.insert(entry.notice, Line { entry, call, phone, device, language, until });
    }

    /// The packets in which a notice left are known. One that was not told to its end has nothing more to wait for.
    pub(super) fn carried(&mut self, notice: NoticeId, carried: Option<SentPackets>) {
        let Some(line) = self.lines.0.get_mut(&notice) else { return };
        line.entry.carried = line.entry.carried.or(carried);
        if line.entry.outcome != NoticeResult::Completed {
            self.write_line(notice, None);
        }
    }

    /// Writes a line. `received_permille`: of a thousand packets the device reports so many as received.
    pub(super) fn write_line(&mut self, notice: NoticeId, received_permille: Option<u16>) {
        let Some(Line { entry, call, phone, device, language, .. }) = self.lines.0.remove(&notice) else { return };
        let elapsed = machine::now().saturating_duration_since(entry.event_at);
        let at = SystemTime::now().checked_sub(elapsed).unwrap_or(UNIX_EPOCH);
        let low = |sequence: u32| u16::try_from(sequence & 0xFFFF).unwrap_or_default();
        let line = LedgerLine {
            meeting: self.name.to_string(),
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
            outcome: match entry.outcome {
                NoticeResult::Completed => NoticeOutcome::Completed,
                NoticeResult::Interrupted => NoticeOutcome::Interrupted,
                NoticeResult::Failed => NoticeOutcome::Failed,
            },
        };
        let counted = self.shared.counted.clone();
        counted.notice(line.outcome.word());
        // The disk may be slow, and the next notice must not wait for it.
        let (store, meeting) = (self.shared.store.clone(), self.name.clone());
        tokio::spawn(async move {
            if let Err(error) = store.append(line).await {
                counted.unwritten(Unwritten::Ledger);
                tracing::error!(%meeting, %notice, %error, "a ledger line could not be written");
            }
        });
    }
}
