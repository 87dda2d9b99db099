//! Notices that one device is owed (N-1 … N-6, N-8): those that wait, the one that plays, and those whose reception is not reported yet.
//!
//! Mode `notice` (N-5): staying is consent. A device that enters while something is captured has both directions shut until the notice
//! was played to its end (N-2), and so has one that comes back from hold to a change that it missed (N-3). For a change while it is
//! inside, its microphone stays open unless the notice is late or fails; then it is closed until a later notice is played to its end
//! (N-3, N-6).
//!
//! A notice that was sent to its last packet may still have been lost on the way. If the device reports so, it is played once more, then the
//! microphone closes, and it is repeated until the device has received it (N-8). A device that reports nothing is believed.

use std::time::{Duration, Instant};

use super::notice_types::{CaptureChange, NoticeEntry, SentPackets, essentials};
use super::types::CaptureKind;
use crate::common::ids::{NoticeId, ParticipantId};
use crate::common::play_outcome::PlayOutcome;

/// A notice must have begun this long after it was asked for (N-1, N-3).
pub const BEGINS_WITHIN: Duration = Duration::from_millis(500);
/// A notice must have been played this long after its own length (N-3).
pub const COMPLETES_WITHIN: Duration = Duration::from_secs(2);
/// Changes this soon after a spoken one are merged into one following notice (N-4).
pub const MERGE_WINDOW: Duration = Duration::from_secs(1);
/// A notice that never began is given up, and counted as failed, this long after it was asked for.
pub const GIVEN_UP_AFTER: Duration = Duration::from_secs(5);
/// How often the same changes are announced without reception before the device is left with a closed microphone (N-6, N-8).
const ATTEMPTS: u8 = 2;
/// Interval at which they are repeated from then on, from one beginning to the next.
pub const AGAIN_EVERY: Duration = Duration::from_secs(30);
/// Of a thousand packets more than so many must be reported as received: a loss below 10 % (N-8).
const RECEIVED_ABOVE: u16 = 900;
/// Notices whose report is awaited; beyond it the oldest counts as unreported. The media give up sooner.
const MOST_AWAITED: usize = 16;
/// The longest notice believed; a longer length is cut to this, so that a deadline always exists.
const LONGEST: Duration = Duration::from_secs(120);
/// Pending changes kept in full for one device; beyond, those in the middle are dropped, and the phrases stay the same.
const MOST_PENDING: usize = 64;

/// A notice that is being played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlayingNotice {
    pub(super) notice: NoticeId,
    pub(super) changes: Vec<CaptureChange>,
    told_at: Instant,
    began: Option<(Instant, Duration)>,
    late: bool,
    /// The device went on hold meanwhile: not reaching the end is nobody's fault.
    held: bool,
}

impl PlayingNotice {
    pub(super) fn entry(self, who: ParticipantId, outcome: PlayOutcome, carried: Option<SentPackets>) -> NoticeEntry {
        let event_at = self.changes.first().map_or(self.told_at, |c| c.at);
        NoticeEntry { notice: self.notice, who, what: self.changes, event_at, outcome, carried }
    }
}

/// Named deadlines of one device's notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NoticeTimer {
    /// It should have begun.
    Begin,
    /// It never began.
    GiveUp,
    /// It should have been played.
    Complete,
    /// The following notice is due (N-4), or the same one again (N-8).
    Following,
}

/// A notice that was sent to its last packet, and on which the device's report is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    notice: NoticeId,
    changes: Vec<CaptureChange>,
    told_at: Instant,
}

/// Notices of one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OwedNotices {
    pending: Vec<CaptureChange>,
    playing: Option<PlayingNotice>,
    /// When changes are merged into a following notice.
    window: Option<Instant>,
    /// When changes that were not received are announced again.
    again: Option<Instant>,
    attempts: u8,
    shut: bool,
    mic_closed: bool,
    /// Sent, and not reported on yet.
    sent: Vec<Sent>,
    /// The change of each capture that it was owed last.
    newest: Vec<CaptureChange>,
    told_last: Option<NoticeId>,
    /// Notices in a row that it reports as not received. Those played before the last of them was reported do not count: nothing was
    /// repeated yet.
    lost: u8,
    lost_up_to: Option<NoticeId>,
}

