//! What people ask of a meeting, and who is refused (M-7, M-12, K-4).

use std::time::Instant;

use super::{Asker, Capability, Capture, CaptureKind, Effect, Mute, Person, Policy, Refusal, Switch};
use crate::cause::Cause;
use crate::ids::ParticipantId;
use crate::phrase::Phrase;

impl Policy {
    /// `Ok` when `by` may do it.
    pub(super) fn allowed(&self, by: Asker, capability: Capability) -> Result<(), Refusal> {
        match by {
            Asker::Operator => Ok(()),
            Asker::Participant(who) => self.may(who, capability),
        }
    }

    pub(super) fn admit(&mut self, by: Asker, who: ParticipantId) -> Result<(), Refusal> {
        self.allowed(by, Capability::Admit)?;
        let present = self.member_present();
        let person = self.people.get_mut(&who).ok_or(Refusal::NoSuchParticipant)?;
        if person.inside {
            return Ok(());
        }
        if by == Asker::Participant(who) {
            return Err(Refusal::NotAllowed);
        }
        if !present {
            return Err(Refusal::NoSuchParticipant);
        }
        person.inside = true;
        Ok(())
    }

    pub(super) fn admit_all(&mut self, by: Asker) -> Result<(), Refusal> {
        self.allowed(by, Capability::Admit)?;
        let mut any = false;
        if self.member_present() {
            for (id, person) in &mut self.people {
                if !person.inside && by != Asker::Participant(*id) {
                    person.inside = true;
                    any = true;
                }
            }
        }
        if let Asker::Participant(by) = by {
            self.say(by, if any { Phrase::AllAdmitted } else { Phrase::NobodyWaiting });
        }
        Ok(())
    }

    pub(super) fn deny(&mut self, now: Instant, by: Asker, who: ParticipantId) -> Result<(), Refusal> {
        self.allowed(by, Capability::Admit)?;
        match self.people.get(&who) {
            Some(person) if !person.inside => self.depart(now, who, Some(Cause::Denied)),
            _ => return Err(Refusal::NoSuchParticipant),
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, now: Instant, by: Asker, who: ParticipantId) -> Result<(), Refusal> {
        self.allowed(by, Capability::Remove)?;
        let person = self.people.get(&who).ok_or(Refusal::NoSuchParticipant)?;
        let by_organiser = match by {
            Asker::Operator => true,
            Asker::Participant(by) => by == who || self.people.get(&by).is_some_and(|p| p.organiser),
        };
        if person.organiser && !by_organiser {
            return Err(Refusal::NotAllowed);
        }
        let cause = if person.inside { Cause::Removed } else { Cause::Denied };
        self.depart(now, who, Some(cause));
        Ok(())
    }

    pub(super) fn mute(&mut self, by: Asker, who: ParticipantId, on: bool) -> Result<(), Refusal> {
        if by == Asker::Participant(who) {
            return self.mute_self(who, Switch::To(on));
        }
        self.allowed(by, Capability::MuteOthers)?;
        let person = self.people.get_mut(&who).filter(|p| p.inside).ok_or(Refusal::NoSuchParticipant)?;
        let mute = if on { Mute::Host } else { Mute::Open };
        if person.mute != mute {
            person.mute = mute;
            self.say(who, if on { Phrase::MutedByHost } else { Phrase::UnmutedByHost });
        }
        Ok(())
    }

    /// One's own microphone may also be closed while waiting.
    pub(super) fn mute_self(&mut self, who: ParticipantId, to: Switch) -> Result<(), Refusal> {
        let Some(person) = self.people.get(&who) else { return Err(Refusal::NotInside) };
        let mute = match (person.mute, to.from(person.mute != Mute::Open)) {
            (Mute::Host, false) if !self.may_lift_mute(person) => return Err(Refusal::MuteLocked),
            (Mute::Open, true) => Mute::Own,
            (_, false) => Mute::Open,
            (closed, true) => closed,
        };
        if let Some(person) = self.people.get_mut(&who).filter(|p| p.mute != mute) {
            person.mute = mute;
            self.say(who, if mute == Mute::Open { Phrase::Unmuted } else { Phrase::Muted });
        }
        Ok(())
    }

    pub(super) fn hand(&mut self, who: ParticipantId, to: Switch) -> Result<(), Refusal> {
        self.may(who, Capability::RaiseHand)?;
        let person = self.people.get_mut(&who).ok_or(Refusal::NotInside)?;
        let up = to.from(person.hand);
        if person.hand != up {
            person.hand = up;
            self.say(who, if up { Phrase::HandRaised } else { Phrase::HandLowered });
        }
        Ok(())
    }

    pub(super) fn ask_capture(&mut self, by: Asker, what: CaptureKind, want: Capture) -> Result<(), Refusal> {
        self.allowed(by, Capability::Record)?;
        if what == CaptureKind::Transcription && want != Capture::Off && !self.transcriber {
            return Err(Refusal::NotConfigured);
        }
        let is = self.capture(what);
        // What is off cannot be interrupted; taking it for a start would record somebody who asked for a pause.
        let pointless = is == want || (is == Capture::Off && want == Capture::Paused);
        if !pointless {
            self.effects.push_back(Effect::Capture { what, want });
        }
        Ok(())
    }

    pub(super) fn refuse(&mut self, by: Asker, refusal: Refusal) {
        self.effects.push_back(Effect::Refused { by, refusal });
        let Asker::Participant(who) = by else { return };
        let phrase = match refusal {
            Refusal::NotAllowed => Phrase::NotAllowed,
            Refusal::MuteLocked => Phrase::MuteLockedHandRaised,
            Refusal::NoSuchParticipant | Refusal::NotConfigured | Refusal::NotInside | Refusal::Ended => Phrase::NotAvailable,
        };
        // K-4: on a keypad there is no other way to ask for the microphone than the hand.
        if refusal == Refusal::MuteLocked
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
