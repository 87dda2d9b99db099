//! Phones in rooms of a LiveKit server: heard and hearing once they are in, shown and ruled like anybody there, told what they must be told.

use serde_json::json;

use crate::audio::Sound;
use crate::baresip::{Baresip, Codec, Transport};
use crate::daemon::Daemon;
use crate::livekit::{LiveKit, People, settings};
use crate::namespace::isolated;
use crate::pjsip::Pjsip;
use crate::waiting::{eventually, seconds};

const ANNA: f64 = 611.0;
const BERT: f64 = 811.0;
const PHONE: f64 = 1011.0;

/// Somebody's tone at its level without a hole.
fn assert_heard(sound: &Sound, hertz: f64, who: &str) {
    let tone =
        sound.tone(hertz).unwrap_or_else(|| panic!("{who}: no tone at {hertz}; everything together has {}", sound.level()));
    println!("{who}: {tone:?}");
    assert!((tone.level + 18.0).abs() < 3.0 && tone.gaps.is_empty(), "{who}: {tone:?}");
}

struct Scene {
    daemon: Daemon,
    server: LiveKit,
    people: People,
}

impl Scene {
    fn start() -> Self {
        let daemon = Daemon::with(&settings());
        let server = LiveKit::start(daemon.folder());
        let people = People::start(daemon.folder());
        Self { daemon, server, people }
    }
}

/// Phones of three codecs wait in silence until somebody is in the room; then all hear each other, each once.
#[test]
fn phones_and_people_of_a_livekit_room_hear_each_other() {
    isolated(|| {
        let mut scene = Scene::start();
        let codecs = [(Codec::Pcmu, PHONE), (Codec::G722, 1311.0), (Codec::Opus, 1711.0)];
        let mut phones: Vec<_> = (5070..)
            .step_by(10)
            .zip(codecs)
            .map(|(port, (codec, hertz))| {
                let mut phone = Baresip::start(scene.daemon.folder(), port, codec, Transport::Udp, hertz);
                phone.dial("sip:1001@127.0.0.1:5060");
                (phone, hertz)
            })
            .collect();
        let waiting = phones[0].0.hear(4.0);
        scene.people.join("anna", ANNA);
        let mut devices: Vec<_> = phones.iter().map(|_| scene.people.device_comes("anna")).collect();
        devices.dedup();
        assert_eq!(devices.len(), 3, "each once: {devices:?}");
        for hertz in [ANNA, 1311.0, 1711.0] {
            assert!(waiting.trace_of(hertz) < -60.0, "{hertz} is heard before: {}", waiting.trace_of(hertz));
        }
        scene.people.join("bert", BERT);
        phones[0].0.hear(8.0);
        phones[0].0.hear(8.0);
        for (phone, own) in &phones {
            let inside = phone.heard().last(6.0);
            assert_heard(&inside, ANNA, &format!("the phone of {own} hears Anna"));
            assert_heard(&inside, BERT, &format!("the phone of {own} hears Bert"));
            assert!(inside.trace_of(*own) < -45.0, "an echo of {own}: {}", inside.trace_of(*own));
            let heard: Vec<_> =
                devices.iter().filter(|device| scene.people.heard("anna", device).last(6.0).tone(*own).is_some()).collect();
            assert_eq!(heard.len(), 1, "{own} is heard as one participant");
            assert_heard(&scene.people.heard("anna", heard[0]).last(6.0), *own, &format!("Anna hears {own}"));
        }
        phones.iter_mut().for_each(|(phone, _)| phone.hang_up());
        scene.people.until("Anna sees them go", 10, |told| {
            told["event"] == "went" && told["identity"].as_str().is_some_and(|who| who.ends_with("-ear"))
        });
        scene.people.order(&json!({ "do": "list", "room": "board" }));
        let people_alone =
            |told: &serde_json::Value| told["event"] == "listed" && told["people"].as_array().is_some_and(|all| all.len() == 2);
        scene.people.until("people alone are left", 10, people_alone);
    });
}

