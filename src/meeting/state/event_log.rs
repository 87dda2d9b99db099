//! Events of a meeting (M-17): what has changed since they were raised last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::participants::ParticipantTable;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::policy::{Capture, CaptureKind, ParticipantRow, Policy, Standing};
use crate::telemetry::events::{Draft, EventKind};

/// What was last raised of one row.
#[derive(Debug, Clone, Copy)]
struct RaisedRow {
    standing: Standing,
    muted: bool,
    hand: bool,
    call: Option<CallId>,
}

/// What was last raised.
#[derive(Debug)]
pub(super) struct EventLog {
    meeting: MeetingName,
    rows: BTreeMap<ParticipantId, RaisedRow>,
    captures: [Capture; 2],
    /// Why somebody has left whose row is still known.
    reasons: BTreeMap<ParticipantId, Cause>,
}

impl EventLog {
    pub(super) fn new(meeting: MeetingName) -> Self {
        Self { meeting, rows: BTreeMap::new(), captures: <[Capture; 2]>::default(), reasons: BTreeMap::new() }
    }

    /// Something was raised of this row.
    pub(super) fn knows(&self, who: ParticipantId) -> bool {
        self.rows.contains_key(&who)
    }

    /// Why somebody leaves, for the event that follows.
    pub(super) fn leaves(&mut self, who: ParticipantId, cause: Cause) {
        if self.knows(who) {
            self.reasons.insert(who, cause);
        }
    }

    /// What has changed, of these rows and of the captures.
    pub(super) fn changes(
        &mut self,
        policy: &Policy,
        people: &ParticipantTable,
        changed: &BTreeSet<ParticipantId>,
        now: Instant,
    ) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for who in changed.iter().filter(|who| policy.standing(**who).is_none()) {
            drafts.extend(self.row_gone(*who));
        }
        for row in changed.iter().filter_map(|who| policy.row_of(*who, now)) {
            drafts.extend(self.row_changed(&row, people.call_of(row.id)));
        }
        drafts.extend(self.captures_changed(policy));
        drafts
    }

    /// Somebody has written in the chat; `None`: the operator.
    pub(super) fn chat(&self, who: Option<ParticipantId>, call: Option<CallId>) -> Draft {
        let draft = self.draft(EventKind::Chat);
        match who {
            Some(who) => draft.participant(who).call(call),
            None => draft,
        }
    }

    fn draft(&self, what: EventKind) -> Draft {
        Draft::of(what).meeting(&self.meeting)
    }

    fn row_gone(&mut self, who: ParticipantId) -> Option<Draft> {
        let raised = self.rows.remove(&who)?;
        let cause = self.reasons.remove(&who).unwrap_or(Cause::HungUp);
        let what = if cause == Cause::Denied { EventKind::Denied } else { EventKind::Left };
        Some(self.draft(what).participant(who).call(raised.call).reason(cause.verdict().label))
    }

    fn row_changed(&mut self, row: &ParticipantRow, call: Option<CallId>) -> Vec<Draft> {
        let (raised, muted) = (self.rows.get(&row.id).copied(), row.muted.is_closed());
        let draft = |what| self.draft(what).participant(row.id).call(call);
        let mut drafts = Vec::new();
        if raised.is_none_or(|raised| raised.standing != row.standing) {
            drafts.push(draft(match row.standing {
                Standing::Waiting => EventKind::Waiting,
                Standing::Lobby => EventKind::Lobby,
                Standing::In => EventKind::Admitted,
            }));
        }
        if raised.map_or(muted, |raised| raised.muted != muted) {
            drafts.push(draft(EventKind::Muted).state(on_or_off(muted)));
        }
        if raised.map_or(row.hand, |raised| raised.hand != row.hand) {
            drafts.push(draft(EventKind::Hand).state(on_or_off(row.hand)));
        }
        self.rows.insert(row.id, RaisedRow { standing: row.standing, muted, hand: row.hand, call });
        drafts
    }

    fn captures_changed(&mut self, policy: &Policy) -> Vec<Draft> {
        let now = [CaptureKind::Recording, CaptureKind::Transcription].map(|kind| policy.capture(kind));
        let before = std::mem::replace(&mut self.captures, now);
        let kinds = [EventKind::Recording, EventKind::Transcription].into_iter().zip(before.into_iter().zip(now));
        let changed = kinds.filter(|(_, (before, now))| before != now);
        let drafts = changed.map(|(kind, (_, now))| {
            self.draft(kind).state(match now {
                Capture::Off => "off",
                Capture::On => "on",
                Capture::Paused => "paused",
            })
        });
        drafts.collect()
    }
}

const fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}
