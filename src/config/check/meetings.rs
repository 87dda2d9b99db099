//! Meetings that could be meant by the same number, and codes that could be guessed.

use std::collections::BTreeMap;

use super::findings::Findings;
use crate::config::secret::Secret;
use crate::config::settings::Settings;
use crate::policy::Bypass;

/// Lists them.
pub(super) fn meetings(settings: &Settings, found: &mut Findings<'_>) {
    conference_ids(settings, found);
    codes(settings, found);
    rooms(settings, found);
}

/// A meeting's room is at a service that is configured, and no other meeting is in it.
fn rooms(settings: &Settings, found: &mut Findings<'_>) {
    let mut owners = BTreeMap::new();
    for (name, meeting) in &settings.meetings {
        let Some(room) = &meeting.room else { continue };
        let key = |field: &str| format!("meeting.{name}.{field}");
        if !settings.services.contains_key(&room.service) {
            let what = format!("names [service.{}], which is not configured", room.service);
            found.problem(&key("service"), what, "write that section, or leave the key out");
        }
        if let Some(other) = owners.insert((&room.service, &room.room), name) {
            let what = format!("is in the room {:?}, in which the meeting {other} is too", room.room);
            found.problem(&key("room"), what, "give each meeting a room of its own: the devices of both would be in it twice");
        }
    }
}

/// What is dialled or keyed in reaches one meeting, or the menu.
fn conference_ids(settings: &Settings, found: &mut Findings<'_>) {
    let mut owners = BTreeMap::new();
    for (name, meeting) in &settings.meetings {
        if name.as_str() == settings.sip.menu_user {
            let what = "has the name that sip.menu_user reaches the menu by";
            found.problem(&format!("meeting.{name}"), what, "change one of them");
        }
        let Some(id) = &meeting.conference_id else { continue };
        let key = format!("meeting.{name}.conference_id");
        if let Some(other) = owners.insert(id, name) {
            let what = format!("{id:?} is the conference ID of meeting {other} too");
            found.problem(&key, what, "give each meeting an ID of its own");
        }
        if let Some(other) = settings.meetings.keys().find(|other| other.as_str() == id && *other != name) {
            let what = format!("{id:?} is the name of another meeting, {other}");
            found.problem(&key, what, "dialling it could mean either: change one");
        }
        if *id == settings.sip.menu_user {
            found.problem(&key, "is what sip.menu_user reaches the menu by", "change one of them");
        }
    }
}

/// Passcodes and PINs can be keyed in, and are not guessed easily.
fn codes(settings: &Settings, found: &mut Findings<'_>) {
    for (name, meeting) in &settings.meetings {
        let key = |field: &str| format!("meeting.{name}.{field}");
        for (field, secret) in [("passcode", &meeting.passcode), ("organiser_pin", &meeting.organiser_pin)] {
            let Some(secret) = secret else { continue };
            if !is_keyable(secret) {
                found.problem(&key(field), "is not made of 1 to 20 digits", "use digits only, as a phone can key them in");
            } else if secret.expose().len() < 4 {
                found.warning(&key(field), "is short enough to be guessed", "use at least four digits");
            }
        }
        if meeting.organiser_pin.is_some() && meeting.organiser_pin == meeting.passcode {
            let hint = "every caller would be an organiser: choose another";
            found.problem(&key("organiser_pin"), "is the same as the passcode", hint);
        }
        if meeting.bypass == Bypass::Everyone && meeting.passcode.is_none() {
            let what = "lets everybody in who dials, without lobby and passcode";
            found.warning(&key("bypass"), what, "set a passcode, or another bypass");
        }
    }
}

fn is_keyable(secret: &Secret) -> bool {
    let digits = secret.expose();
    (1..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