/// What the end of a notice means.
pub(super) struct FinishedNotice {
    pub(super) playing: PlayingNotice,
    /// It was not played, and hold was not the reason.
    pub(super) fault: bool,
    /// It was not played at any attempt.
    pub(super) exhausted: bool,
}

/// What a device's report on a notice means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CoverageReport {
    /// It was received, or the device does not report.
    Believed,
    /// It was lost, and is repeated.
    Lost,
    /// Repeated, it was lost again: the microphone is closed. `first`: by this report.
    Closed {
        /// It was open until now.
        first: bool,
    },
}

impl OwedNotices {
    // === What is owed ===

    /// A change that is owed to the device while it is inside.
    pub(super) fn owe(&mut self, change: CaptureChange) {
        self.pending.push(change);
        self.attempts = 0;
        self.again = None;
        self.newest.retain(|known| known.what != change.what);
        self.newest.push(change);
        self.thin_out();
    }

    /// Changes that were announced and not received. One that another notice announces already is not repeated twice.
    fn owe_again(&mut self, changes: Vec<CaptureChange>) {
        let known = |change: &CaptureChange| {
            let playing = self.playing.iter().flat_map(|playing| &playing.changes);
            let sent = self.sent.iter().flat_map(|sent| &sent.changes);
            self.pending.iter().chain(playing).chain(sent).any(|known| known == change)
        };
        let missing: Vec<CaptureChange> = changes.into_iter().filter(|change| !known(change)).collect();
        self.pending.splice(0..0, missing);
        self.pending.sort_by_key(|change| change.at);
        self.thin_out();
    }

    fn thin_out(&mut self) {
        if self.pending.len() > MOST_PENDING {
            let kept = CaptureKind::ALL.map(|what| essentials(&self.pending, what));
            let mut kept: Vec<CaptureChange> = kept.into_iter().flatten().flatten().collect();
            kept.sort_by_key(|c| c.at);
            kept.dedup();
            self.pending = kept;
        }
    }

    /// A change that is owed to the device before any audio passes (N-2).
    pub(super) fn owe_on_entry(&mut self, change: CaptureChange) {
        self.owe(change);
        self.shut = true;
    }

    /// Audio may reach the device.
    pub(super) const fn may_hear(&self) -> bool {
        !self.shut
    }

    /// Audio may come from the device.
    pub(super) const fn may_speak(&self) -> bool {
        !self.shut && !self.mic_closed && self.lost < ATTEMPTS
    }

    // === Playing ===

    /// A notice is due now.
    pub(super) fn is_due(&self, now: Instant, on_hold: bool) -> bool {
        self.could_follow(on_hold) && self.not_before().is_none_or(|end| end <= now)
    }

    fn could_follow(&self, on_hold: bool) -> bool {
        !self.pending.is_empty() && self.playing.is_none() && !on_hold
    }

    fn not_before(&self) -> Option<Instant> {
        self.window.max(self.again)
    }

    /// All pending changes become one notice. It ends with the present state, also where that was announced already.
    pub(super) fn tell(&mut self, now: Instant, notice: NoticeId) -> Vec<CaptureChange> {
        let mut changes = std::mem::take(&mut self.pending);
        for newest in &self.newest {
            let last = changes.iter().rfind(|change| change.what == newest.what);
            if last.is_some_and(|last| last.epoch < newest.epoch) {
                changes.push(*newest);
            }
        }
        self.window = now.checked_add(MERGE_WINDOW);
        self.again = None;
        self.told_last = Some(notice);
        self.playing =
            Some(PlayingNotice { notice, changes: changes.clone(), told_at: now, began: None, late: false, held: false });
        changes
    }

    // === Results and reports ===

    /// The first packet left.
    pub(super) fn began(&mut self, now: Instant, notice: NoticeId, length: Duration) {
        if let Some(playing) = self.playing.as_mut().filter(|p| p.notice == notice && p.began.is_none()) {
            playing.began = Some((now, length.min(LONGEST)));
        }
    }

    /// The player's report. `None` for a notice that is not the one on its way (given up, or overtaken by hold).
    pub(super) fn told(&mut self, notice: NoticeId, outcome: PlayOutcome) -> Option<FinishedNotice> {
        self.playing.as_ref().filter(|p| p.notice == notice)?;
        self.finish(outcome)
    }

