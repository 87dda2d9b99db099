//! What a page has been shown: of a new state it is sent what is another, and of one in which nothing is, nothing.
//!
//! A page that says so in its `join` is sent its first state whole and then differences (`delta`), numbered, so that it notices when one
//! is missing and asks for the whole again (`resync`). Any other is sent the whole each time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use crate::common::ids::ParticipantId;
use crate::meeting::messages::{Capture, ParticipantView, Standing};
use crate::meeting::roster::{MeetingFacts, RosterView, ShownRow};

/// The whole of what the page may see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Whole {
    /// Counts up with each state and each difference.
    revision: u64,
    #[serde(flatten)]
    seen: Seen,
    /// Everybody the page may see.
    participants: Vec<ParticipantView>,
}

/// What has changed since the revision before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Delta {
    revision: u64,
    #[serde(flatten)]
    seen: Seen,
    /// Rows that are new or have changed.
    rows: Vec<ParticipantView>,
    /// Ids of rows that are not there any more.
    gone: Vec<String>,
}

/// What is not rows: small enough to be sent each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Seen {
    you: String,
    standing: Standing,
    recording: Capture,
    transcription: Capture,
    may_admit: bool,
    may_record: bool,
    may_end: bool,
    may_call_rooms: bool,
    chat: bool,
}

/// What a page is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PageChange {
    Whole(Box<Whole>),
    Delta(Box<Delta>),
}

/// What one page has been shown.
#[derive(Default)]
pub(super) struct PageState {
    deltas: bool,
    revision: u64,
    newest: Option<RosterView>,
    /// What the page has: nothing before its first state.
    facts: Option<MeetingFacts>,
    rows: BTreeMap<ParticipantId, Arc<ShownRow>>,
}

impl PageState {
    /// The page understands differences.
    pub(super) const fn send_deltas(&mut self) {
        self.deltas = true;
    }

    /// The page is to see this now; `None`: it does.
    pub(super) fn show(&mut self, now: Instant, scene: RosterView) -> Option<PageChange> {
        let rows: BTreeMap<_, _> = scene.rows().map(|row| (row.who(), Arc::clone(row))).collect();
        let has = |row: &Arc<ShownRow>| self.rows.get(&row.who()).is_some_and(|has| Arc::ptr_eq(has, row) || has == row);
        let changed: Vec<_> = rows.values().filter(|row| !has(row)).map(|row| row.at(now)).collect();
        let gone: Vec<_> = self.rows.keys().filter(|who| !rows.contains_key(who)).map(ToString::to_string).collect();
        let first = self.facts.is_none();
        if self.facts == Some(scene.facts) && changed.is_empty() && gone.is_empty() {
            return None;
        }
        self.revision += 1;
        let (revision, seen) = (self.revision, seen(&scene));
        let change = if self.deltas && !first {
            PageChange::Delta(Box::new(Delta { revision, seen, rows: changed, gone }))
        } else {
            let participants = rows.values().map(|row| row.at(now)).collect();
            PageChange::Whole(Box::new(Whole { revision, seen, participants }))
        };
        (self.facts, self.rows, self.newest) = (Some(scene.facts), rows, Some(scene));
        Some(change)
    }

    /// The page has lost count: it is sent the whole once more.
    pub(super) fn show_again(&mut self, now: Instant) -> Option<PageChange> {
        let newest = self.newest.take()?;
        self.facts = None;
        self.rows.clear();
        self.show(now, newest)
    }
}

fn seen(scene: &RosterView) -> Seen {
    let MeetingFacts { standing, recording, transcription, may_admit, may_record, may_end, may_call_rooms, chat } = scene.facts;
    let you = scene.you.to_string();
    Seen { you, standing, recording, transcription, may_admit, may_record, may_end, may_call_rooms, chat }
}
