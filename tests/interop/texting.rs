//! Chat by SMS (C-1 to C-6, C-10): a phone in a meeting, its user's mobile phone, and a member at the page.

use serde_json::json;

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::{Browser, Row};
use crate::daemon::Daemon;
use crate::namespace::isolated_beside_others;
use crate::smsc::Smsc;
use crate::waiting::{eventually, seconds};

const ALICE: f64 = 611.0;
const PHONE: f64 = 1011.0;
const MOBILE: &str = "01715550123";
const COLLEAGUE: &str = "491715550177";
/// The same as a centre has it.
const HANDSET: &str = "491715550123";

/// A daemon with its provider of messages.
fn daemon(provider: &str) -> Daemon {
    Daemon::with(&format!(
        "[chat]\nregion = \"north\"\n[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[relay]\ncountry_code = \"49\"\n{provider}"
    ))
}

/// Alice in the meeting `demo` with her chat open, and a phone that she has let in.
fn meeting(daemon: &Daemon) -> (Browser, Baresip) {
    let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
    alice.enter(&daemon.link("demo", true));
    alice.join("Alice");
    let mut phone = Baresip::start(daemon.folder(), 5080, Codec::Pcmu, Transport::Udp, PHONE);
    phone.dial("sip:1001@127.0.0.1:5060");
    alice.wait("lobby-row");
    alice.click("admit");
    alice.until("roster-row", "the phone is inside", |row| row.shows("external-mark"));
    alice.click("chat-toggle");
    (alice, phone)
}

fn says(alice: &mut Browser, text: &str) {
    alice.write("chat-input", text);
    alice.click("chat-send");
}

/// Keys in the number, and the code that `texted` finds in what was sent.
fn subscribes(daemon: &Daemon, phone: &mut Baresip, texted: impl FnOnce() -> String) {
    phone.press("*4");
    assert!(phone.hear(6.0).level() > -50.0, "a number is asked for");
    phone.press(&format!("{MOBILE}#"));
    let code: String = texted().chars().take(8).collect();
    phone.press(&format!("{code}#"));
    eventually(seconds(10), "it is on", || daemon.subscriptions().iter().any(|one| one["state"] == "on").then_some(()));
}

/// The messages that the provider `log` has printed.
fn messages(daemon: &Daemon) -> Vec<String> {
    let log = daemon.log();
    let texts = log.lines().filter_map(|line| line.strip_prefix("SMS from +12…00 to +49…23: "));
    texts.map(str::to_owned).collect()
}

fn message(daemon: &Daemon, wanted: &str) -> String {
    eventually(seconds(10), wanted, || messages(daemon).into_iter().find(|text| text.contains(wanted)))
}

/// The people around a phone get the chat by sms after they have keyed in a texted code.
#[test]
fn the_people_around_a_phone_get_the_chat_by_sms() {
    isolated_beside_others(|| {
        let daemon = daemon("");
        let (mut alice, mut phone) = meeting(&daemon);
        says(&mut alice, "Nobody reads this by SMS");
        subscribes(&daemon, &mut phone, || message(&daemon, "is your code"));

        says(&mut alice, "Dial-in is 10 € cheaper");
        assert_eq!(message(&daemon, "cheaper"), "Alice: Dial-in is 10 € cheaper");
        assert!(!messages(&daemon).iter().any(|text| text.contains("Nobody reads")), "{:?}", messages(&daemon));
        let shown = daemon.subscriptions();
        assert_eq!((shown[0]["number"].as_str(), shown[0]["segments"].as_u64()), (Some("+49…23"), Some(1)), "{shown:?}");

        phone.hang_up();
        message(&daemon, "its chat ends here");
        eventually(seconds(10), "it is over", || daemon.subscriptions().is_empty().then_some(()));
        says(&mut alice, "Too late");
        alice.until("chat-line", "what Alice has written", |row| row.text.contains("Too late"));
        assert_eq!(messages(&daemon).len(), 3, "the code, a line, the end: {:?}", messages(&daemon));
        assert!(!daemon.has_logged(MOBILE) && !daemon.log().contains("1715550123"), "the number is in the log");
        copies_die_on_time(daemon);
    });
}

