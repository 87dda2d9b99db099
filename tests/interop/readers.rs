//! Who reads by SMS around a phone, with a real message centre and a real page (C-2, M-7, X-2): confirmed, shown, removed; and nobody pays
//! for, or is shut out by, somebody else.

use serde_json::Value;

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::{Daemon, PAGES};
use crate::namespace::isolated_beside_others;
use crate::smsc::Smsc;
use crate::waiting::{eventually, seconds};

const COLLEAGUE: &str = "491715550177";
const OTHER: &str = "491715550188";

fn says(alice: &mut Browser, text: &str) {
    alice.write("chat-input", text);
    alice.click("chat-send");
    alice.until("chat-line", "what Alice has written", |row| row.text.contains(text));
}

/// The code beside the phone in Alice's page, which is not this one.
fn code(alice: &mut Browser, earlier: &str) -> String {
    let of = |text: &str| text.split("SMS code ").nth(1).map(|rest| rest.chars().take(8).collect::<String>());
    let fresh = |text: &str| of(text).filter(|code| code.len() == 8 && code != earlier);
    let row = alice.until("roster-row", "a code beside the phone", |row| fresh(&row.text).is_some());
    fresh(&row.text).expect("a code")
}

/// The phone as a participant, as the API has it.
fn phone(daemon: &Daemon) -> Value {
    let all = daemon.get("/api/v1/meetings/demo/participants");
    all["participants"].as_array().and_then(|all| all.iter().find(|one| one["via"] == "phone")).cloned().expect("the phone")
}

fn times(centre: &Smsc, to: &str, wanted: &str) -> usize {
    let all = centre.all("submitted");
    all.iter().filter(|one| one["to"] == to && one["text"].as_str().is_some_and(|text| text.contains(wanted))).count()
}

/// Who texts the code reads when a member has said yes and no longer when removed.
#[test]
fn m7_who_texts_the_code_reads_when_a_member_has_said_yes() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(&format!(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[relay]\ncountry_code = \"49\"\n{}",
            Smsc::PROVIDER
        ));
        let mut centre = Smsc::start(daemon.folder());
        eventually(seconds(10), "it is bound", || (centre.count("bound") == 1).then_some(()));
        let mut alice = Browser::start(daemon.folder(), "alice", 611.0);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        let mut guest = Browser::start(daemon.folder(), "guest", 911.0);
        guest.open(&format!("http://{PAGES}/m/demo"));
        guest.knock("Gus");
        alice.wait("lobby-row");
        alice.click("admit");
        guest.connected();
        let mut desk = Baresip::start(daemon.folder(), 5080, Codec::Pcmu, Transport::Udp, 1011.0);
        desk.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");
        alice.click("admit");
        let first = code(&mut alice, "");
        alice.click("chat-toggle");
        guest.until("roster-row", "the phone", |row| row.shows("phone-mark"));
        assert!(
            !guest.rows("roster-row").iter().any(|row| row.shows("sms-code") || row.text.contains(&first)),
            "a guest sees the code"
        );

        centre.write(COLLEAGUE, &format!("Join {first}"), 1);
        centre.text("has to confirm");
        let row = alice.until("reader", "who wants to read", |row| row.shows("reader-pending"));
        assert!(row.text.contains("+49…77") && !row.text.contains("5550177"), "{}", row.text);
        alice.picture("reader-pending");
        says(&mut alice, "Not for everybody");
        alice.click_in("reader", "+49…77", "reader-confirm");
        centre.text("you get the chat of the meeting");
        alice.until("reader", "who reads", |row| row.shows("reader-on"));
        says(&mut alice, "For those around the table");
        centre.text("For those around");
        assert_eq!(times(&centre, COLLEAGUE, "Not for everybody"), 0);
        assert!(guest.rows("reader").is_empty(), "a guest sees who reads");

        // Removed by the API: the code is void, and what is written goes nowhere.
        let shown = phone(&daemon);
        let readers = shown["join"]["readers"].as_array().expect("a list");
        assert!(readers.len() == 1 && readers[0]["state"] == "on" && readers[0]["number"] == "+49…77", "{shown}");
        let path = format!(
            "/api/v1/meetings/demo/participants/{}/readers/{}",
            shown["id"].as_str().expect("an id"),
            readers[0]["id"].as_str().expect("an id")
        );
        assert_eq!(daemon.request("DELETE", &path, "", "").0, 204);
        centre.text("you were taken off");
        let second = code(&mut alice, &first);
        says(&mut alice, "Without them");
        centre.write(COLLEAGUE, &first, 1);
        centre.write(OTHER, &second, 1);
        alice.until("reader", "the other", |row| row.text.contains("+49…88"));
        assert_eq!(alice.rows("reader").len(), 1, "a void code is none");
        // Removed by the page, after a question.
        alice.click_in("reader", "+49…88", "reader-confirm");
        alice.until("reader", "who reads", |row| row.shows("reader-on"));
        alice.click_in("reader", "+49…88", "reader-remove");
        alice.wait("confirm-ok");
        alice.click("confirm-ok");
        alice.gone("reader", "+49…88");
        code(&mut alice, &second);
        eventually(seconds(10), "they are told", || (times(&centre, OTHER, "you were taken off") == 1).then_some(()));
        assert_eq!(times(&centre, COLLEAGUE, "Without them"), 0);
        assert!(!daemon.log().contains("5550177") && !daemon.log().contains(&first), "{}", daemon.log());
    });
}

