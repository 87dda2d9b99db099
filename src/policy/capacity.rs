//! Who is here, one by one, and whether there is room for one more (M-14).

use std::time::Instant;

use super::{Muted, ParticipantRow, Policy, PolicyRefusal, Role, Via, ViewChanges};
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;

impl Policy {
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
