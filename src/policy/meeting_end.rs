//! What ends a meeting by itself (M-10): nobody in it any more, or externals alone for too long; and who has been alone in it for a while (K-6).

use std::time::Instant;

use super::machine::{ALONE_AFTER, Alone, Policy};
use super::timer::PolicyTimer;
use super::types::Via;

impl Policy {
    /// Since when the meeting has no member, nobody or one phone alone.
    pub(super) fn settle_meeting(&mut self, now: Instant) {
        let inside = || self.people.iter().filter(|(_, p)| p.inside);
        let nobody_inside = inside().next().is_none();
        let externals_only = !nobody_inside && !self.member_present();
        let alone = match (inside().next(), inside().nth(1)) {
            (Some((who, person)), None) if person.is_phone() && !person.on_hold => Some(*who),
            _ => None,
        };
        if nobody_inside {
            self.stop_captures();
        }
        self.externals_only = externals_only.then(|| self.externals_only.unwrap_or(now));
        self.alone = match (alone, self.alone) {
            (Some(who), Some(known)) if known.who == who => Some(known),
            (Some(who), _) => Some(Alone { who, since: now, told: false }),
            (None, _) => None,
        };
        if !self.is_empty() {
            self.empty = None;
        }
    }

    /// Nobody of ours is here: people of a service are in its own meeting, which goes on without us.
    pub(super) fn is_empty(&self) -> bool {
        self.people.values().all(|person| person.via == Via::Service)
    }

    /// Deadlines that follow from it.
    pub(super) fn meeting_dues(&self) -> [Option<(Instant, PolicyTimer)>; 3] {
        let settings = &self.settings;
        [
            self.alone.filter(|a| !a.told).and_then(|a| a.since.checked_add(ALONE_AFTER)).map(|at| (at, PolicyTimer::Alone)),
            self.externals_only
                .and_then(|since| since.checked_add(settings.externals_only_timeout))
                .map(|at| (at, PolicyTimer::ExternalsOnly)),
            self.empty.and_then(|since| since.checked_add(settings.empty_timeout)).map(|at| (at, PolicyTimer::Empty)),
        ]
    }
}
