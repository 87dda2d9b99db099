//! Faults planted between the policy and the watcher, to see that the properties catch them: one at least for each rule they hold. A
//! faulty policy is a right one that is told something else than what happened, or whose effects come out as something else.

use super::*;
use crate::common::play_outcome::PlayOutcome;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// M-5: the lobby opens although no member is present.
    AdmitWithoutMember,
    /// M-8: the gate follows the mute alone.
    SpeakWithoutSeat,
    /// M-8: who waits is shown the meeting.
    ShowTheMeeting,
    /// N-2: who enters hears at once.
    HearWithoutNotice,
    /// N-4: of several changes in one notice the start is left out.
    SwallowStart,
    /// N-6: a notice that was not heard closes no microphone.
    SpeakAfterFailure,
    /// N-6: a notice that was not heard raises no alarm.
    FailInSilence,
    /// N-6: nobody looks at the clock while a notice ought to begin.
    WaitForEver,
    /// N-8: what the device reports is not looked at.
    IgnoreReports,
    /// N-8: who sends no reports is taken for one that has received nothing.
    BlameTheUnreported,
    /// K-4: a host opens what its owner has closed.
    OpenForTheOwner,
    /// K-4: a device lifts what a host has closed.
    LiftTheHosts,
    /// K-4: who comes with a closed microphone has an open one.
    ComeOpen,
    /// M-18: who comes back is inside as before.
    InheritAdmission,
    /// M-18: who comes back has the organiser's PIN as before.
    InheritPin,
    /// M-18: who comes back is told no more than it was told before.
    InheritNotices,
}

/// Each fault, and the rule by whose name it must be caught.
pub(super) const ALL: [(Mutant, &str); 16] = [
    (Mutant::AdmitWithoutMember, "M-5"),
    (Mutant::SpeakWithoutSeat, "M-8"),
    (Mutant::ShowTheMeeting, "M-8"),
    (Mutant::HearWithoutNotice, "N-2"),
    (Mutant::SwallowStart, "N-4"),
    (Mutant::SpeakAfterFailure, "N-6"),
    (Mutant::FailInSilence, "N-6"),
    (Mutant::WaitForEver, "N-6"),
    (Mutant::IgnoreReports, "N-8"),
    (Mutant::BlameTheUnreported, "N-8"),
    (Mutant::OpenForTheOwner, "K-4"),
    (Mutant::LiftTheHosts, "K-4"),
    (Mutant::ComeOpen, "K-4"),
    (Mutant::InheritAdmission, "M-18"),
    (Mutant::InheritPin, "M-18"),
    (Mutant::InheritNotices, "M-18"),
];

/// A member that is always present, and of whom only a faulty policy knows.
const GHOST: u64 = 1_000_000;

/// The policy under test, with at most one fault around it.
pub(super) struct Subject {
    policy: Policy,
    mutant: Option<Mutant>,
    /// Effects that the fault has put in, or has let through.
    effects: VecDeque<Effect>,
    seated: BTreeSet<ParticipantId>,
    /// The gates as they came out.
    gates: BTreeMap<ParticipantId, (bool, bool)>,
    /// Of each of the cast: it was seated once, it gave the PIN once.
    was_inside: BTreeSet<u64>,
    had_pin: BTreeSet<u64>,
    /// Changes of which each presence was told to the end.
    heard: BTreeSet<(ParticipantId, CaptureKind, u64)>,
    /// Notices that play, with what they tell.
    playing: BTreeMap<NoticeId, (ParticipantId, Vec<CaptureChange>)>,
    /// Notices that a fault has kept from their device.
    untold: BTreeSet<NoticeId>,
    now: Instant,
}

