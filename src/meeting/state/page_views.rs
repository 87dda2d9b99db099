//! What pages are shown: the newest state, at most so often ([`SHOWN_EVERY`]), to those who see something that has changed (M-8, M-14).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::participants::ParticipantTable;
use crate::common::ids::ParticipantId;
use crate::meeting::roster::{self, MeetingFacts, ParticipantOrigins, RosterRows, RosterView, RowContext, SmsReaders};
use crate::policy::{Capability, Capture, CaptureKind, Policy, Standing};

/// Changes that come within this are shown together.
const SHOWN_EVERY: Duration = Duration::from_millis(150);

/// What pages were shown last, and whom something has changed for since.
#[derive(Default)]
pub(super) struct PageViews {
    rows: RosterRows,
    /// Whose own view has changed.
    own: BTreeSet<ParticipantId>,
    /// Recording, transcription, and whether the chat is on.
    shared: Option<([Capture; 2], bool)>,
    shown_at: Option<Instant>,
    due: Option<Instant>,
}

impl PageViews {
    /// When pages are shown what has changed.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes somebody's row anew.
    pub(super) fn row_changed(&mut self, policy: &Policy, people: &ParticipantTable, who: ParticipantId, now: Instant) {
        let row = policy.row_of(who, now);
        self.rows.take(who, row.as_ref(), people.row_context(), now);
    }

    /// These see themselves differently.
    pub(super) fn own_changed(&mut self, own: BTreeSet<ParticipantId>) {
        self.own.extend(own);
    }

    /// Something has changed: it is shown at once, or with whatever else comes until it is time again.
    pub(super) fn schedule(&mut self, now: Instant) {
        let due = self.shown_at.and_then(|at| at.checked_add(SHOWN_EVERY)).map_or(now, |due| due.max(now));
        self.due = Some(due);
    }

    /// Shows what is due; whether anything about those inside was among it.
    pub(super) fn show_due(&mut self, policy: &Policy, people: &ParticipantTable, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        (self.shown_at, self.due) = (Some(now), None);
        let (inside, waiting) = self.rows.settle();
        let shared = Some((captures(policy), policy.has_chat()));
        let all = std::mem::replace(&mut self.shared, shared) != shared;
        let own = std::mem::take(&mut self.own);
        let sees = |who: &ParticipantId| {
            let is_inside = || policy.standing(*who) == Some(Standing::In);
            let hosts = || policy.may(*who, Capability::Admit).is_ok();
            all || own.contains(who) || (inside && is_inside()) || (waiting && is_inside() && hosts())
        };
        for who in people.pages.keys().filter(|who| sees(who)) {
            self.show(policy, people, *who, now);
        }
        inside
    }

    /// Gives a page the newest state, as far as it may see it (M-8).
    pub(super) fn show(&self, policy: &Policy, people: &ParticipantTable, who: ParticipantId, now: Instant) {
        if let (Some(page), Some(view)) = (people.pages.get(&who), self.view(policy, who, now)) {
            page.feed.show(view);
        }
    }

    fn view(&self, policy: &Policy, who: ParticipantId, now: Instant) -> Option<RosterView> {
        let standing = policy.standing(who)?;
        let may = |capability| policy.may(who, capability).is_ok();
        let (may_admit, may_record, may_end) = (may(Capability::Admit), may(Capability::Record), may(Capability::End));
        let may_call_rooms = may(Capability::CallRooms);
        if standing != Standing::In {
            // One row, its own, and nothing of the meeting.
            let (joins, origins) = (SmsReaders::new(), ParticipantOrigins::new());
            let of_oneself = RowContext { joins: &joins, origins: &origins };
            let own = policy.own_row(who, now).map(|row| Arc::new(roster::shown(&row, of_oneself, now)));
            let nobody = RosterView::nobody(who);
            let facts = MeetingFacts { standing, may_admit, may_record, may_end, may_call_rooms, ..nobody.facts };
            return Some(RosterView { own, facts, ..nobody });
        }
        let ([recording, transcription], chat) = (captures(policy), policy.has_chat());
        let facts = MeetingFacts { standing, recording, transcription, may_admit, may_record, may_end, may_call_rooms, chat };
        let lists = self.rows.lists();
        let (inside, waiting) = match may_admit {
            true => (&lists.inside_for_hosts, Arc::clone(&lists.waiting)),
            false => (&lists.inside_for_guests, Arc::default()),
        };
        Some(RosterView { you: who, facts, own: None, inside: Arc::clone(inside), waiting })
    }
}

/// Recording and transcription.
pub(super) fn captures(policy: &Policy) -> [Capture; 2] {
    [CaptureKind::Recording, CaptureKind::Transcription].map(|kind| policy.capture(kind))
}
