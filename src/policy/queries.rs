//! Questions to the policy: views, permissions and capacity. None of them changes a fact.

use std::time::Instant;

use super::capability::{self, Capability, Standpoint};
use super::machine::{Captured, Policy};
use super::person::Person;
use super::types::{Capture, CaptureKind, Muted, PolicyRefusal, Role, Standing, Via};
use super::view::{DeviceView, ParticipantRow, SeenRow, ViewChanges};
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;

impl Policy {
    /// What `viewer` may see at `now` (M-8); `None` for somebody who is not here.
    #[must_use]
    pub fn snapshot(&self, viewer: ParticipantId, now: Instant) -> Option<DeviceView> {
        let me = self.people.get(&viewer)?;
        let inside = me.inside;
        let may_admit = self.may(viewer, Capability::Admit).is_ok();
        let visible = |id: ParticipantId, person: &Person| id == viewer || (inside && (person.inside || may_admit));
        let row = |id: ParticipantId, p: &Person| {
            let shown = if id == viewer { self.shown(p) } else { self.shown(p).to_others() };
            Self::row(id, p, shown, now)
        };
        let participants = self.people.iter().filter(|(id, p)| visible(**id, p)).map(|(id, p)| row(*id, p)).collect();
        let capture = |captured: Captured| if inside { captured.state } else { Capture::Off };
        Some(DeviceView {
            you: viewer,
            standing: self.standing_of(me),
            participants,
            recording: capture(self.recording),
            transcription: capture(self.transcription),
            may_admit,
            may_record: self.may(viewer, Capability::Record).is_ok(),
            may_end: self.may(viewer, Capability::End).is_ok(),
            may_call_rooms: self.may(viewer, Capability::CallRooms).is_ok(),
        })
    }

    /// All participants, inside or waiting: for the operator alone.
    #[must_use]
    pub fn rows(&self, now: Instant) -> Vec<ParticipantRow> {
        self.people.iter().map(|(id, person)| Self::row(*id, person, self.shown(person).to_others(), now)).collect()
    }

    /// Where somebody stands; `None` for one who is not here.
    #[must_use]
    pub fn standing(&self, who: ParticipantId) -> Option<Standing> {
        self.people.get(&who).map(|person| self.standing_of(person))
    }

    /// The real state of a capture.
    #[must_use]
    pub const fn capture(&self, what: CaptureKind) -> Capture {
        self.captured(what).state
    }

    pub(super) const fn captured(&self, what: CaptureKind) -> Captured {
        match what {
            CaptureKind::Recording => self.recording,
            CaptureKind::Transcription => self.transcription,
        }
    }

    /// The meeting is over.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether somebody may do something now (M-13).
    ///
    /// # Errors
    /// The reason why not.
    pub fn may(&self, who: ParticipantId, capability: Capability) -> Result<(), PolicyRefusal> {
        if self.ended {
            return Err(PolicyRefusal::Ended);
        }
        let person = self.people.get(&who).ok_or(PolicyRefusal::NotInside)?;
        let (hear, speak) = person.gate();
        let standpoint = Standpoint {
            role: person.role,
            standing: self.standing_of(person),
            pin: person.pin,
            organiser: person.organiser,
            call_rooms: self.settings.call_rooms,
        };
        capability::grant(standpoint, capability)?;
        match capability {
            Capability::Speak if person.muted.host && !self.may_lift_mute(person) => Err(PolicyRefusal::MuteLocked),
            Capability::Record if !self.recording.configured && !self.transcription.configured => {
                Err(PolicyRefusal::NotConfigured)
            }
            Capability::Hear if !hear => Err(PolicyRefusal::NotAllowed),
            Capability::Speak if !speak => Err(PolicyRefusal::NotAllowed),
            _ => Ok(()),
        }
    }

