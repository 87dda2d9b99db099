//! Whose microphone stays closed beyond this presence (K-4): what is kept of whom, and how the devices were muted that have just left.

use std::collections::VecDeque;

use super::participants::ParticipantTable;
use crate::common::ids::{MeetingName, ParticipantId};
use crate::meeting::mutes::{MuteRegistry, RunEnd};
use crate::policy::{Muted, Policy, Role};
use crate::store::MuteChange;

/// Devices whose calls have ended are remembered for those that take their places; of more than that, the newest.
const DEPARTED: usize = 64;

/// Under what the host's part is kept with the seat of a page: it comes back to it whatever key its browser shows, or none.
pub(super) fn seat_key(who: ParticipantId) -> String {
    format!("seat/{who}")
}

/// What is kept for one run of one meeting. Times are milliseconds since 1970.
pub(super) struct KeptMutes {
    registry: MuteRegistry,
    meeting: MeetingName,
    /// When this run of the meeting began.
    run: u64,
    departed: VecDeque<(ParticipantId, Muted)>,
}

impl KeptMutes {
    pub(super) fn new(registry: MuteRegistry, meeting: MeetingName, now: u64) -> Self {
        let run = registry.run(&meeting, now);
        Self { registry, meeting, run, departed: VecDeque::new() }
    }

    /// How the microphone was closed of whoever comes with this identity.
    pub(super) fn of(&self, identity: &str, now: u64) -> Muted {
        self.registry.of(&self.meeting, identity, now)
    }

    /// How the microphone is closed of the device whose place another one takes (M-18): that is no reason for it to open.
    pub(super) fn of_predecessor(&self, policy: &Policy, predecessor: ParticipantId) -> Muted {
        let departed = || self.departed.iter().rev().find(|(who, _)| *who == predecessor).map(|(_, muted)| *muted);
        policy.muted(predecessor).or_else(departed).unwrap_or_default()
    }

    /// Somebody's row has changed: what of its microphone is to be kept. A page brings its owner's part along by itself; a host's part is
    /// only added to here, since other rows may be of the same person.
    #[must_use]
    pub(super) fn row_changed(
        &self,
        policy: &Policy,
        people: &ParticipantTable,
        who: ParticipantId,
        now: u64,
    ) -> Vec<MuteChange> {
        let Some(muted) = policy.muted(who) else { return Vec::new() };
        let mut changes = Vec::new();
        if people.pages.get(&who).is_some_and(|page| page.role == Role::External) {
            changes.extend(self.set(&seat_key(who), Muted { own: false, ..muted }, now));
        }
        if let Some(identity) = people.identity_of(who) {
            let kept = Muted { own: own_mute_of_device(policy, people, &identity, None), ..self.of(&identity, now) };
            changes.extend(self.set(&identity, kept.and(Muted { own: false, ..muted }), now));
        }
        changes
    }

    /// A host has muted this identity, or the mute was lifted; a call of it that is still muted keeps it so.
    #[must_use]
    pub(super) fn muted_by_host(
        &self,
        policy: &Policy,
        people: &ParticipantTable,
        identity: &str,
        on: bool,
        now: u64,
    ) -> Option<MuteChange> {
        let host = on || people.calls_of(identity).any(|who| policy.muted(who).is_some_and(|muted| muted.host));
        self.set(identity, Muted { host, ..self.of(identity, now) }, now)
    }

    /// A seat is given up: nobody comes back to it.
    #[must_use]
    pub(super) fn seat_given_up(&self, who: ParticipantId, now: u64) -> Option<MuteChange> {
        self.set(&seat_key(who), Muted::default(), now)
    }

    /// A device's call is over. Who hangs up opens what they have closed themselves; who is `lost` does not.
    #[must_use]
    pub(super) fn departed(
        &mut self,
        policy: &Policy,
        people: &ParticipantTable,
        who: ParticipantId,
        lost: bool,
        now: u64,
    ) -> Option<MuteChange> {
        let (guest, muted) = (people.guests.get(&who)?, policy.muted(who)?);
        self.departed.push_back((who, muted));
        if self.departed.len() > DEPARTED {
            self.departed.pop_front();
        }
        if lost {
            return None;
        }
        let own = own_mute_of_device(policy, people, &guest.identity, Some(who));
        let kept = Muted { own, ..self.of(&guest.identity, now) };
        self.set(&guest.identity, kept.and(Muted { own: false, ..muted }), now)
    }

    /// The run of the meeting is over.
    #[must_use]
    pub(super) fn over(&self, ending: RunEnd, now: u64) -> Option<MuteChange> {
        self.registry.over(&self.meeting, ending, now)
    }

    fn set(&self, identity: &str, muted: Muted, now: u64) -> Option<MuteChange> {
        self.registry.set((&self.meeting, self.run), identity, muted, now)
    }
}

/// Whether a call of this device, other than `but`, has closed its microphone itself.
fn own_mute_of_device(policy: &Policy, people: &ParticipantTable, identity: &str, but: Option<ParticipantId>) -> bool {
    people.calls_of(identity).filter(|who| Some(*who) != but).any(|who| policy.muted(who).is_some_and(|muted| muted.own))
}