impl Subject {
    pub(super) fn new(settings: PolicySettings, mutant: Option<Mutant>, now: Instant) -> Self {
        let mut subject = Self {
            policy: Policy::new(PolicySettings::default()),
            mutant,
            effects: VecDeque::new(),
            seated: BTreeSet::new(),
            gates: BTreeMap::new(),
            was_inside: BTreeSet::new(),
            had_pin: BTreeSet::new(),
            heard: BTreeSet::new(),
            playing: BTreeMap::new(),
            untold: BTreeSet::new(),
            now,
        };
        subject.policy = Policy::new(subject.settings(settings));
        if subject.has(Mutant::AdmitWithoutMember) {
            let (who, name) = (ParticipantId::from_number(GHOST), "ghost".to_owned().into());
            let (role, via, muted) = (Role::Member, Via::Browser, Muted::default());
            subject.policy.handle(now, Fact::Joined { who, role, via, organiser: false, name, muted });
        }
        subject
    }

    fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn settings(&self, settings: PolicySettings) -> PolicySettings {
        let unmute_after_host_mute = settings.unmute_after_host_mute || self.has(Mutant::LiftTheHosts);
        PolicySettings { unmute_after_host_mute, ..settings }
    }

    // === The policy, as the watcher knows it ===

    pub(super) fn handle(&mut self, now: Instant, fact: Fact) {
        self.now = now;
        let before = self.before(&fact);
        let after = self.after(&fact);
        self.policy.handle(now, before);
        after.into_iter().for_each(|fact| self.policy.handle(now, fact));
        self.collect();
    }

    pub(super) fn wake(&mut self, now: Instant) {
        self.now = now;
        self.policy.wake(now);
        self.collect();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.policy.deadline()
    }

    pub(super) fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn may(&self, who: ParticipantId, what: Capability) -> bool {
        self.policy.may(who, what).is_ok()
    }

    pub(super) fn snapshot(&self, who: ParticipantId, now: Instant) -> Option<DeviceView> {
        let view = self.policy.snapshot(who, now)?;
        let of_member = || self.seated.iter().find_map(|seated| self.policy.snapshot(*seated, now));
        if self.has(Mutant::ShowTheMeeting) && !self.seated.contains(&who) { of_member().or(Some(view)) } else { Some(view) }
    }

    /// Without a fault, nothing follows from the facts that has not followed yet.
    pub(super) fn is_settled(&mut self, now: Instant) -> bool {
        self.mutant.is_some() || self.policy.is_settled(now)
    }

    // === What a fault makes of facts ===

    /// What the policy is told instead of a fact.
    fn before(&mut self, fact: &Fact) -> Fact {
        match fact.clone() {
            Fact::Joined { who, role, via, organiser, name, muted } => {
                let muted = if self.has(Mutant::ComeOpen) { Muted::default() } else { muted };
                Fact::Joined { who, role, via, organiser, name, muted }
            }
            Fact::Settings(settings) => Fact::Settings(self.settings(settings)),
            Fact::Reported { notice, received_permille } => {
                let received_permille = match received_permille {
                    None if self.has(Mutant::BlameTheUnreported) => Some(0),
                    Some(_) if self.has(Mutant::IgnoreReports) => None,
                    as_it_is => as_it_is,
                };
                Fact::Reported { notice, received_permille }
            }
            Fact::Told { notice, outcome, carried } => {
                if outcome == PlayOutcome::Completed
                    && let Some((who, changes)) = self.playing.remove(&notice)
                {
                    self.heard.extend(changes.iter().map(|change| (who, change.what, change.epoch)));
                }
                Fact::Told { notice, outcome, carried }
            }
            other => other,
        }
    }

    /// What the policy is told behind a fact.
    fn after(&mut self, fact: &Fact) -> Vec<Fact> {
        match fact {
            Fact::Joined { who, muted, .. } => {
                let slot = slot_of(*who);
                if self.has(Mutant::SpeakWithoutSeat) && !muted.is_closed() && !self.seated.contains(who) {
                    self.gate(*who, (false, true));
                }
                let inside = self.has(Mutant::InheritAdmission) && self.was_inside.contains(&slot);
                let pin = self.has(Mutant::InheritPin) && self.had_pin.contains(&slot);
                let admit = inside.then_some(Fact::Admit { by: Asker::Operator, who: *who });
                admit.into_iter().chain(pin.then_some(Fact::OrganiserPin { who: *who })).collect()
            }
            Fact::OrganiserPin { who } => {
                self.had_pin.insert(slot_of(*who));
                Vec::new()
            }
            Fact::Mute { who, on: false, .. } if self.has(Mutant::OpenForTheOwner) => {
                vec![Fact::MuteSelf { who: *who, to: Switch::To(false) }]
            }
            _ => Vec::new(),
        }
    }

