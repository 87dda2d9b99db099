//! One room in virtual time, whose participants only say what a test has them say.

use super::super::proto::TrackInfo;
use super::*;
use crate::common::ids::{CallId, PortId};

const PHONE: ParticipantId = ParticipantId::from_number(1);
const OTHER: ParticipantId = ParticipantId::from_number(2);

struct Rig {
    room: RoomState,
    now: Instant,
    out: Vec<RoomOutput>,
    captured: BTreeMap<CaptureKind, Capture>,
}

impl Rig {
    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn new() -> Self {
        let now = Instant::now();
        let mut rig = Self { room: RoomState::new(now, "n".to_owned()), now, out: Vec::new(), captured: BTreeMap::new() };
        rig.pass(Duration::ZERO);
        rig
    }

    /// One that a device is in.
    fn entered() -> Self {
        let mut rig = Self::new();
        rig.enter(PHONE);
        rig.out.clear();
        rig
    }

    fn input(&mut self, input: RoomInput) {
        self.room.handle(self.now, input);
        self.out.extend(std::iter::from_fn(|| self.room.poll()));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.room.wake(self.now);
        self.out.extend(std::iter::from_fn(|| self.room.poll()));
    }

    fn ask(&mut self, ask: RoomAsk) {
        self.input(RoomInput::Ask(ask, 7));
    }

    fn enter(&mut self, who: ParticipantId) {
        let number = who.number();
        let (call, end) = (CallId::from_number(number), MediaEnd::Port(PortId::from_number(number)));
        let (name, caller) = (text("Berlin"), "+49 30 …".to_owned());
        self.ask(RoomAsk::Enter(Box::new(EnteringGuest { who, call, end, name, caller })));
    }

    fn event(&mut self, slot: Slot, event: ParticipantEvent) {
        self.input(RoomInput::Event(slot, event));
    }

