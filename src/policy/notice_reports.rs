//! Reports on a notice: that it began and ended, in which packets, and how many of them the device has received (N-3, N-6, N-8).

use std::time::{Duration, Instant};

use super::fact::Effect;
use super::machine::Policy;
use super::notice_types::{AlarmKind, SentPackets};
use super::notices::{CoverageReport, FinishedNotice};
use crate::common::ids::{NoticeId, ParticipantId};
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;

impl Policy {
    /// Its first packet has left.
    pub(super) fn began(&mut self, now: Instant, notice: NoticeId, length: Duration) {
        for person in self.people.values_mut() {
            person.notices.began(now, notice, length);
        }
    }

    /// It has ended.
    pub(super) fn told(&mut self, notice: NoticeId, outcome: PlayOutcome, carried: Option<SentPackets>) {
        let found = self.people.iter_mut().find_map(|(id, p)| Some((*id, p.notices.told(notice, outcome)?)));
        if let Some((who, finished)) = found {
            let alarm = if outcome == PlayOutcome::Failed { AlarmKind::Failed } else { AlarmKind::Interrupted };
            self.notice_ended(who, finished, outcome, carried, alarm);
        }
    }

    pub(super) fn notice_ended(
        &mut self,
        who: ParticipantId,
        finished: FinishedNotice,
        outcome: PlayOutcome,
        carried: Option<SentPackets>,
        alarm: AlarmKind,
    ) {
        self.effects.push_back(Effect::Ledger(finished.playing.entry(who, outcome, carried)));
        if finished.fault {
            self.effects.push_back(Effect::Alarm { who, what: alarm });
        }
        if finished.exhausted {
            self.say(who, Phrase::MicrophoneClosed);
        }
    }

    /// The device has reported on it, or has not in time.
    pub(super) fn reported(&mut self, notice: NoticeId, received_permille: Option<u16>) {
        let found = self.people.iter_mut().find_map(|(id, p)| Some((*id, p.notices.reported(notice, received_permille)?)));
        if let Some((who, CoverageReport::Closed { first })) = found {
            self.effects.push_back(Effect::Alarm { who, what: AlarmKind::NotReceived });
            if first {
                self.say(who, Phrase::MicrophoneClosed);
            }
        }
    }
}
