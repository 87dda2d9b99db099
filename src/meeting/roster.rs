//! From the policy's view to the words of pages and API.

use crate::policy::{Capture, Row, Standing, View};

use std::collections::BTreeMap;

use super::words::{JoinView, ParticipantView, ReaderView, Snapshot};
use crate::ids::ParticipantId;
use crate::relay::Reader;
use crate::relay::driver::Readers;
use crate::sip::{Roster, RosterPerson};

/// How people around devices inside get the chat, and who does.
pub(super) type Joins = BTreeMap<ParticipantId, Readers>;

fn join(readers: &Readers) -> JoinView {
    let reader =
        |one: &Reader| ReaderView { id: one.id.to_string(), number: one.number.clone(), means: one.means, state: one.state };
    JoinView {
        code: readers.code.expose().clone(),
        to: readers.to.expose().to_owned(),
        readers: readers.readers.iter().map(reader).collect(),
    }
}

/// One row as it is shown, with `joins` to those who may admit (C-2). Names leave their wrapper here and nowhere else on the way to a page.
fn row(row: &Row, joins: Option<&Joins>) -> ParticipantView {
    let readers = joins.and_then(|joins| joins.get(&row.id)).filter(|_| row.standing == Standing::In);
    ParticipantView {
        id: row.id.to_string(),
        name: row.name.expose().clone(),
        kind: row.role,
        via: row.via,
        state: row.standing,
        organiser: row.organiser,
        muted: row.muted,
        hand: row.hand,
        on_hold: row.on_hold,
        reconnecting: row.reconnecting,
        waiting_seconds: row.waiting.map(|waiting| waiting.as_secs()),
        join: readers.map(join),
    }
}

/// Several rows.
fn rows(rows: &[Row], joins: Option<&Joins>) -> Vec<ParticipantView> {
    rows.iter().map(|one| row(one, joins)).collect()
}

/// What the operator is sent: everything.
pub(super) fn operator(all: &[Row], joins: &Joins, recording: Capture, transcription: Capture) -> Snapshot {
    Snapshot {
        you: String::new(),
        standing: Standing::In,
        participants: rows(all, Some(joins)),
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
pub(super) fn for_phone(title: &str, view: &View) -> Roster {
    let person = |row: &Row| RosterPerson {
        id: row.id.to_string(),
        name: row.name.expose().clone(),
        muted: row.muted,
        on_hold: row.on_hold,
    };
    let inside = view.participants.iter().filter(|row| row.standing == Standing::In);
    Roster { title: title.to_owned(), people: inside.map(person).collect() }
}

/// What a page is sent.
pub(super) fn snapshot(view: &View, joins: &Joins) -> Snapshot {
    Snapshot {
        you: view.you.to_string(),
        standing: view.standing,
        participants: rows(&view.participants, Some(joins).filter(|_| view.may_admit)),
        recording: view.recording,
        transcription: view.transcription,
        may_admit: view.may_admit,
        may_record: view.may_record,
        may_end: view.may_end,
        may_call_rooms: view.may_call_rooms,
    }
}
