//! From the policy's rows to what pages and the API are sent: who is shown what of whom.
//!
//! Rows are made when they change, once for all who see them; a page holds the same row as all others, by reference.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::messages::{JoinView, KnownDevice, MutedBy, ParticipantView, ReaderView, Snapshot};
use crate::common::ids::ParticipantId;
use crate::policy::{Capture, DeviceView, Muted, ParticipantRow, Standing};
use crate::relay::SmsReader;
use crate::relay::driver::Readers;
use crate::sip::{Roster, RosterPerson};

/// How people around devices inside get the chat, and who does.
pub(crate) type SmsReaders = BTreeMap<ParticipantId, Readers>;

fn join(readers: &Readers) -> JoinView {
    let reader =
        |one: &SmsReader| ReaderView { id: one.id.to_string(), number: one.number.clone(), means: one.means, state: one.state };
    JoinView {
        code: readers.code.expose().clone(),
        to: readers.to.expose().to_owned(),
        readers: readers.readers.iter().map(reader).collect(),
    }
}

/// Who somebody is, as far as they have shown it (M-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ParticipantOrigin {
    /// A configured device.
    Device(KnownDevice),
    /// Anybody else: where they come from.
    Elsewhere(String),
}

/// By participant.
pub(crate) type ParticipantOrigins = BTreeMap<ParticipantId, ParticipantOrigin>;

/// What is shown of somebody beside what the rules know.
#[derive(Clone, Copy)]
pub(crate) struct RowContext<'a> {
    pub(crate) joins: &'a SmsReaders,
    pub(crate) origins: &'a ParticipantOrigins,
}

/// A row as it is shown, but for the time it has waited, which never stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRow {
    who: ParticipantId,
    view: ParticipantView,
    since: Option<Instant>,
}

impl ShownRow {
    /// Whose it is.
    #[must_use]
    pub const fn who(&self) -> ParticipantId {
        self.who
    }

    /// As it is at `now`.
    #[must_use]
    pub fn at(&self, now: Instant) -> ParticipantView {
        let waiting_seconds = self.since.map(|since| now.saturating_duration_since(since).as_secs());
        ParticipantView { waiting_seconds, ..self.view.clone() }
    }
}

/// How the meeting is, as one page may see it (M-8). Cheap to clone: rows are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterView {
    /// The viewer.
    pub you: ParticipantId,
    /// What is not rows.
    pub facts: MeetingFacts,
    /// The viewer's own row while it waits: nobody else's is seen then.
    pub own: Option<Arc<ShownRow>>,
    /// Those inside.
    pub inside: Arc<[Arc<ShownRow>]>,
    /// Those who wait, for a viewer who may admit.
    pub waiting: Arc<[Arc<ShownRow>]>,
}

/// What of a [`RosterView`] is not rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeetingFacts {
    /// Where the viewer stands.
    pub standing: Standing,
    /// Recording (N-1).
    pub recording: Capture,
    /// Transcription (N-1).
    pub transcription: Capture,
    /// May admit and deny (M-7).
    pub may_admit: bool,
    /// May switch recording and transcription (M-12).
    pub may_record: bool,
    /// May end the meeting for all.
    pub may_end: bool,
    /// May have devices called into the meeting (S-9).
    pub may_call_rooms: bool,
    /// The chat is on (M-14).
    pub chat: bool,
}

impl RosterView {
    /// Of somebody who is not here.
    #[must_use]
    pub fn nobody(you: ParticipantId) -> Self {
        let facts = MeetingFacts {
            standing: Standing::Waiting,
            recording: Capture::Off,
            transcription: Capture::Off,
            may_admit: false,
            may_record: false,
            may_end: false,
            may_call_rooms: false,
            chat: false,
        };
        Self { you, facts, own: None, inside: Arc::default(), waiting: Arc::default() }
    }

    /// Every row of it.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<ShownRow>> {
        self.own.iter().chain(self.inside.iter()).chain(self.waiting.iter())
    }
}

/// One participant's row, made for everybody at once.
struct Made {
    inside: bool,
    /// For those who may admit.
    host: Arc<ShownRow>,
    /// For others inside.
    guest: Arc<ShownRow>,
}

/// All rows, and what of them has changed since pages were shown them last.
#[derive(Default)]
pub(super) struct RosterRows {
    made: BTreeMap<ParticipantId, Made>,
    inside_changed: bool,
    waiting_changed: bool,
    lists: RosterLists,
}

/// The rows in the order in which they are shown.
#[derive(Default, Clone)]
pub(super) struct RosterLists {
    pub(super) inside_for_hosts: Arc<[Arc<ShownRow>]>,
    pub(super) inside_for_guests: Arc<[Arc<ShownRow>]>,
    pub(super) waiting: Arc<[Arc<ShownRow>]>,
}

