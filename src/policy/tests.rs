//! The rules of a meeting, one by one.
#![allow(clippy::disallowed_methods, reason = "an instant to count from")]

use std::time::{Duration, Instant};

use super::*;
use crate::common::cause::Cause;
use crate::common::ids::{NoticeId, ParticipantId};
use crate::common::machine::Machine as _;
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;

mod crowd;
mod deadlines;
mod lobby;
mod microphones;
mod notices;
mod permissions;
mod phones;
mod presence;
mod reports;

/// Some instant; tests only ever add to it.
pub(super) fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

const MEMBER: ParticipantId = ParticipantId::from_number(1);
const OTHER: ParticipantId = ParticipantId::from_number(2);
const PHONE: ParticipantId = ParticipantId::from_number(3);
const GUEST: ParticipantId = ParticipantId::from_number(4);
const REC: CaptureKind = CaptureKind::Recording;
const CARRIED: SentPackets = SentPackets { ssrc: 7, first: 10, last: 90 };

struct World {
    policy: Policy,
    now: Instant,
}

fn world(settings: PolicySettings) -> World {
    World { policy: Policy::new(settings), now: start() }
}

/// A member and an admitted phone, all said and done.
fn meeting() -> World {
    let mut world = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    world.join(MEMBER);
    world.join(PHONE);
    world
}

fn joined(who: ParticipantId, muted: Muted) -> Fact {
    let role = if who == MEMBER || who == OTHER { Role::Member } else { Role::External };
    let via = if who == PHONE { Via::Phone } else { Via::Browser };
    Fact::Joined { who, role, via, organiser: who == MEMBER, name: "Somebody".to_owned().into(), muted }
}

impl World {
    fn drain(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.policy.poll()).filter(|e| *e != Effect::Changed).collect()
    }

    fn fact(&mut self, fact: Fact) -> Vec<Effect> {
        self.policy.handle(self.now, fact);
        self.drain()
    }

    fn join(&mut self, who: ParticipantId) -> Vec<Effect> {
        self.fact(joined(who, Muted::default()))
    }

    fn after(&mut self, millis: u64) -> Vec<Effect> {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.policy.deadline().filter(|at| *at <= end) {
            self.policy.wake(at);
        }
        self.now = end;
        self.drain()
    }

    fn capture(&mut self, what: CaptureKind, state: Capture) -> Vec<Effect> {
        self.fact(Fact::CaptureIs { what, state })
    }

    fn told(&mut self, notice: u64, outcome: PlayOutcome) -> Vec<Effect> {
        let notice = NoticeId::from_number(notice);
        self.fact(Fact::Told { notice, outcome, carried: Some(CARRIED) })
    }

    /// Told to its end, and reported on.
    fn reported(&mut self, notice: u64, received_permille: Option<u16>) -> Vec<Effect> {
        self.began(notice);
        self.told(notice, PlayOutcome::Completed);
        self.fact(Fact::Reported { notice: NoticeId::from_number(notice), received_permille })
    }

    fn began(&mut self, notice: u64) -> Vec<Effect> {
        self.fact(Fact::NoticeBegan { notice: NoticeId::from_number(notice), length: Duration::from_secs(1) })
    }

    fn view(&self, who: ParticipantId) -> DeviceView {
        self.policy.snapshot(who, self.now).expect("is here")
    }
}

fn said(effects: &[Effect]) -> Vec<Phrase> {
    effects.iter().filter_map(|e| if let Effect::Say { phrase, .. } = e { Some(*phrase) } else { None }).collect()
}

fn told(effects: &[Effect]) -> Vec<Vec<Phrase>> {
    effects.iter().filter_map(|e| if let Effect::Tell { phrases, .. } = e { Some(phrases.clone()) } else { None }).collect()
}

fn gates(effects: &[Effect], of: ParticipantId) -> Vec<(bool, bool)> {
    let gate =
        |e: &Effect| if let Effect::Gate { who, hear, speak } = e { (*who == of).then_some((*hear, *speak)) } else { None };
    effects.iter().filter_map(gate).collect()
}

fn seats(effects: &[Effect]) -> Vec<ParticipantId> {
    effects
        .iter()
        .filter_map(|e| if let Effect::Seat { admission, .. } = e { Some(admission.participant()) } else { None })
        .collect()
}

fn refusals(effects: &[Effect]) -> Vec<PolicyRefusal> {
    effects.iter().filter_map(|e| if let Effect::Refused { refusal, .. } = e { Some(*refusal) } else { None }).collect()
}

fn dismissals(effects: &[Effect]) -> Vec<(ParticipantId, Cause)> {
    effects.iter().filter_map(|e| if let Effect::Dismiss { who, cause } = e { Some((*who, *cause)) } else { None }).collect()
}

fn alarms(effects: &[Effect]) -> Vec<AlarmKind> {
    effects.iter().filter_map(|e| if let Effect::Alarm { what, .. } = e { Some(*what) } else { None }).collect()
}
