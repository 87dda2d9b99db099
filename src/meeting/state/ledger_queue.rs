//! Lines of the ledger on their way (N-8): each waits until it is known in which packets its notice left, and how many of them the device
//! has received.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::participants::Guest;
use crate::common::ids::NoticeId;
use crate::common::play_outcome::PlayOutcome;
use crate::policy::{NoticeEntry, SentPackets};
use crate::store::Phone;

/// How long a line waits for its device's call, which may be gone: longer than the media wait for a report.
const AWAITED: Duration = Duration::from_secs(20);

/// A line that is not written yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::meeting) struct PendingLine {
    /// What the policy has to say of the notice.
    pub(in crate::meeting) entry: NoticeEntry,
    /// The device's call, as it prints itself.
    pub(in crate::meeting) call: String,
    /// The far end of it.
    pub(in crate::meeting) phone: Phone,
    /// The device's label.
    pub(in crate::meeting) device: String,
    /// In which the notice was spoken.
    pub(in crate::meeting) language: String,
    /// Of a thousand packets the device reports so many as received; `None`: it has not reported.
    pub(in crate::meeting) received_permille: Option<u16>,
    until: Instant,
}

/// Lines that are not written yet: as many as notices were told lately.
#[derive(Debug, Default)]
pub(super) struct LedgerQueue(BTreeMap<NoticeId, PendingLine>);

impl LedgerQueue {
    /// A notice to `guest` is over: its line waits for what the device's call has to say of it.
    pub(super) fn push(&mut self, now: Instant, entry: NoticeEntry, guest: Option<&Guest>) {
        let of = |guest: &Guest| (guest.call.to_string(), guest.phone.clone(), guest.device.clone(), guest.language.clone());
        let (call, phone, device, language) = guest.map(of).unwrap_or_default();
        let until = now + AWAITED;
        self.0.insert(entry.notice, PendingLine { entry, call, phone, device, language, received_permille: None, until });
    }

    /// The packets in which a notice left are known. One that was not told to its end has nothing more to wait for: its line.
    pub(super) fn carried(&mut self, notice: NoticeId, carried: Option<SentPackets>) -> Option<PendingLine> {
        let line = self.0.get_mut(&notice)?;
        line.entry.carried = line.entry.carried.or(carried);
        if line.entry.outcome == PlayOutcome::Completed { None } else { self.take(notice, None) }
    }

    /// The line of a notice, to be written now; `None`: it was written before.
    pub(super) fn take(&mut self, notice: NoticeId, received_permille: Option<u16>) -> Option<PendingLine> {
        self.0.remove(&notice).map(|line| PendingLine { received_permille, ..line })
    }

    /// When the first of them waits no longer.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.values().map(|line| line.until).min()
    }

    /// Those that wait no longer at `now`; all of them for `None`.
    pub(super) fn due(&self, now: Option<Instant>) -> Vec<NoticeId> {
        let due = |line: &PendingLine| now.is_none_or(|now| line.until <= now);
        self.0.iter().filter(|(_, line)| due(line)).map(|(notice, _)| *notice).collect()
    }
}