    /// Ends what is on its way, however that came.
    pub(super) fn finish(&mut self, outcome: PlayOutcome) -> Option<FinishedNotice> {
        let playing = self.playing.take()?;
        if outcome == PlayOutcome::Completed {
            self.attempts = 0;
            self.shut = false;
            self.mic_closed = false;
            self.sent.push(Sent { notice: playing.notice, changes: playing.changes.clone(), told_at: playing.told_at });
            if self.sent.len() > MOST_AWAITED {
                self.sent.remove(0);
            }
            return Some(FinishedNotice { playing, fault: false, exhausted: false });
        }
        self.owe_again(playing.changes.clone());
        let fault = !playing.held;
        let exhausted = fault && self.attempts + 1 == ATTEMPTS;
        if fault {
            self.mic_closed = true;
            self.attempts = (self.attempts + 1).min(ATTEMPTS);
            self.window = None;
            self.again = if self.attempts < ATTEMPTS { None } else { playing.told_at.checked_add(AGAIN_EVERY) };
        }
        Some(FinishedNotice { playing, fault, exhausted })
    }

    /// The device's report on a notice that was sent to its end: of a thousand packets so many were received; `None`: it sends no reports,
    /// which is no fault.
    pub(super) fn reported(&mut self, notice: NoticeId, received_permille: Option<u16>) -> Option<CoverageReport> {
        let place = self.sent.iter().position(|sent| sent.notice == notice)?;
        let sent = self.sent.remove(place);
        let is_answer = self.lost_up_to.is_none_or(|before| notice > before);
        let Some(received) = received_permille else {
            if is_answer && self.lost >= ATTEMPTS {
                // Its microphone stays closed until it has received one, and nobody knows that it has.
                self.owe_again(sent.changes);
                self.again = sent.told_at.checked_add(AGAIN_EVERY);
            }
            return Some(CoverageReport::Believed);
        };
        if received > RECEIVED_ABOVE {
            if is_answer {
                self.lost = 0;
            }
            return Some(CoverageReport::Believed);
        }
        self.owe_again(sent.changes);
        if is_answer {
            self.lost = (self.lost + 1).min(ATTEMPTS + 1);
            self.lost_up_to = self.told_last;
        }
        if self.lost < ATTEMPTS {
            return Some(CoverageReport::Lost);
        }
        if is_answer {
            self.again = sent.told_at.checked_add(AGAIN_EVERY);
        }
        Some(CoverageReport::Closed { first: is_answer && self.lost == ATTEMPTS })
    }

    /// The device leaves: what was on its way is cut off.
    pub(super) fn abandon(self) -> Option<PlayingNotice> {
        self.playing
    }

    // === Hold ===

    /// Nothing reaches the device from now on; nothing is late meanwhile.
    pub(super) fn hold(&mut self) {
        if let Some(playing) = &mut self.playing {
            playing.held = true;
        }
    }

    /// The device is back: what it missed comes before any audio (N-3).
    pub(super) fn resume(&mut self) -> Option<FinishedNotice> {
        let cut = self.finish(PlayOutcome::Interrupted);
        if !self.pending.is_empty() {
            self.shut = true;
            (self.window, self.again) = (None, None);
            self.attempts = 0;
        }
        cut
    }

    // === Time ===

    /// The next deadline. None while on hold: nothing can be played then.
    pub(super) fn deadline(&self, on_hold: bool) -> Option<(Instant, NoticeTimer)> {
        match &self.playing {
            Some(playing) if !on_hold => match playing.began {
                Some((at, length)) => at.checked_add(length + COMPLETES_WITHIN).map(|at| (at, NoticeTimer::Complete)),
                None if playing.late => playing.told_at.checked_add(GIVEN_UP_AFTER).map(|at| (at, NoticeTimer::GiveUp)),
                None => playing.told_at.checked_add(BEGINS_WITHIN).map(|at| (at, NoticeTimer::Begin)),
            },
            None if self.could_follow(on_hold) => self.not_before().map(|at| (at, NoticeTimer::Following)),
            _ => None,
        }
    }

    /// It has not begun in time: the microphone closes (N-3).
    pub(super) fn is_late(&mut self) {
        if let Some(playing) = &mut self.playing {
            playing.late = true;
            self.mic_closed = true;
        }
    }

    /// The window is over; what waits is due.
    pub(super) fn close_window(&mut self) {
        (self.window, self.again) = (None, None);
    }
}
