//! Chat by SMS (C-1 to C-4): a phone in a meeting, its user's mobile phone, and a member at the page.

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::namespace::isolated;
use crate::patience::{eventually, seconds};

const ALICE: f64 = 611.0;
const PHONE: f64 = 1011.0;
const MOBILE: &str = "01715550123";

/// The messages that the provider `log` has printed.
fn messages(daemon: &Daemon) -> Vec<String> {
    let log = daemon.log();
    let texts = log.lines().filter_map(|line| line.strip_prefix("SMS from +12…00 to +49…23: "));
    texts.map(str::to_owned).collect()
}

fn message(daemon: &Daemon, wanted: &str) -> String {
    eventually(seconds(10), wanted, || messages(daemon).into_iter().find(|text| text.contains(wanted)))
}

#[test]
fn the_people_around_a_phone_get_the_chat_by_sms_after_they_have_keyed_in_a_texted_code() {
    isolated(|| {
        let daemon = Daemon::with("[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[relay]\ncountry_code = \"49\"\n");
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        let mut phone = Baresip::start(daemon.folder(), 5080, Codec::Pcmu, Transport::Udp, PHONE);
        phone.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");
        alice.click("admit");
        alice.until("roster-row", "the phone is inside", |row| row.shows("external-mark"));
        alice.click("chat-toggle");
        alice.write("chat-input", "Nobody reads this by SMS");
        alice.click("chat-send");

        phone.press("*4");
        assert!(phone.hear(6.0).level() > -50.0, "a number is asked for");
        phone.press(&format!("{MOBILE}#"));
        let code: String = message(&daemon, "is your code").chars().take(6).collect();
        phone.press(&format!("{code}#"));
        eventually(seconds(10), "it is on", || daemon.subscriptions().iter().any(|one| one["state"] == "on").then_some(()));

        alice.write("chat-input", "Dial-in is 10 € cheaper");
        alice.click("chat-send");
        assert_eq!(message(&daemon, "cheaper"), "Alice: Dial-in is 10 € cheaper");
        assert!(!messages(&daemon).iter().any(|text| text.contains("Nobody reads")), "{:?}", messages(&daemon));
        let shown = daemon.subscriptions();
        assert_eq!((shown[0]["number"].as_str(), shown[0]["segments"].as_u64()), (Some("+49…23"), Some(1)), "{shown:?}");

        phone.hang_up();
        message(&daemon, "its chat ends here");
        eventually(seconds(10), "it is over", || daemon.subscriptions().is_empty().then_some(()));
        alice.write("chat-input", "Too late");
        alice.click("chat-send");
        alice.until("chat-line", "what Alice has written", |row| row.text.contains("Too late"));
        assert_eq!(messages(&daemon).len(), 3, "the code, a line, the end: {:?}", messages(&daemon));
        assert!(!daemon.has_logged(MOBILE) && !daemon.log().contains("1715550123"), "the number is in the log");
    });
}
