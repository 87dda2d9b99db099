//! One presence: its facts, and what was announced of it.

use std::time::Instant;

use super::lobby::{PolicySettings, Wait};
use super::notices::OwedNotices;
use super::presence::Presence;
use super::timer::PolicyTimer;
use super::types::{Muted, Role, Standing, Via};
use super::view::SeenRow;
use crate::common::redact::Redacted;

/// The state of a participant that was announced last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Announced {
    pub(super) seated: bool,
    /// (hear, speak)
    pub(super) gate: (bool, bool),
    pub(super) standing: Option<Standing>,
    pub(super) shown: Option<SeenRow>,
}

/// The facts about one presence.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) role: Role,
    pub(super) via: Via,
    pub(super) organiser: bool,
    pub(super) pin: bool,
    pub(super) name: Redacted<String>,
    pub(super) presence: Presence,
    /// Admitted, by a member or by policy. Ends only with the presence (M-10).
    pub(super) inside: bool,
    pub(super) wait: Wait,
    pub(super) muted: Muted,
    /// It joined with a closed microphone, of which it is reminded when it enters.
    pub(super) remind: bool,
    pub(super) hand: bool,
    pub(super) on_hold: bool,
    pub(super) notices: OwedNotices,
    pub(super) announced: Announced,
    /// Its next deadline, as it stands in [`Policy::dues`](super::Policy).
    pub(super) due: Option<(Instant, PolicyTimer)>,
}

impl Person {
    pub(super) fn counts_as_member(&self, settings: &PolicySettings) -> bool {
        self.role == Role::Member || (self.pin && settings.pin_counts_as_member)
    }

    /// (hear, speak): the directions that are open, from the facts alone.
    pub(super) fn gate(&self) -> (bool, bool) {
        let open = self.inside && !self.on_hold;
        (open && self.notices.may_hear(), open && self.notices.may_speak() && !self.muted.is_closed())
    }

    pub(super) fn is_phone(&self) -> bool {
        self.via == Via::Phone
    }
}

/// A participant who joins.
pub(super) struct Newcomer {
    pub(super) role: Role,
    pub(super) via: Via,
    pub(super) organiser: bool,
    pub(super) name: Redacted<String>,
    pub(super) muted: Muted,
}
