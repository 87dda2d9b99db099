//! Requests of people to a meeting, and their refusals (M-7, M-12, K-4).

use std::time::Instant;

use super::capability::Capability;
use super::fact::Effect;
use super::machine::Policy;
use super::person::Person;
use super::types::{Asker, Capture, CaptureKind, Muted, PolicyRefusal, Switch, Via};
use crate::common::cause::Cause;
use crate::common::ids::ParticipantId;
use crate::common::phrase::Phrase;

impl Policy {
    /// `Ok` when `by` may do it.
    pub(super) fn allowed(&self, by: Asker, capability: Capability) -> Result<(), PolicyRefusal> {
        match by {
            Asker::Operator => Ok(()),
            Asker::Participant(who) => self.may(who, capability),
        }
    }

    pub(super) fn admit(&mut self, by: Asker, who: ParticipantId) -> Result<(), PolicyRefusal> {
        self.allowed(by, Capability::Admit)?;
        let present = self.member_present();
        let person = self.people.get(&who).ok_or(PolicyRefusal::NoSuchParticipant)?;
        if person.inside {
            return Ok(());
        }
        if by == Asker::Participant(who) {
            return Err(PolicyRefusal::NotAllowed);
        }
        if !present {
            return Err(PolicyRefusal::NoMember);
        }
        let role = person.role;
        self.has_room(role, Via::Phone)?;
        if let Some(person) = self.people.get_mut(&who) {
            person.inside = true;
        }
        Ok(())
    }

    pub(super) fn admit_all(&mut self, by: Asker) -> Result<(), PolicyRefusal> {
        self.allowed(by, Capability::Admit)?;
        let mut any = false;
        if self.member_present() {
            let room = self.room_for_externals();
            let waiting = self.people.iter_mut().filter(|(id, person)| !person.inside && by != Asker::Participant(**id));
            let mut waiting = waiting.map(|(_, person)| person).peekable();
            if room == 0 && waiting.peek().is_some() {
                return Err(PolicyRefusal::Full);
            }
            for person in waiting.take(room) {
                person.inside = true;
                any = true;
            }
        }
        if let Asker::Participant(by) = by {
            self.say(by, if any { Phrase::AllAdmitted } else { Phrase::NobodyWaiting });
        }
        Ok(())
    }