    fn people(&mut self, people: Vec<ParticipantInfo>) -> Vec<RoomPerson> {
        self.out.clear();
        self.event(Slot::Ear, ParticipantEvent::People(people, BTreeMap::new()));
        match self.facts().as_slice() {
            [RoomFact::People(people)] => people.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// What has happened since the last call, in words.
    fn steps(&mut self) -> Vec<String> {
        let word = |output: RoomOutput| match output {
            RoomOutput::Join { slot, who, .. } => format!("join {slot:?} {}", who.identity),
            RoomOutput::Leave(slot) => format!("leave {slot:?}"),
            RoomOutput::Tell(slot, ParticipantAsk::Say(text)) => format!("{slot:?} says {}", text.expose()),
            RoomOutput::Tell(slot, ask) => format!("{slot:?} {ask:?}"),
            RoomOutput::Look => "look".to_owned(),
            RoomOutput::Fact(fact) => format!("{fact:?}"),
        };
        self.out.drain(..).map(word).collect()
    }

    /// Whether it was said last to be recorded, and transcribed.
    fn captures(&mut self) -> [Capture; 2] {
        for fact in self.facts() {
            if let RoomFact::Capture(what, state) = fact {
                self.captured.insert(what, state);
            }
        }
        CaptureKind::ALL.map(|what| self.captured.get(&what).copied().unwrap_or_default())
    }

    fn facts(&mut self) -> Vec<RoomFact> {
        let fact = |output| if let RoomOutput::Fact(fact) = output { Some(fact) } else { None };
        self.out.drain(..).filter_map(fact).collect()
    }
}

fn text(text: &str) -> Redacted<String> {
    Redacted::new(text.to_owned())
}

fn one(identity: &str, kind: Kind) -> ParticipantInfo {
    ParticipantInfo { sid: identity.to_owned(), identity: identity.to_owned(), kind: kind.into(), ..ParticipantInfo::default() }
}

#[test]
fn a_room_is_looked_at_from_outside_and_entered_with_a_device() {
    let mut rig = Rig::new();
    assert_eq!(rig.steps(), ["look"]);
    let people = vec![one("anna", Kind::Standard)];
    rig.input(RoomInput::Looked(Some(RoomListing { people, recorded: true, metadata: String::new() })));
    assert_eq!(rig.captures(), [Capture::On, Capture::Off]);
    rig.pass(LOOK_EVERY);
    assert_eq!(rig.steps(), ["look"]);
    rig.enter(PHONE);
    rig.enter(OTHER);
    let joins: Vec<_> = rig.steps().into_iter().filter(|step| step.starts_with("join")).collect();
    assert_eq!(joins.len(), 3, "{joins:?}");
    rig.input(RoomInput::Looked(None));
    rig.pass(LOOK_EVERY * 3);
    assert!(rig.steps().is_empty(), "who is inside need not look");
    rig.ask(RoomAsk::Leave(PHONE));
    rig.ask(RoomAsk::Leave(OTHER));
    rig.pass(Duration::ZERO);
    let steps = rig.steps();
    assert_eq!(&steps[steps.len() - 2..], ["leave Ear", "look"], "{steps:?}");
}

#[test]
fn of_people_those_count_that_are_no_part_of_ours() {
    let mut rig = Rig::entered();
    let identity = rig.room.guests[&PHONE].identity.clone();
    let mut ear = one("roomgate-other-ear", Kind::Sip);
    ear.attributes.insert(PART.to_owned(), "ear".to_owned());
    let mut anna = one("anna", Kind::Standard);
    anna.attributes.insert(HAND.to_owned(), "1700".to_owned());
    anna.tracks.push(TrackInfo { sid: "TR".to_owned(), ..TrackInfo::default() });
    let people = vec![one(&identity, Kind::Sip), ear, anna, one("dial-in", Kind::Sip), one("recorder", Kind::Egress)];
    let people = rig.people(people);
    let seen: Vec<_> = people.iter().map(|one| (one.key.as_str(), one.role, one.hand, one.muted)).collect();
    assert_eq!(seen, [("anna", Role::Member, true, false), ("dial-in", Role::External, false, true)]);
}

#[test]
fn a_server_out_of_reach_is_said_once_and_so_is_its_return() {
    let mut rig = Rig::new();
    rig.out.clear();
    for _ in 0..4 {
        rig.input(RoomInput::Looked(None));
    }
    assert_eq!(rig.facts(), [RoomFact::Reachable(false)]);
    rig.input(RoomInput::Looked(Some(RoomListing::default())));
    assert_eq!(rig.facts().first(), Some(&RoomFact::Reachable(true)));
    rig.enter(PHONE);
    rig.out.clear();
    rig.event(Slot::Guest(PHONE), ParticipantEvent::Connected(false));
    rig.event(Slot::Ear, ParticipantEvent::Connected(false));
    rig.event(Slot::Ear, ParticipantEvent::Connected(false));
    rig.event(Slot::Ear, ParticipantEvent::Connected(true));
    assert_eq!(rig.facts(), [RoomFact::Reachable(false), RoomFact::Reachable(true)]);
}

#[test]
fn a_device_is_shown_as_it_is_and_only_when_it_changes() {
    let mut rig = Rig::entered();
    let state = |name: &str, muted, hand| RoomAsk::Guest(PHONE, GuestState { name: text(name), muted, hand });
    rig.ask(state("Berlin", false, false));
    rig.ask(state("Berlin", false, false));
    assert_eq!(rig.steps(), ["Guest(p1) Mute(false)"]);
    rig.ask(state("Berlin", true, true));
    let steps = rig.steps();
    assert!(steps[0].ends_with("Mute(true)") && steps[1].contains(r#""handRaisedAt": "7""#), "{steps:?}");
    rig.ask(state("Paris", true, false));
    let steps = rig.steps();
    assert!(steps[0].contains(r#"Describe("Paris""#) && steps[0].contains(r#""handRaisedAt": """#), "{steps:?}");
    assert_eq!(steps.len(), 1);
}

#[test]
fn a_hand_that_is_up_at_the_door_is_shown_as_well() {
    let mut rig = Rig::entered();
    rig.ask(RoomAsk::Guest(PHONE, GuestState { name: text("Berlin"), muted: false, hand: true }));
    let steps = rig.steps();
    assert!(steps.iter().any(|step| step.contains(r#""handRaisedAt": "7""#)), "{steps:?}");
}

#[test]
fn each_text_is_told_once_and_said_under_its_name() {
    let mut rig = Rig::entered();
    let received = |private| ParticipantEvent::Text(ReceivedText { from: "anna".to_owned(), text: "hi".to_owned(), private });
    for slot in [Slot::Ear, Slot::Guest(PHONE)] {
        rig.event(slot, received(false));
        rig.event(slot, received(true));
    }
    let fact = |to| RoomFact::Chat { key: "anna".to_owned(), text: text("hi"), to };
    assert_eq!(rig.facts(), [fact(None), fact(Some(PHONE))]);
    for who in [Some(PHONE), Some(OTHER), None] {
        rig.ask(RoomAsk::Chat { who, name: text("Anna"), text: text("hello") });
    }
    assert_eq!(rig.steps(), ["Guest(p1) says hello", "Ear says Anna: hello", "Ear says Anna: hello"]);
}

#[test]
fn who_takes_a_device_out_ends_its_visit_alone() {
    let mut rig = Rig::entered();
    rig.enter(OTHER);
    rig.out.clear();
    rig.event(Slot::Guest(PHONE), ParticipantEvent::Over(4));
    assert_eq!(rig.facts(), [RoomFact::GuestRemoved(PHONE)]);
    rig.event(Slot::Ear, ParticipantEvent::Over(4));
    assert_eq!(rig.facts(), [RoomFact::GuestRemoved(PHONE), RoomFact::GuestRemoved(OTHER)]);
}

#[test]
fn the_end_of_a_room_is_said_once() {
    let mut rig = Rig::entered();
    rig.event(Slot::Guest(PHONE), ParticipantEvent::Over(5));
    rig.event(Slot::Ear, ParticipantEvent::Over(5));
    assert_eq!(rig.facts(), [RoomFact::Ended]);
    rig.pass(COMES_BACK_AFTER);
    assert!(rig.steps().is_empty());
}

#[test]
fn who_is_out_for_another_reason_joins_again() {
    let mut rig = Rig::entered();
    rig.ask(RoomAsk::Guest(PHONE, GuestState { name: text("Berlin"), muted: true, hand: false }));
    rig.out.clear();
    // STATE_MISMATCH, CONNECTION_TIMEOUT
    rig.event(Slot::Ear, ParticipantEvent::Over(6));
    rig.event(Slot::Guest(PHONE), ParticipantEvent::Over(14));
    assert!(rig.steps().is_empty());
    rig.pass(COMES_BACK_AFTER);
    let steps = rig.steps();
    assert!(steps[0].starts_with("join Ear") && steps[1].starts_with("Ear Ignore"), "{steps:?}");
    assert!(steps[2].starts_with("join Guest") && steps[3].ends_with("Mute(true)"), "{steps:?}");
}

#[test]
fn captures_are_those_of_the_server_or_of_the_application() {
    use Capture::{Off, On};
    let mut rig = Rig::entered();
    let (runs, saves) = (r#"{"recording_status":"started"}"#, r#"{"recording_status":"saving","recording_mode":"transcript"}"#);
    let begins = r#"{"recording_mode":"transcript","recording_status":"starting"}"#;
    let rows = [(true, "", [On, Off]), (false, "no JSON", [Off, Off]), (false, runs, [On, Off]), (true, begins, [On, On])];
    for (recorded, metadata, expected) in rows.into_iter().chain([(false, saves, [Off, Off]), (false, "[7]", [Off, Off])]) {
        rig.event(Slot::Ear, ParticipantEvent::Room { recorded, metadata: metadata.to_owned() });
        assert_eq!(rig.captures(), expected, "{metadata}");
    }
}

/// An agent hears everybody, so its being there is a transcription, until it leaves.
#[test]
fn n1_an_agent_in_the_room_counts_as_a_transcription() {
    let mut rig = Rig::entered();
    rig.event(Slot::Ear, ParticipantEvent::People(vec![one("helper", Kind::Agent)], BTreeMap::new()));
    assert_eq!(rig.captures(), [Capture::Off, Capture::On]);
    rig.event(Slot::Ear, ParticipantEvent::People(vec![one("helper", Kind::Agent)], BTreeMap::new()));
    assert!(!rig.steps().iter().any(|step| step.contains("Capture")), "a repeat is not told");
    rig.event(Slot::Ear, ParticipantEvent::People(Vec::new(), BTreeMap::new()));
    assert_eq!(rig.captures(), [Capture::Off, Capture::Off]);
}