/// A recorder in the room is announced to the phone that is there, and to one that comes before it hears anybody (N-1, N-2).
#[test]
fn n1_a_recorder_in_a_livekit_room_is_announced_to_phones() {
    isolated(|| {
        let mut scene = Scene::start();
        scene.people.join("anna", ANNA);
        let mut phone = Baresip::start(scene.daemon.folder(), 5070, Codec::G722, Transport::Udp, PHONE);
        phone.dial("sip:1001@127.0.0.1:5060");
        scene.people.device_comes("anna");
        phone.hear_clear(ANNA, 1.5);
        let before = phone.heard().length();
        scene.people.order(&json!({ "do": "join", "who": "recorder", "room": "board", "recorder": true }));
        eventually(seconds(15), "the notice is in the ledger", || {
            scene.daemon.notices().iter().any(|line| line.to_string().contains("started")).then_some(())
        });
        assert!(!phone.heard().since(before).is_clear(ANNA), "the notice is heard over Anna");
        let mut late = Baresip::start(scene.daemon.folder(), 5080, Codec::Pcmu, Transport::Udp, 1311.0);
        late.dial("sip:1001@127.0.0.1:5060");
        eventually(seconds(15), "the late one is told as well", || (scene.daemon.notices().len() >= 2).then_some(()));
        scene.people.order(&json!({ "do": "leave", "who": "recorder" }));
        eventually(seconds(15), "both are told of the end", || (scene.daemon.notices().len() >= 4).then_some(()));
    });
}

/// Chat both ways, hand and microphone from both sides, and the way out (K-4, C-1).
#[test]
fn k4_a_phone_in_a_livekit_room_writes_and_is_ruled() {
    isolated(|| {
        let mut scene = Scene::start();
        scene.people.join("anna", ANNA);
        let mut phone = Pjsip::start(scene.daemon.folder(), 5070, PHONE);
        phone.dial("sip:1001@127.0.0.1:5060");
        let device = scene.people.device_comes("anna");
        phone.hears(ANNA);
        phone.write("hello from the room");
        scene.people.until("Anna reads it", 10, |told| told["event"] == "chat" && told["text"] == "hello from the room");
        scene.people.order(&json!({ "do": "say", "who": "anna", "text": "hello phones" }));
        phone.press("*5");
        let raised = |told: &serde_json::Value| {
            told["event"] == "changed" && told["identity"] == device && told["attributes"]["handRaisedAt"] != ""
        };
        scene.people.until("the hand is seen", 10, raised);
        phone.press("*6");
        scene.people.until("the phone is muted", 10, |told| told["event"] == "muted" && told["identity"] == device);
        phone.press("*6");
        scene.people.until("the phone is open", 10, |told| told["event"] == "unmuted" && told["identity"] == device);
        scene.people.order(&json!({ "do": "mute", "room": "board", "identity": device, "on": true }));
        scene.people.until("a host mutes it", 10, |told| told["event"] == "muted" && told["identity"] == device);
        eventually(seconds(5), "nothing is heard of it", || {
            (scene.people.hear("anna", &device, 1.0).level() < -60.0).then_some(())
        });
        scene.people.order(&json!({ "do": "remove", "room": "board", "identity": device }));
        phone.wait_for("ended", 15);
    });
}

/// A server that is killed and comes back takes nobody's place: the phone stays, and hears again.
#[test]
fn m10_a_phone_keeps_its_place_while_a_livekit_server_restarts() {
    isolated(|| {
        let mut scene = Scene::start();
        scene.people.join("anna", ANNA);
        let mut phone = Baresip::start(scene.daemon.folder(), 5070, Codec::Opus, Transport::Udp, PHONE);
        phone.dial("sip:1001@127.0.0.1:5060");
        scene.people.device_comes("anna");
        phone.hear_clear(ANNA, 1.5);
        scene.server.kill();
        eventually(seconds(10), "nothing comes any more", || (phone.hear(1.0).level() < -50.0).then_some(()));
        scene.server.start_again();
        let people = People::start(&{
            let folder = scene.daemon.folder().join("second");
            std::fs::create_dir_all(&folder).expect("a folder");
            folder
        });
        scene.people = people;
        scene.people.join("anna", ANNA);
        let device = scene.people.device_comes("anna");
        phone.hear_clear(ANNA, 1.5);
        assert_heard(&scene.people.hear("anna", &device, 3.0).last(2.0), PHONE, "Anna hears the phone");
        phone.hang_up();
    });
}

/// The room is ended for all: so is the call, in words.
#[test]
fn a_call_ends_with_its_livekit_room() {
    isolated(|| {
        let mut scene = Scene::start();
        scene.people.join("anna", ANNA);
        let mut phone = Baresip::start(scene.daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, PHONE);
        phone.dial("sip:1001@127.0.0.1:5060");
        scene.people.device_comes("anna");
        phone.hear_clear(ANNA, 1.0);
        scene.people.order(&json!({ "do": "delete", "room": "board" }));
        phone.wait_for("CALL_CLOSED", 15);
        let records = eventually(seconds(5), "the call has a record", || {
            Some(scene.daemon.records()).filter(|records| !records.is_empty())
        });
        assert!(records[0].to_string().contains("meeting-ended"), "{records:?}");
    });
}
