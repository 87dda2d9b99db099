//! A member calls a room's phone from the page (S-9), and that phone hands its place over to another one during a recording (M-18).

use std::time::Instant;

use serde_json::json;

use crate::baresip::{Baresip, Codec, Login, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::member::Member;
use crate::namespace::isolated_beside_others;
use crate::pjsip::Pjsip;
use crate::waiting::{eventually, seconds};

const ALICE: f64 = 2711.0;
const BOARD: f64 = 1011.0;
const KITCHEN: f64 = 1311.0;
const PASSWORD: &str = "correct-horse-battery";

/// With two rooms that have passwords.
fn daemon(sip: &str) -> Daemon {
    let device = |label: &str, name: &str| {
        format!("[device.{label}]\nusername = \"{label}\"\npassword = \"{PASSWORD}\"\nname = \"{name}\"\ntext = true\n")
    };
    let devices = device("board", "Board room") + &device("kitchen", "Kitchen");
    Daemon::with(&format!("[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n{sip}{devices}"))
}

fn phone(daemon: &Daemon, port: u16, user: &str, hertz: f64) -> Pjsip {
    let account = json!({ "registrar": "sip:127.0.0.1:5060", "user": user, "password": PASSWORD, "mailbox": true });
    let mut phone = Pjsip::start_with(daemon.folder(), port, hertz, &account);
    assert_eq!(phone.wait_for("registered", 15)["status"], 200, "{}", daemon.log());
    let told = phone.wait_for("mailbox", 10);
    assert!(told["text"].as_str().is_some_and(|text| text.contains("Messages-Waiting: no")), "{told}");
    phone
}

/// A room is called from the page and hands its place over to another room during a recording.
#[test]
fn a_room_is_called_from_the_page_and_hands_its_place() {
    isolated_beside_others(|| {
        let daemon = daemon("");
        let mut board = phone(&daemon, 5062, "board", BOARD);
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        alice.connected();

        alice.click("call-room");
        alice.until("room-row", "the kitchen, where no phone is registered", |row| row.text.contains("Not registered"));
        alice.click_in("room-row", "Board room", "room-call");
        board.wait_for("talking", 10);
        let rung = Instant::now();
        alice.until("room-state", "somebody has answered", |row| row.text.contains("press 1"));
        alice.picture("call-a-room");
        assert!(board.hear(3.0).level() > -50.0, "which meeting it is");
        board.press("1");
        alice.until("room-state", "it knocks", |row| row.text.contains("lobby"));
        alice.click("rooms-done");
        assert!(alice.hear(1.0).level() < -60.0, "and is not heard yet");
        alice.click_in("lobby-row", "Board room", "admit");
        board.hears(ALICE);

        // What the room writes is in the chat, and what is written there is on the room's display.
        alice.click("chat-toggle");
        board.write("Can you hear us?");
        alice.until("chat-line", "what the room has written", |row| row.text.contains("Can you hear us?"));
        alice.write("chat-input", "Yes, well");
        alice.click("chat-send");
        assert_eq!(board.wait_for("read", 10)["text"], "Alice: Yes, well");
        alice.click("chat-close");

        alice.click("record");
        alice.wait("confirm-ok");
        alice.click("confirm-ok");
        alice.until("rec-banner", "the banner", |row| row.data["state"] == "on");
        let mut kitchen = phone(&daemon, 5064, "kitchen", KITCHEN);
        board.transfer("sip:kitchen@127.0.0.1");
        kitchen.wait_for("talking", 10);
        kitchen.press("1");
        assert_eq!(board.wait_for("transferred", 10)["status"], 200);
        board.wait_for("ended", 10);
        alice.until("lobby-row", "the kitchen knocks", |row| row.text.contains("Kitchen"));
        // What the other phone said last is still on its way to her.
        let level = alice.hear(2.0).last(1.0).level();
        assert!(level < -60.0, "nothing of it is heard before it is let in, but {level} dBov");
        alice.click_in("lobby-row", "Kitchen", "admit");
        kitchen.hears(ALICE);
        let told = eventually(seconds(20), "the kitchen is told of the recording", || {
            daemon.notices().into_iter().find(|notice| notice["device"] == "kitchen")
        });
        assert_eq!(told["outcome"], "completed", "{told}");

        // Attended: the kitchen asks the board room first, whose call with it ours takes the place of.
        kitchen.consult("sip:board@127.0.0.1:5062");
        // S-9: whoever asks, a device is called once in 20 s.
        eventually(seconds(30), "the board room may be called again", || (rung.elapsed() > seconds(20)).then_some(()));
        kitchen.join();
        board.wait_for("replaced", 10);
        // The call in which it asked.
        kitchen.wait_for("ended", 10);
        board.press("1");
        assert_eq!(kitchen.wait_for("transferred", 10)["status"], 200);
        alice.until("lobby-row", "the board room knocks again", |row| row.text.contains("Board room"));
        alice.click_in("lobby-row", "Board room", "admit");
        board.hears(ALICE);
        board.hang_up();
    });
}

/// Baresip holds resumes and hands its place over to another one.
#[test]
fn baresip_holds_resumes_and_hands_its_place() {
    isolated_beside_others(|| {
        // Debian's baresip gives up where a challenge offers what it does not know.
        let daemon = daemon("[sip]\ndigest = [\"md5\"]\n");
        let alice = Member::join(&daemon, "demo");
        let phone = |port, user, hertz| {
            let login = Login { user, password: PASSWORD, at: "127.0.0.1:5060" };
            let mut phone = Baresip::start_with(daemon.folder(), port, Codec::Pcmu, (Transport::Tcp, None), hertz, Some(login));
            assert!(phone.registered(), "{}", daemon.log());
            phone
        };
        let (mut board, mut kitchen) = (phone(5070, "board", BOARD), phone(5080, "kitchen", KITCHEN));
        board.dial("sip:1001@127.0.0.1:5060;transport=tcp");
        let waits = || alice.phones("lobby").first().cloned();
        alice.ask(json!({ "type": "admit", "id": eventually(seconds(10), "the board room knocks", waits) }));
        eventually(seconds(10), "it is inside", || alice.phones("in").first().cloned());
        let held = |wanted: bool| {
            eventually(seconds(10), "hold is shown", || {
                let rows = alice.state()["participants"].as_array().cloned().unwrap_or_default();
                rows.iter().any(|row| row["kind"] == "external" && row["on_hold"] == wanted).then_some(())
            });
        };
        board.command("hold", "");
        held(true);
        board.command("resume", "");
        held(false);
        board.command("transfer", "sip:kitchen@127.0.0.1");
        kitchen.wait_for("CALL_ESTABLISHED", 10);
        assert!(kitchen.hear(2.0).level() > -50.0, "which meeting it is");
        assert!(waits().is_none(), "nobody knocks before 1 is pressed");
        kitchen.press("1");
        eventually(seconds(10), "the kitchen knocks", waits);
        board.wait_for("CALL_CLOSED", 10);
        kitchen.hang_up();
    });
}