    // === What a fault makes of effects ===

    fn collect(&mut self) {
        while let Some(effect) = self.policy.poll() {
            if let Some(effect) = self.distorted(effect) {
                self.effects.push_back(effect);
            }
        }
    }

    fn distorted(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::Seat { who, .. } | Effect::Gate { who, .. } | Effect::Say { who, .. } if who.number() == GHOST => None,
            Effect::Seat { who, admission } => {
                self.seated.insert(who);
                self.was_inside.insert(slot_of(who));
                self.effects.push_back(Effect::Seat { who, admission });
                if self.has(Mutant::HearWithoutNotice) {
                    self.gate(who, (true, false));
                }
                None
            }
            Effect::Unseat { who } => {
                self.seated.remove(&who);
                self.gate(who, (false, false));
                Some(Effect::Unseat { who })
            }
            Effect::Gate { who, hear, speak } => {
                // Whatever lets it hear lets it speak.
                let is_open = self.policy.people.get(&who).is_some_and(|person| !person.muted.is_closed());
                self.gate(who, (hear, speak || (self.has(Mutant::SpeakAfterFailure) && hear && is_open)));
                None
            }
            Effect::Tell { who, notice, phrases, changes } => self.told(who, notice, phrases, changes),
            Effect::Ledger(entry) if self.untold.contains(&entry.notice) => None,
            Effect::Alarm { what: AlarmKind::Late, .. } if self.has(Mutant::WaitForEver) => None,
            Effect::Alarm { what: AlarmKind::Failed | AlarmKind::Unfinished, .. } if self.has(Mutant::FailInSilence) => None,
            other => Some(other),
        }
    }

    /// A gate comes out where it is another one than before.
    fn gate(&mut self, who: ParticipantId, (hear, speak): (bool, bool)) {
        if self.gates.insert(who, (hear, speak)).unwrap_or_default() != (hear, speak) {
            self.effects.push_back(Effect::Gate { who, hear, speak });
        }
    }

    fn told(
        &mut self,
        who: ParticipantId,
        notice: NoticeId,
        mut phrases: Vec<Phrase>,
        changes: Vec<CaptureChange>,
    ) -> Option<Effect> {
        let before = |(earlier, what, epoch): &(ParticipantId, CaptureKind, u64), change: &CaptureChange| {
            *earlier != who && slot_of(*earlier) == slot_of(who) && (*what, *epoch) == (change.what, change.epoch)
        };
        let known = changes.iter().all(|change| self.heard.iter().any(|heard| before(heard, change)));
        if self.has(Mutant::InheritNotices) && known {
            self.untold.insert(notice);
            self.policy.handle(self.now, Fact::Told { notice, outcome: PlayOutcome::Completed, carried: None });
            return None;
        }
        if self.has(Mutant::SwallowStart) && phrases.len() > 1 {
            phrases.retain(|phrase| *phrase != Phrase::RecordingStarted);
        }
        self.playing.insert(notice, (who, changes.clone()));
        Some(Effect::Tell { who, notice, phrases, changes })
    }
}

impl Policy {
    /// Whether nothing follows from the facts that has not followed yet: looking only at whom an input concerned has left nobody out, and
    /// the next deadline is the next of all.
    fn is_settled(&mut self, now: Instant) -> bool {
        let due = self.people.iter().flat_map(|(who, person)| self.due_of(*who, person)).flatten().min();
        let found = due == self.dues.first().copied();
        self.settle(now, Touched::Everybody);
        found && self.effects.is_empty()
    }
}
