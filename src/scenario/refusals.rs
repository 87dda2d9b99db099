//! Who is turned away before anybody is asked (M-11, M-14).

use std::time::Duration;

use serde_json::json;

use super::world::{Voice, World};
use crate::codec::CodecKind;
use crate::common::phrase::Phrase;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn m11_where_nobody_from_outside_may_join_a_phone_is_told_so() {
    let world = World::with("[organisation]\nanonymous_join = false");
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::AnonymousOff);
    assert!(phone.is_hung_up().contains("anonymous-off"));
    assert_eq!(member.names(), [member.voice.name]);
    member.leaves();
    world.nothing_left();
}

#[test]
fn m14_a_phone_that_finds_the_meeting_full_is_told_so() {
    let world = World::with("[policy]\nmax_externals = 1\n[meeting.demo]\ndevices_bypass = true");
    let member = world.member();
    let (phone, late) = (world.phone(), world.phone());
    phone.joins("1001");
    late.dials("1001");
    late.hears(Phrase::MeetingFull);
    assert!(late.is_hung_up().contains("meeting-full"));
    phone.hears_only(&[member.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

#[test]
fn m14_a_phone_that_was_denied_does_not_knock_again_at_once() {
    let world = World::new();
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    member.about("deny", phone.voice);
    phone.hears(Phrase::Denied);
    phone.is_hung_up();
    world.passes(seconds(2));
    phone.dials("1001");
    phone.hears(Phrase::Denied);
    phone.is_hung_up();
    assert_eq!(member.names(), [member.voice.name], "nobody was troubled");
    world.passes(seconds(60));
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

#[test]
fn m1_a_known_room_is_told_from_one_that_takes_its_name() {
    let world = World::new();
    let member = world.member();
    let (room, impostor) = (world.phone(), world.phone_at([10, 0, 9, 7], Voice { name: "Room 1", freq: 605.0 }, CodecKind::Pcmu));
    impostor.dials("1001");
    impostor.hears(Phrase::InLobby);
    let marked = Voice { name: "Room 1 (caller)", ..impostor.voice };
    member.shows(marked, "state", "lobby");
    room.dials("1001");
    room.hears(Phrase::InLobby);
    member.shows(room.voice, "device", json!({ "label": "room-1", "proven_by": "address" }));
    let seen = member.sees(marked);
    assert_eq!(
        (&seen["device"], seen["from"].as_str().is_some_and(|from| from.contains("10.0.9.7"))),
        (&json!(null), true),
        "{seen}"
    );
    member.about("admit", room.voice);
    room.hears(Phrase::Admitted);
    impostor.hangs_up();
    room.hangs_up();
    member.leaves();
    world.nothing_left();
}
