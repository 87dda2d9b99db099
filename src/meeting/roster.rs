//! From the policy's view to the words of pages and API.

use crate::policy::{Capture, Row, Standing, View};

use std::collections::BTreeMap;

use super::words::{JoinView, ParticipantView, Snapshot};
use crate::ids::ParticipantId;
use crate::relay::driver::JoinCode;
use crate::sip::{Roster, RosterPerson};

/// The join codes of devices inside.
pub(super) type Joins = BTreeMap<ParticipantId, JoinCode>;

/// One row as it is shown. Names leave their wrapper here and nowhere else on the way to a page.
fn row(row: &Row, joins: &Joins) -> ParticipantView {
    let inside = |_: &&JoinCode| row.standing == Standing::In;
    let join = |join: &JoinCode| JoinView { code: join.code.expose().clone(), to: join.to.expose().to_owned() };
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
        join: joins.get(&row.id).filter(inside).map(join),
    }
}

/// Several rows.
fn rows(rows: &[Row], joins: &Joins) -> Vec<ParticipantView> {
    rows.iter().map(|one| row(one, joins)).collect()
}

/// What the operator is sent: everything.
pub(super) fn operator(all: &[Row], joins: &Joins, recording: Capture, transcription: Capture) -> Snapshot {
    Snapshot {
        you: String::new(),
        standing: Standing::In,
        participants: rows(all, joins),
        recording,
        transcription,
        may_admit: true,
        may_record: true,
        may_end: true,
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
        participants: rows(&view.participants, joins),
        recording: view.recording,
        transcription: view.transcription,
        may_admit: view.may_admit,
        may_record: view.may_record,
        may_end: view.may_end,
    }
}