/// Stop in any coding ends it and neither wrong codes nor strangers cost others anything.
#[test]
fn c2_stop_in_any_coding_ends_it_and_neither_wrong_codes() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(&format!("[relay]\ncountry_code = \"49\"\nanswers_per_minute = 5\n{}", Smsc::PROVIDER));
        let mut centre = Smsc::start(daemon.folder());
        eventually(seconds(10), "it is bound", || (centre.count("bound") == 1).then_some(()));
        let member = crate::member::Member::join(&daemon, "demo");
        let mut desk = Baresip::start(daemon.folder(), 5080, Codec::Pcmu, Transport::Udp, 1011.0);
        desk.dial("sip:1001@127.0.0.1:5060");
        let knocking = eventually(seconds(10), "it knocks", || member.phones("lobby").first().cloned());
        member.ask(serde_json::json!({ "type": "admit", "id": knocking }));
        let code = eventually(seconds(10), "a code", || phone_code(&daemon));

        // A hundred wrong codes of one number, and strangers from near and far: the right code of another is good all the same.
        for n in 0..100 {
            centre.write(OTHER, &format!("{:08}", (code.parse::<u32>().expect("digits") + 1 + n) % 100_000_000), 1);
        }
        for n in 0..100 {
            centre.write(&format!("4917166{n:05}"), "hello?", 1);
            centre.write(&format!("8816{n:08}"), "hello?", 1);
        }
        eventually(seconds(20), "all are taken", || (centre.count("written") == 300).then_some(()));
        centre.write(COLLEAGUE, &code, 1);
        member.confirms_readers();
        centre.text("you get the chat of the meeting");
        let answers = centre.texts().iter().filter(|text| text.contains("nobody has got")).count();
        assert!(answers <= 6, "{answers} answers to strangers");
        assert!(centre.all("submitted").iter().all(|one| one["to"].as_str().is_some_and(|to| to.starts_with("49"))), "abroad");
        let lines = daemon.log().lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
        assert!(lines < 10, "{}", daemon.log());

        // Each of them, by somebody who reads.
        let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let stops: [(u8, Vec<u8>); 6] = [
            (0, b"Stop!".to_vec()),
            (0, vec![0x53, 0xEA, 0x13, 0x0A]),
            (3, b"arr\xEAt".to_vec()),
            (8, utf16("ＳＴＯＰ", u16::to_be_bytes)),
            (8, [&[0xFF, 0xFE][..], &utf16("stop 🙏", u16::to_le_bytes)].concat()),
            (0xF5, b"\"STOP\"".to_vec()),
        ];
        for (n, (coding, octets)) in stops.iter().enumerate() {
            let reader = format!("49171777{n:04}");
            let code = phone_code(&daemon).expect("a code");
            centre.write(&reader, &code, 1);
            member.confirms_readers();
            eventually(seconds(10), "they read", || (times(&centre, &reader, "you get the chat") == 1).then_some(()));
            centre.send(&reader, *coding, octets);
            eventually(seconds(10), "they have ended it", || (times(&centre, &reader, "no more messages") == 1).then_some(()));
        }
        member.ask(serde_json::json!({ "type": "chat", "text": "for one alone" }));
        centre.text("for one alone");
        let readers = centre.all("submitted").into_iter().filter(|one| one["text"] == "Alice: for one alone");
        assert_eq!(readers.map(|one| one["to"].clone()).collect::<Vec<_>>(), [COLLEAGUE]);
    });
}

fn phone_code(daemon: &Daemon) -> Option<String> {
    let all = daemon.get("/api/v1/meetings/demo/participants");
    all["participants"].as_array()?.iter().find_map(|one| one["join"]["code"].as_str().map(str::to_owned))
}
