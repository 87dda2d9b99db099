//! A meeting that takes place in the room of a service.

use super::*;
use crate::common::cause::Cause;
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;
use crate::media::MediaEnd;
use crate::meeting::service::{RoomAddress, RoomFact, RoomPerson};
use crate::policy::CaptureKind;

fn in_room(devices_bypass: bool) -> Run {
    let mut settings = MeetingSettings::titled("Demo");
    settings.room = Some(RoomAddress { service: "lk".to_owned(), room: "board".to_owned() });
    settings.policy.devices_bypass = devices_bypass;
    Run::of(settings)
}

fn person(key: &str, role: Role, end: Option<u64>) -> RoomPerson {
    let end = end.map(|number| MediaEnd::Peer(PeerId::from_number(number)));
    RoomPerson { key: key.to_owned(), name: format!("Name of {key}"), role, muted: false, hand: false, end }
}

impl Run {
    fn room(&mut self, fact: RoomFact) {
        self.input(MeetingInput::Room(fact));
    }

    fn people(&mut self, people: &[RoomPerson]) {
        self.room(RoomFact::People(people.to_vec()));
    }

    fn heard(&mut self, who: ParticipantId) -> Vec<ToGuest> {
        self.told.remove(&who).unwrap_or_default()
    }
}

/// A device inside, with one member in the room.
fn with_a_device() -> (Run, ParticipantId) {
    let mut run = in_room(true);
    let device = run.device();
    run.people(&[person("anna", Role::Member, Some(7))]);
    assert_eq!(run.state.policy.standing(device), Some(Standing::In));
    (run, device)
}

/// A device waits until somebody who counts as a member is in the room, and is shown there once it is inside.
#[test]
fn m5_a_device_waits_for_a_member_in_the_room() {
    let mut run = in_room(true);
    let device = run.device();
    run.people(&[person("other-phone", Role::External, None)]);
    assert_eq!(run.state.policy.standing(device), Some(Standing::Waiting));
    assert!(run.acts_with("AskRoom").is_empty(), "nothing of it is in the room");
    run.people(&[person("other-phone", Role::External, None), person("anna", Role::Member, None)]);
    assert_eq!(run.state.policy.standing(device), Some(Standing::In));
    let asked = run.acts_with("AskRoom");
    assert!(asked[0].contains("Enter") && asked[1].contains("Guest"), "{asked:?}");
}

/// With a lobby, who is in the room makes the meeting one that can admit; somebody has to.
#[test]
fn m6_the_room_does_not_admit_by_being_there() {
    let mut run = in_room(false);
    let device = run.device();
    run.people(&[person("anna", Role::Member, None)]);
    assert_eq!(run.state.policy.standing(device), Some(Standing::Lobby));
    assert_eq!(run.ask(None, MeetingRequest::Admit(device)), Ok(Granted::Done));
    assert_eq!(run.acts_with("AskRoom(Enter").len(), 1);
}

/// People of the room get seats where their sound arrives, which may come later, change and go.
#[test]
fn a_person_of_the_room_is_seated_where_the_sound_arrives() {
    let mut run = in_room(true);
    run.device();
    run.people(&[person("anna", Role::Member, None)]);
    assert!(run.acts_with(" Seat {").is_empty() && run.acts_with("Seat { end: Peer").is_empty());
    run.people(&[person("anna", Role::Member, Some(7))]);
    assert_eq!(run.acts_with("Seat { end: Peer(peer-7)").len(), 1);
    run.people(&[person("anna", Role::Member, Some(8))]);
    assert_eq!(run.acts_with("ReplaceEnd { old: Peer(peer-7), new: Peer(peer-8) }").len(), 1);
    run.people(&[person("anna", Role::Member, Some(8))]);
    assert!(run.acts_with("Peer(peer-8)").is_empty(), "the same state again changes nothing");
    run.people(&[]);
    assert_eq!(run.acts_with("Unseat(Peer(peer-8))").len(), 1);
}

/// What the room says of recording is owed to devices as from our own recorder, which is not to be had here.
#[test]
fn n1_a_recording_of_the_room_is_announced() {
    let (mut run, device) = with_a_device();
    run.heard(device);
    run.room(RoomFact::Capture(CaptureKind::Recording, Capture::On));
    let tells = |what: &ToGuest| matches!(what, ToGuest::Tell { phrases, .. } if phrases.contains(&Phrase::RecordingStarted));
    assert!(run.heard(device).iter().any(tells));
    let host = run.page(Role::Member, "Host", None).expect("it joins");
    assert_eq!(run.ask(Some(host), MeetingRequest::Recording(Capture::Paused)), Err(MeetingRefusal::NotConfigured));
}