    pub(super) fn deny(&mut self, now: Instant, by: Asker, who: ParticipantId) -> Result<(), PolicyRefusal> {
        self.allowed(by, Capability::Admit)?;
        match self.people.get(&who) {
            Some(person) if !person.inside => self.depart(now, who, Some(Cause::Denied)),
            _ => return Err(PolicyRefusal::NoSuchParticipant),
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, now: Instant, by: Asker, who: ParticipantId) -> Result<(), PolicyRefusal> {
        self.allowed(by, Capability::Remove)?;
        let person = self.people.get(&who).ok_or(PolicyRefusal::NoSuchParticipant)?;
        let by_organiser = match by {
            Asker::Operator => true,
            Asker::Participant(by) => by == who || self.people.get(&by).is_some_and(|p| p.organiser),
        };
        if person.organiser && !by_organiser {
            return Err(PolicyRefusal::NotAllowed);
        }
        let cause = if person.inside { Cause::Removed } else { Cause::Denied };
        self.depart(now, who, Some(cause));
        Ok(())
    }

    pub(super) fn mute(&mut self, by: Asker, who: ParticipantId, on: bool) -> Result<(), PolicyRefusal> {
        if by == Asker::Participant(who) {
            return self.mute_self(who, Switch::To(on));
        }
        self.allowed(by, Capability::MuteOthers)?;
        let person = self.people.get_mut(&who).filter(|p| p.inside).ok_or(PolicyRefusal::NoSuchParticipant)?;
        let lifted = std::mem::replace(&mut person.muted.host, on) != on;
        let own = self.people.get(&who).is_some_and(|person| person.muted.own);
        match (on, own) {
            (false, true) => {
                self.say(who, Phrase::UnmuteAsked);
                self.effects.push_back(Effect::AskedToUnmute { by, who });
            }
            (on, _) if lifted => self.say(who, if on { Phrase::MutedByHost } else { Phrase::UnmutedByHost }),
            _ => {}
        }
        Ok(())
    }

    /// A host's mute of another presence of the same person is this one's as well.
    pub(super) fn host_mute(&mut self, who: ParticipantId, on: bool) {
        let Some(person) = self.people.get_mut(&who).filter(|person| person.muted.host != on) else { return };
        person.muted.host = on;
        // Nothing changes audibly for a microphone that its owner keeps closed.
        if person.inside && (on || !person.muted.own) {
            self.say(who, if on { Phrase::MutedByHost } else { Phrase::UnmutedByHost });
        }
    }

    /// One's own microphone may also be closed while waiting.
    pub(super) fn mute_self(&mut self, who: ParticipantId, to: Switch) -> Result<(), PolicyRefusal> {
        let Some(person) = self.people.get(&who) else { return Err(PolicyRefusal::NotInside) };
        let before = person.muted;
        let muted = match to.from(before.is_closed()) {
            true => Muted { own: true, ..before },
            // What its owner has closed as well stays closed until the host's part is lifted: nothing opens by itself later.
            false if before.host && !self.may_lift_mute(person) => return Err(PolicyRefusal::MuteLocked),
            false => Muted::default(),
        };
        if let Some(person) = self.people.get_mut(&who) {
            person.muted = muted;
            if muted.is_closed() != before.is_closed() {
                self.say(who, if muted.is_closed() { Phrase::Muted } else { Phrase::Unmuted });
            }
        }
        Ok(())
    }

    pub(super) fn hand(&mut self, who: ParticipantId, to: Switch) -> Result<(), PolicyRefusal> {
        self.may(who, Capability::RaiseHand)?;
        let person = self.people.get_mut(&who).ok_or(PolicyRefusal::NotInside)?;
        let up = to.from(person.hand);
        if person.hand != up {
            person.hand = up;
            self.say(who, if up { Phrase::HandRaised } else { Phrase::HandLowered });
        }
        Ok(())
    }

    pub(super) fn ask_capture(&mut self, by: Asker, what: CaptureKind, want: Capture) -> Result<(), PolicyRefusal> {
        self.allowed(by, Capability::Record)?;
        let is = self.capture(what);
        if !self.captured(what).configured && (is, want) != (Capture::Off, Capture::Off) {
            return Err(PolicyRefusal::NotConfigured);
        }
        // What is off cannot be interrupted; taking it for a start would record somebody who asked for a pause.
        if is == Capture::Off && want == Capture::Paused {
            return Err(PolicyRefusal::NotCaptured);
        }
        if is != want {
            self.effects.push_back(Effect::Capture { what, want });
        }
        Ok(())
    }

    pub(super) fn refuse(&mut self, by: Asker, refusal: PolicyRefusal) {
        self.effects.push_back(Effect::Refused { by, refusal });
        let Asker::Participant(who) = by else { return };
        let phrase = match refusal {
            PolicyRefusal::NotAllowed => Phrase::NotAllowed,
            PolicyRefusal::MuteLocked => Phrase::MuteLockedHandRaised,
            PolicyRefusal::NoSuchParticipant
            | PolicyRefusal::NotConfigured
            | PolicyRefusal::NotCaptured
            | PolicyRefusal::NoMember
            | PolicyRefusal::NotInside
            | PolicyRefusal::Full
            | PolicyRefusal::Ended => Phrase::NotAvailable,
        };
        // K-4: on a keypad there is no other way to ask for the microphone than the hand.
        if refusal == PolicyRefusal::MuteLocked
            && let Some(person) = self.people.get_mut(&who).filter(|p| p.is_phone() && p.inside)
        {
            person.hand = true;
        }
        self.say(who, phrase);
    }

    /// Spoken to devices; a page shows its view instead.
    pub(super) fn say(&mut self, who: ParticipantId, phrase: Phrase) {
        if self.people.get(&who).is_some_and(Person::is_phone) {
            self.effects.push_back(Effect::Say { who, phrase });
        }
    }
}