/// A voice of the machine's own reads what was written, to who asks for it, as loud as the prompts.
#[test]
fn the_chat_is_read_aloud_by_a_local_program_on_request() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(
            "[speech]\ncommand = [\"/usr/bin/espeak-ng\", \"--stdin\", \"--stdout\", \"-v\", \"{language}\"]\n\
             [media]\nwebrtc_addresses = [\"127.0.0.1\"]\n",
        );
        let (mut alice, mut phone) = meeting(&daemon);
        // Her tone would be heard beside the words.
        alice.click("mute");
        alice.until("mute", "the microphone is closed", |row| row.data["state"] != "open");
        phone.press("*7");
        assert!(phone.hear(2.5).level() > -50.0, "there are no new messages");
        says(&mut alice, "We meet again on Thursday at nine o'clock in the large room beside the kitchen, and bring the plans");
        alice.until("chat-line", "what Alice has written", |row| row.text.contains("Thursday"));
        assert!(phone.hear(3.0).level() < -60.0, "nothing is read that nobody has asked for");
        phone.press("*7");
        let voice = phone.hear(4.0);
        assert!((-32.0..-14.0).contains(&voice.level()), "{} dBov", voice.level());
        eventually(seconds(10), "it has been read to its end", || (phone.hear(1.0).level() < -60.0).then_some(()));
        phone.press("*7");
        let nothing = phone.hear(2.5);
        assert!(nothing.level() > -50.0, "there are no new messages: {} dBov", nothing.level());
        eventually(seconds(10), "only that was said", || (phone.hear(1.0).level() < -60.0).then_some(()));
        assert!(!daemon.log().contains("Thursday") && !daemon.has_logged("speech program"), "{}", daemon.log());
    });
}

/// C-8: the one copy of what was said last is deleted on its day, also when nobody was there on that day.
fn copies_die_on_time(mut daemon: Daemon) {
    let state = daemon.folder().join("state");
    let copies = daemon.chats();
    assert_eq!(copies.len(), 1, "{copies:?}");
    let at = |name: &str| copies[0][name].as_str().and_then(roomgate::common::units::read_rfc3339);
    let lives = at("dies_at").zip(at("at")).map(|(dies, at)| dies - at);
    assert_eq!((lives, copies[0]["region"].as_str()), (Some(30 * 86_400_000), Some("north")), "{copies:?}");
    assert_eq!(daemon.stop(), 0);
    assert!(!daemon.log().contains("did not close in order"), "{}", daemon.log());
    let store = std::fs::read(state.join("roomgate.db")).expect("the store");
    let holds = |store: &[u8], text: &[u8]| store.windows(text.len()).any(|window| window == text);
    assert!(
        holds(&store, b"cheaper") && !holds(&store, b"Nobody reads"),
        "the one that was sent last, to a phone that was inside"
    );

    daemon.start_again_on("+29d");
    assert_eq!(daemon.chats().len(), 1);
    daemon.kill();
    daemon.start_again_on("+31d");
    eventually(seconds(10), "it is gone after 30 days", || daemon.chats().is_empty().then_some(()));
    assert_eq!(daemon.stop(), 0);
    assert!(!holds(&std::fs::read(state.join("roomgate.db")).expect("the store"), b"cheaper"));

    std::fs::write(state.join("roomgate.db"), store).expect("the store as it was");
    daemon.configure("[chat]\nretention = \"1d\"\n");
    daemon.start_again_on("+23h");
    assert_eq!(daemon.chats().len(), 1);
    daemon.kill();
    daemon.start_again_on("+25h");
    eventually(seconds(10), "a policy of one day is kept", || daemon.chats().is_empty().then_some(()));
}