    pub(super) fn row(id: ParticipantId, person: &Person, shown: SeenRow, now: Instant) -> ParticipantRow {
        ParticipantRow {
            id,
            name: person.name.clone(),
            role: shown.role,
            via: person.via,
            standing: shown.standing,
            organiser: shown.organiser,
            muted: shown.muted,
            hand: shown.hand,
            on_hold: shown.on_hold,
            reconnecting: shown.reconnecting,
            waiting: (!person.inside).then(|| now.saturating_duration_since(person.wait.since)),
        }
    }

    pub(super) fn shown(&self, person: &Person) -> SeenRow {
        SeenRow {
            role: person.role,
            standing: self.standing_of(person),
            organiser: person.organiser || person.pin,
            muted: person.muted,
            hand: person.hand,
            on_hold: person.on_hold,
            reconnecting: !person.presence.is_alive(),
        }
    }

    pub(super) fn standing_of(&self, person: &Person) -> Standing {
        if person.inside {
            Standing::In
        } else if self.present {
            Standing::Lobby
        } else {
            Standing::Waiting
        }
    }

    /// At least one member is present (M-5).
    pub(super) fn member_present(&self) -> bool {
        self.people.values().any(|p| p.counts_as_member(&self.settings) && p.presence.is_present())
    }

    pub(super) fn may_lift_mute(&self, person: &Person) -> bool {
        person.role == Role::Member || self.settings.unmute_after_host_mute
    }

    // === Capacity (M-14) ===

    /// One of them, as others see it; `None` for one who is not here.
    #[must_use]
    pub fn row_of(&self, who: ParticipantId, now: Instant) -> Option<ParticipantRow> {
        self.people.get(&who).map(|person| Self::row(who, person, self.shown(person).to_others(), now))
    }

    /// One of them, as it sees itself; `None` for one who is not here.
    #[must_use]
    pub fn own_row(&self, who: ParticipantId, now: Instant) -> Option<ParticipantRow> {
        self.people.get(&who).map(|person| Self::row(who, person, self.shown(person), now))
    }

    /// Whose rows have changed since this was asked last. Belongs to [`Effect::Changed`].
    pub fn changes(&mut self) -> ViewChanges {
        std::mem::take(&mut self.changes)
    }

    /// Whether there is room for one more (M-14): inside, for one who would enter at once or be waited for in vain.
    ///
    /// # Errors
    /// [`PolicyRefusal::Full`].
    pub fn has_room(&self, role: Role, via: Via) -> Result<(), PolicyRefusal> {
        let limits = &self.settings.limits;
        let inside = self.people.values().filter(|person| person.inside);
        let externals = inside.clone().filter(|person| person.role == Role::External).count();
        let waiting = || self.people.values().filter(|person| !person.inside && !person.is_phone()).count();
        let full = inside.count() >= limits.participants
            || (role == Role::External && externals >= limits.externals)
            // Devices are bounded by the limits on calls: no crowd of browsers keeps one out.
            || (role == Role::External && via == Via::Browser && waiting() >= limits.participants);
        if full { Err(PolicyRefusal::Full) } else { Ok(()) }
    }

    /// The chat is on: there are not too many inside for it (M-14).
    #[must_use]
    pub fn has_chat(&self) -> bool {
        self.people.values().filter(|person| person.inside).count() <= self.settings.limits.in_chat
    }

    /// How somebody's microphone is closed; `None` for one who is not here.
    #[must_use]
    pub fn muted(&self, who: ParticipantId) -> Option<Muted> {
        self.people.get(&who).map(|person| person.muted)
    }

    /// Who is here, under which name.
    pub fn names(&self) -> impl Iterator<Item = (ParticipantId, &Redacted<String>, Role)> {
        self.people.iter().map(|(who, person)| (*who, &person.name, person.role))
    }

    /// How many more externals the meeting takes (M-14).
    pub(super) fn room_for_externals(&self) -> usize {
        let limits = &self.settings.limits;
        let inside = self.people.values().filter(|person| person.inside);
        let externals = inside.clone().filter(|person| person.role == Role::External).count();
        limits.participants.saturating_sub(inside.count()).min(limits.externals.saturating_sub(externals))
    }
}
