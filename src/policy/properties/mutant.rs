//! Faults planted into the policy, to see that the properties catch them: one at least for each rule they hold.

use super::*;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Mutant {
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

/// What somebody who has left would hand down, were the policy to allow it (M-18).
#[derive(Debug)]
pub(in crate::policy) struct Legacy {
    name: Redacted<String>,
    inside: bool,
    pin: bool,
    /// The epochs of recording and transcription, where it had heard all of them.
    told: Option<[u64; 2]>,
}

impl Policy {
    pub(in crate::policy) fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether nothing follows from the facts that has not followed yet: looking only at whom an input concerned has left nobody out, and
    /// the next deadline is the next of all.
    pub(in crate::policy) fn is_settled(&mut self, now: Instant) -> bool {
        let due = self.people.iter().flat_map(|(who, person)| self.due_of(*who, person)).flatten().min();
        let found = due == self.dues.first().copied();
        self.settle(now, Touched::Everybody);
        found && self.effects.is_empty()
    }

    /// Keeps what the faults of M-18 hand down.
    pub(in crate::policy) fn bequeath(&mut self, now: Instant, person: &Person) {
        let nothing_owed = !person.notices.is_due(now, false) && person.notices.deadline(false).is_none();
        let heard_all = person.inside && person.notices.may_speak() && nothing_owed;
        let told = heard_all.then(|| self.epochs());
        self.legacies.push(Legacy { name: person.name.clone(), inside: person.inside, pin: person.pin, told });
    }

    /// Takes over, by a fault, what another of the same name had.
    pub(in crate::policy) fn inherit(&self, mut person: Person) -> Person {
        let of_it = || self.legacies.iter().filter(|legacy| legacy.name == person.name);
        let (inside, pin) = (of_it().any(|legacy| legacy.inside), of_it().any(|legacy| legacy.pin));
        person.inside |= inside && self.has(Mutant::InheritAdmission);
        person.pin |= pin && self.has(Mutant::InheritPin);
        if self.has(Mutant::ComeOpen) {
            person.muted = Muted::default();
        }
        person
    }

    fn epochs(&self) -> [u64; 2] {
        [self.recording.epoch, self.transcription.epoch]
    }

    /// By a fault, one of whose name somebody has heard all of this before is owed nothing.
    pub(in crate::policy) fn inherits_notices(&self, who: ParticipantId) -> bool {
        let epochs = Some(self.epochs());
        let known = |person: &Person| self.legacies.iter().any(|legacy| legacy.told == epochs && legacy.name == person.name);
        self.has(Mutant::InheritNotices) && self.people.get(&who).is_some_and(known)
    }
}