/// Answers from a real message centre reach the meeting and stop ends it.
#[test]
fn c5_answers_from_a_real_message_centre_reach_the_meeting() {
    isolated_beside_others(|| {
        let daemon = daemon(Smsc::PROVIDER);
        let mut centre = Smsc::start(daemon.folder());
        let (mut alice, mut phone) = meeting(&daemon);
        subscribes(&daemon, &mut phone, || centre.text("is your code"));
        centre.wait_for("the code goes to the handset", |event| {
            event["event"] == "submitted" && event["to"] == HANDSET && event["from"] == "12025550100" && event["receipt"] == 1
        });

        // A line of two parts, and one that the alphabet of GSM lacks.
        says(&mut alice, &"word ".repeat(40));
        let first = centre.wait_for("the first part", |event| event["header"].is_array());
        let header: Vec<u64> = first["header"].as_array().unwrap().iter().filter_map(serde_json::Value::as_u64).collect();
        assert_eq!((&header[..2], &header[3..]), (&[0, 3][..], &[2, 1][..]), "{first}");
        says(&mut alice, "Жук 😀");
        assert_eq!(centre.text("Жук"), "Alice: Жук 😀");

        // An answer of three parts that come in the wrong order is one line, from the room, with its mark.
        let answer = "Wir kommen später: der Zug hat 20 Minuten Verspätung ".repeat(3);
        centre.write(HANDSET, &answer, 3);
        let line = alice.until("chat-line", "the answer", |row| row.text.contains(answer.trim()));
        assert!(line.shows("external-mark") && line.shows("sms-mark"), "{line:?}");
        assert!(line.text.contains("SMS +49…23") && !line.text.contains("5550123"), "{}", line.text);
        alice.picture("chat-by-sms");

        // What the centre throttles comes late and in order; what it never answered is sent again over the next connection.
        centre.order(&json!({ "throttle": 2 }));
        says(&mut alice, "throttled");
        says(&mut alice, "after it");
        centre.text("after it");
        assert_eq!(centre.count("throttled"), 2);
        centre.order(&json!({ "hang": true }));
        says(&mut alice, "unanswered");
        centre.text("unanswered");
        centre.order(&json!({ "drop": true, "hang": false }));
        eventually(seconds(20), "it is bound again", || (centre.count("bound") == 2).then_some(()));
        says(&mut alice, "the last line");
        centre.text("the last line");
        let texts = centre.texts();
        let times = |wanted: &str| texts.iter().filter(|text| text.as_str() == format!("Alice: {wanted}")).count();
        assert_eq!((times("throttled"), times("after it"), times("unanswered")), (1, 1, 2), "{texts:?}");

        let failed = |row: &Row| row.text.contains("the last line") && row.text.contains("SMS not delivered");
        alice.until("chat-line", "what its receipt says", failed);

        // Somebody else at the table texts the code that Alice sees beside the phone; both are told what must be known (N-10).
        let row = alice.until("roster-row", "its code", |row| row.shows("sms-code"));
        let code: String = row.text.split("SMS code ").nth(1).expect("a code").chars().take(8).collect();
        centre.write(COLLEAGUE, &format!("Join {code}"), 1);
        centre.text("has to confirm");
        alice.click_in("reader", "+49…77", "reader-confirm");
        centre.text("you get the chat of the meeting");
        alice.click("record");
        alice.wait("confirm-ok");
        alice.click("confirm-ok");
        let of_recording = |text: &&String| text.contains("recorded");
        eventually(seconds(20), "both know of the recording", || {
            (centre.texts().iter().filter(of_recording).count() == 2).then_some(())
        });
        centre.write(COLLEAGUE, "UNSUBSCRIBE", 1);
        centre.text("you will get no more messages");

        centre.write(HANDSET, "Stop.", 1);
        eventually(seconds(10), "both have ended it", || {
            let ended = |text: &&String| text.contains("you will get no more messages");
            (centre.texts().iter().filter(ended).count() == 2).then_some(())
        });
        says(&mut alice, "Nobody reads this by SMS");
        // Its holder alone can allow messages again, and has to prove it anew.
        centre.write(HANDSET, "START", 1);
        centre.text("messages are allowed again");
        subscribes(&daemon, &mut phone, || {
            eventually(seconds(10), "another code", || {
                centre.texts().into_iter().filter(|text| text.contains("is your code")).nth(1)
            })
        });
        centre.order(&json!({ "receipts": { "states": ["DELIVRD"], "names": "hex" } }));
        says(&mut alice, "Welcome back");
        alice
            .until("chat-line", "it is delivered", |row| row.text.contains("Welcome back") && row.text.contains("SMS delivered"));
        alice.picture("chat-delivered");

        // The end, and one answer to whoever writes after it.
        phone.hang_up();
        centre.text("its chat ends here");
        for text in ["hello?", "is anybody there?"] {
            centre.write(HANDSET, text, 1);
        }
        centre.text("so nobody has got your message");
        eventually(seconds(10), "all are taken", || (centre.count("written") == 9).then_some(()));
        says(&mut alice, "Too late");
        alice.until("chat-line", "what Alice has written", |row| row.text.contains("Too late"));
        let texts = centre.texts();
        let times = |wanted: &str| texts.iter().filter(|text| text.contains(wanted)).count();
        assert_eq!(
            (times("its chat ends here"), times("nobody has got"), times("Too late"), times("Nobody reads")),
            (1, 1, 0, 0)
        );
        assert!(!alice.rows("chat-line").iter().any(|row| row.text.contains("hello?")), "it reached the meeting");
        let log = daemon.log();
        assert!(!log.contains("5550123") && !log.contains("Zug") && !log.contains("throttled"), "{log}");
    });
}