impl RosterRows {
    /// Takes a row as it is now; `None`: it is gone. Says nothing of whether anything about it is new.
    pub(super) fn take(&mut self, who: ParticipantId, row: Option<&ParticipantRow>, beside: RowContext<'_>, now: Instant) {
        let before = self.made.get(&who);
        let Some(row) = row else {
            let was_inside = before.map(|made| made.inside);
            self.inside_changed |= was_inside == Some(true);
            self.waiting_changed |= was_inside == Some(false);
            self.made.remove(&who);
            return;
        };
        let host = shown(row, beside, now);
        let guest = ShownRow { view: for_guests(host.view.clone()), ..host.clone() };
        let inside = row.standing == Standing::In;
        if before.is_some_and(|made| made.inside == inside && *made.host == host) {
            return;
        }
        let was_inside = before.map(|made| made.inside);
        self.inside_changed |= inside || was_inside == Some(true);
        self.waiting_changed |= !inside || was_inside == Some(false);
        self.made.insert(who, Made { inside, host: Arc::new(host), guest: Arc::new(guest) });
    }

    /// Which of the two lists have changed since this was asked last: (inside, waiting).
    pub(super) fn settle(&mut self) -> (bool, bool) {
        let changed = (std::mem::take(&mut self.inside_changed), std::mem::take(&mut self.waiting_changed));
        let list = |inside: bool, of: fn(&Made) -> &Arc<ShownRow>| -> Arc<[Arc<ShownRow>]> {
            self.made.values().filter(|made| made.inside == inside).map(|made| Arc::clone(of(made))).collect()
        };
        if changed.0 {
            self.lists.inside_for_hosts = list(true, |made| &made.host);
            self.lists.inside_for_guests = list(true, |made| &made.guest);
        }
        if changed.1 {
            self.lists.waiting = list(false, |made| &made.host);
        }
        changed
    }

    /// As of the last settling.
    pub(super) const fn lists(&self) -> &RosterLists {
        &self.lists
    }
}

/// One row. Names leave their wrapper here and nowhere else on the way to a page.
pub(crate) fn shown(row: &ParticipantRow, beside: RowContext<'_>, now: Instant) -> ShownRow {
    let readers = beside.joins.get(&row.id).filter(|_| row.standing == Standing::In);
    let (device, from) = match beside.origins.get(&row.id) {
        Some(ParticipantOrigin::Device(device)) => (Some(device.clone()), None),
        Some(ParticipantOrigin::Elsewhere(from)) => (None, Some(from.clone())),
        None => (None, None),
    };
    let view = ParticipantView {
        id: row.id.to_string(),
        name: row.name.expose().clone(),
        kind: row.role,
        via: row.via,
        state: row.standing,
        organiser: row.organiser,
        muted: row.muted.is_closed(),
        muted_by: muted_by(row.muted),
        hand: row.hand,
        on_hold: row.on_hold,
        reconnecting: row.reconnecting,
        waiting_seconds: None,
        device,
        from,
        join: readers.map(join),
    };
    ShownRow { who: row.id, view, since: row.waiting.and_then(|waiting| now.checked_sub(waiting)) }
}

/// What concerns those who may admit alone is left out: where somebody comes from (M-1), and how people around them get the chat (C-2).
fn for_guests(view: ParticipantView) -> ParticipantView {
    ParticipantView { from: None, join: None, ..view }
}

const fn muted_by(muted: Muted) -> Option<MutedBy> {
    match muted {
        Muted { own: false, host: false } => None,
        Muted { own: true, host: false } => Some(MutedBy::Owner),
        Muted { own: false, host: true } => Some(MutedBy::Host),
        Muted { own: true, host: true } => Some(MutedBy::Both),
    }
}

/// What the operator is sent: everything.
pub(super) fn operator(all: &[ParticipantRow], beside: RowContext<'_>, now: Instant, captures: [Capture; 2]) -> Snapshot {
    let [recording, transcription] = captures;
    Snapshot {
        you: String::new(),
        standing: Standing::In,
        participants: all.iter().map(|row| shown(row, beside, now).at(now)).collect(),
        recording,
        transcription,
        may_admit: true,
        may_record: true,
        may_end: true,
        may_call_rooms: true,
    }
}

/// What somebody is sent who is not here.
pub(super) fn nobody() -> Snapshot {
    Snapshot {
        you: String::new(),
        standing: Standing::Waiting,
        participants: Vec::new(),
        recording: Capture::Off,
        transcription: Capture::Off,
        may_admit: false,
        may_record: false,
        may_end: false,
        may_call_rooms: false,
    }
}

/// What a phone's display is sent: those inside, whoever else the view may show.
pub(super) fn for_phone(title: &str, view: &DeviceView) -> Roster {
    let person = |row: &ParticipantRow| RosterPerson {
        id: row.id.to_string(),
        name: row.name.expose().clone(),
        muted: row.muted.is_closed(),
        on_hold: row.on_hold,
    };
    let inside = view.participants.iter().filter(|row| row.standing == Standing::In);
    Roster { title: title.to_owned(), people: inside.map(person).collect() }
}

/// What a participant is sent that asks by the API.
pub(super) fn snapshot(view: &DeviceView, beside: RowContext<'_>, now: Instant) -> Snapshot {
    let row = |row: &ParticipantRow| {
        let seen = shown(row, beside, now).at(now);
        if view.may_admit { seen } else { for_guests(seen) }
    };
    Snapshot {
        you: view.you.to_string(),
        standing: view.standing,
        participants: view.participants.iter().map(row).collect(),
        recording: view.recording,
        transcription: view.transcription,
        may_admit: view.may_admit,
        may_record: view.may_record,
        may_end: view.may_end,
        may_call_rooms: view.may_call_rooms,
    }
}
