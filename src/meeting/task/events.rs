//! Events of a meeting (M-17): what has changed since they were raised last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::MeetingTask;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, ParticipantId};
use crate::policy::{Capture, CaptureKind, Standing};
use crate::telemetry::events::{Draft, EventKind};

/// What was last said of one row.
#[derive(Debug, Clone, Copy)]
struct Said {
    standing: Standing,
    muted: bool,
    hand: bool,
    call: Option<CallId>,
}

/// What was last said.
#[derive(Debug, Default)]
pub(super) struct RaisedEvents {
    rows: BTreeMap<ParticipantId, Said>,
    captures: [Capture; 2],
    /// Why somebody has left whose row is still known.
    reasons: BTreeMap<ParticipantId, Cause>,
}

impl RaisedEvents {
    /// Something was said of this row.
    pub(super) fn knows(&self, who: ParticipantId) -> bool {
        self.rows.contains_key(&who)
    }
}

const fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

impl MeetingTask {
    fn draft(&self, what: EventKind) -> Draft {
        Draft::of(what).meeting(&self.name)
    }

    /// Why somebody goes, for the event that follows.
    pub(super) fn goes(&mut self, who: ParticipantId, cause: Cause) {
        if self.raised.rows.contains_key(&who) {
            self.raised.reasons.insert(who, cause);
        }
    }

    /// Raises what has changed.
    pub(super) fn raise_changes(&mut self, now: Instant, changed: &BTreeSet<ParticipantId>) {
        let rows: Vec<_> = changed.iter().filter_map(|who| self.policy.row_of(*who, now)).collect();
        let gone = changed.iter().copied().filter(|who| self.policy.standing(*who).is_none());
        for who in gone.filter(|who| self.raised.rows.contains_key(who)).collect::<Vec<_>>() {
            let cause = self.raised.reasons.remove(&who).unwrap_or(Cause::HungUp);
            let call = self.raised.rows.remove(&who).and_then(|said| said.call);
            let what = if cause == Cause::Denied { EventKind::Denied } else { EventKind::Left };
            self.shared.raised.raise(self.draft(what).participant(who).call(call).reason(cause.verdict().label));
        }
        for row in rows {
            let said = self.raised.rows.get(&row.id).copied();
            let call = self.guests.get(&row.id).map(|guest| guest.call);
            let raise = |what, state: Option<bool>| {
                let draft = self.draft(what).participant(row.id).call(call);
                self.shared.raised.raise(match state {
                    Some(on) => draft.state(word(on)),
                    None => draft,
                });
            };
            if said.is_none_or(|said| said.standing != row.standing) {
                let what = match row.standing {
                    Standing::Waiting => EventKind::Waiting,
                    Standing::Lobby => EventKind::Lobby,
                    Standing::In => EventKind::Admitted,
                };
                raise(what, None);
            }
            let muted = row.muted.is_closed();
            if said.map_or(muted, |said| said.muted != muted) {
                raise(EventKind::Muted, Some(muted));
            }
            if said.map_or(row.hand, |said| said.hand != row.hand) {
                raise(EventKind::Hand, Some(row.hand));
            }
            self.raised.rows.insert(row.id, Said { standing: row.standing, muted, hand: row.hand, call });
        }
        for (kind, what, place) in
            [(CaptureKind::Recording, EventKind::Recording, 0), (CaptureKind::Transcription, EventKind::Transcription, 1)]
        {
            let state = self.policy.capture(kind);
            if let Some(said) = self.raised.captures.get_mut(place)
                && std::mem::replace(said, state) != state
            {
                let word = match state {
                    Capture::Off => "off",
                    Capture::On => "on",
                    Capture::Paused => "paused",
                };
                self.shared.raised.raise(self.draft(what).state(word));
            }
        }
    }

    /// Somebody has written in the chat.
    pub(super) fn raise_chat(&self, who: Option<ParticipantId>) {
        let draft = self.draft(EventKind::Chat);
        self.shared.raised.raise(match who {
            Some(who) => draft.participant(who).call(self.guests.get(&who).map(|guest| guest.call)),
            None => draft,
        });
    }
}