/// A late device hears of the recording before it hears anybody (N-2).
#[test]
fn n2_who_enters_a_recorded_room_is_told_first() {
    let mut run = in_room(true);
    run.room(RoomFact::Capture(CaptureKind::Recording, Capture::On));
    let device = run.device();
    run.people(&[person("anna", Role::Member, None)]);
    assert!(run.heard(device).iter().any(|what| matches!(what, ToGuest::Tell { .. })));
    assert!(run.acts_with("Gate { end: Port(port-1), gate: Gate { hear: true").is_empty());
}

/// Lines of the room reach devices, and those of devices and pages the room; a private one reaches its device alone.
#[test]
fn c1_chat_goes_both_ways_and_a_private_line_to_one() {
    let (mut run, device) = with_a_device();
    let other = run.device();
    run.heard(device);
    run.heard(other);
    let says = |text: &str, to| RoomFact::Chat { key: "anna".to_owned(), text: Redacted::new(text.to_owned()), to };
    let shown = |heard: Vec<ToGuest>| heard.into_iter().filter(|what| matches!(what, ToGuest::Show(_))).count();
    run.acts_with("");
    run.room(says("hello", None));
    assert_eq!((shown(run.heard(device)), shown(run.heard(other))), (1, 1));
    run.room(says("psst", Some(device)));
    assert_eq!((shown(run.heard(device)), shown(run.heard(other))), (1, 0));
    assert!(run.acts_with("AskRoom(Chat").is_empty(), "what comes from the room does not go back");
    run.input(MeetingInput::Guest(device, FromGuest::Chat { text: Redacted::new("hi".to_owned()) }));
    assert_eq!(run.acts_with("AskRoom(Chat").len(), 1);
}

/// Somebody in the room who writes without an end does not fill the chat, nor what goes on by SMS (M-14).
#[test]
fn m14_texts_from_the_room_are_limited_for_each_person() {
    let (mut run, device) = with_a_device();
    run.heard(device);
    for number in 0..100 {
        let text = Redacted::new(format!("line {number}"));
        run.room(RoomFact::Chat { key: "anna".to_owned(), text, to: None });
    }
    let shown = run.heard(device).into_iter().filter(|what| matches!(what, ToGuest::Show(_))).count();
    assert_eq!(shown, 10);
    run.pass(5 * SECOND);
    run.room(RoomFact::Chat { key: "anna".to_owned(), text: Redacted::new("again".to_owned()), to: None });
    assert!(run.heard(device).iter().any(|what| matches!(what, ToGuest::Show(_))));
}

/// A host in the room closes a device's microphone and takes it out; the end of the room ends its meeting here.
#[test]
fn k4_a_host_in_the_room_mutes_removes_and_ends() {
    let (mut run, device) = with_a_device();
    run.heard(device);
    run.room(RoomFact::GuestMuted(device, true));
    assert!(run.heard(device).contains(&ToGuest::Say(Phrase::MutedByHost)));
    let asked = run.acts_with("AskRoom(Guest");
    assert!(asked.iter().any(|ask| ask.contains("muted: true")), "{asked:?}");
    run.room(RoomFact::GuestRemoved(device));
    assert!(run.heard(device).contains(&ToGuest::Dismiss(Cause::Removed)));
    assert_eq!(run.acts_with("AskRoom(Leave").len(), 1);
    let next = run.device();
    run.room(RoomFact::Ended);
    assert!(run.heard(next).contains(&ToGuest::Dismiss(Cause::MeetingEnded)) && run.over);
}

/// The people of a room do not keep a meeting that no device or page is in.
#[test]
fn m10_a_meeting_ends_though_people_are_in_the_room() {
    let (mut run, device) = with_a_device();
    run.input(MeetingInput::Guest(device, FromGuest::Left));
    run.pass(20 * SECOND);
    assert!(run.over);
}

/// While the room cannot be reached its people are kept for a while, and a device inside stays.
#[test]
fn m10_a_device_stays_while_the_room_cannot_be_reached() {
    let (mut run, device) = with_a_device();
    run.room(RoomFact::Reachable(false));
    run.pass(90 * SECOND);
    assert_eq!(run.state.policy.standing(device), Some(Standing::In));
    run.acts_with("");
    run.people(&[person("anna", Role::Member, Some(9))]);
    assert_eq!(run.acts_with("Seat { end: Peer(peer-9)").len(), 1);
}
