//! A phone calls, a member admits it by clicking, and both talk: every codec, both transports, http and https.

use crate::audio::Sound;
use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::namespace::{OUTER_ADDRESS, isolated};
use crate::waiting::{eventually, seconds};

/// Alice's tone.
const ALICE: f64 = 611.0;
/// The level of everybody's tone, in dBov.
const TONE_LEVEL: f64 = -18.0;

/// Asserts that this is somebody's tone, at its level, without a hole.
fn assert_heard(sound: &Sound, hertz: f64, who: &str) {
    let tone =
        sound.tone(hertz).unwrap_or_else(|| panic!("{who}: no tone at {hertz}; everything together has {}", sound.level()));
    println!("{who}: {tone:?}");
    assert!((tone.hertz - hertz).abs() < 2.0, "{who}: {tone:?}");
    assert!((tone.level - TONE_LEVEL).abs() < 3.0, "{who}: {tone:?}");
    assert!(tone.gaps.is_empty(), "{who}: {tone:?}");
}

/// A browser with Alice, an organiser, in the meeting `demo`.
fn alice(daemon: &Daemon) -> Browser {
    let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
    alice.enter(&daemon.link("demo", true));
    alice.join("Alice");
    alice
}

/// A phone on udp talks with a browser in every codec once it is admitted and not before.
#[test]
fn a_phone_on_udp_talks_with_a_browser_in_every_codec_once() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut alice = alice(&daemon);
        for (port, codec) in (5070..).step_by(10).zip(Codec::ALL) {
            let mut phone = Baresip::start(daemon.folder(), port, codec, Transport::Udp, 1011.0);
            phone.dial("sip:1001@127.0.0.1:5060");
            alice.wait("lobby-row");
            let lobby = phone.hear(4.0);
            let meeting = alice.heard().last(3.0);
            assert!(lobby.trace_of(ALICE) < -60.0, "{codec:?}: Alice is heard in the lobby at {}", lobby.trace_of(ALICE));
            assert!(lobby.level() > -50.0, "{codec:?}: the lobby has prompts and music, not {}", lobby.level());
            assert!(meeting.trace_of(1011.0) < -60.0, "{codec:?}: the lobby is heard at {}", meeting.trace_of(1011.0));
            assert!(meeting.level() < -60.0, "{codec:?}: Alice, alone, hears {}", meeting.level());
            alice.click("admit");
            alice.until("roster-row", "the phone is inside, marked as external", |row| row.shows("external-mark"));
            // Its prompt of welcome is over, then 12 s of nothing but the meeting.
            phone.hear_clear(ALICE, 1.5);
            let inside = phone.hear(12.0);
            assert_heard(&inside, ALICE, &format!("{codec:?} phone hears Alice"));
            assert_heard(&alice.heard().last(12.0), 1011.0, &format!("Alice hears the {codec:?} phone"));
            assert!(inside.trace_of(1011.0) < -45.0, "{codec:?}: an echo of {}", inside.trace_of(1011.0));
            println!("{codec:?}: {}", alice.received());
            phone.hang_up();
            alice.gone("roster-row", "External");
        }
    });
}

/// Four phones on tcp each with another codec all hear each other and the browser.
#[test]
fn four_phones_on_tcp_each_with_another_codec_all_hear() {
    isolated(|| {
        // Five sound at once without an end; usually the four loudest are mixed.
        let daemon = Daemon::with("[media]\nwebrtc_addresses = [\"127.0.0.1\"]\nspeakers = 5\n");
        let mut alice = alice(&daemon);
        let tones = [1011.0, 1311.0, 1711.0, 2311.0];
        let mut phones: Vec<(f64, Codec, Baresip)> = Vec::new();
        for ((port, codec), hertz) in (5070..).step_by(10).zip(Codec::ALL).zip(tones) {
            let mut phone = Baresip::start(daemon.folder(), port, codec, Transport::Tcp, hertz);
            phone.dial("sip:1001@127.0.0.1:5060;transport=tcp");
            phones.push((hertz, codec, phone));
        }
        eventually(seconds(10), "four are in the lobby", || (alice.rows("lobby-row").len() == 4).then_some(()));
        assert!(alice.heard().last(2.0).level() < -60.0);
        alice.click("admit-all");
        alice.gone("lobby-row", "");
        // Prompts of welcome, and those who come in are told to those who are there.
        phones[0].2.hear(8.0);
        phones[0].2.hear(20.0);
        let meeting = alice.heard().last(20.0);
        for (own, codec, phone) in &phones {
            let inside = phone.heard().last(20.0);
            for hertz in tones.into_iter().chain([ALICE]).filter(|hertz| hertz != own) {
                assert_heard(&inside, hertz, &format!("{codec:?} phone hears {hertz}"));
            }
            assert!(inside.trace_of(*own) < -45.0, "{codec:?}: an echo of {}", inside.trace_of(*own));
            assert_heard(&meeting, *own, &format!("Alice hears the {codec:?} phone"));
        }
    });
}

#[test]
fn a_member_over_https_from_another_address_admits_a_phone() {
    isolated(|| {
        let daemon = Daemon::start_with_https();
        let link = daemon.link("demo", true);
        assert!(link.starts_with(&format!("https://{OUTER_ADDRESS}:8443/")), "{link}");
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&link);
        alice.join("Alice");
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::G722, Transport::Udp, 1011.0);
        phone.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");
        alice.click("admit");
        alice.until("roster-row", "the phone is inside", |row| row.shows("external-mark"));
        phone.hear_clear(ALICE, 1.5);
        assert_heard(&phone.hear(5.0), ALICE, "the phone hears Alice");
        assert_heard(&alice.heard().last(5.0), 1011.0, "Alice hears the phone");
    });
}

/// Who joins before allowing the microphone is heard as soon as it is allowed.
#[test]
fn who_joins_before_allowing_the_microphone_is_heard_as_soon() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut alice = Browser::start_with(daemon.folder(), "alice", ALICE, 3000);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        alice.until("mute", "the microphone is open", |row| row.data["state"] == "open");
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, 1011.0);
        phone.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");
        alice.click("admit");
        phone.hear_clear(ALICE, 1.5);
        assert_heard(&phone.hear(4.0), ALICE, "the phone hears Alice");
    });
}

/// An external in a browser waits unheard and then talks and chats.
#[test]
fn an_external_in_a_browser_waits_unheard_and_then_talks() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut alice = alice(&daemon);
        let mut bob = Browser::start(daemon.folder(), "bob", 1711.0);
        bob.open("http://127.0.0.1:8080/m/demo");
        bob.knock("Bob");
        alice.until("lobby-row", "Bob is in the lobby", |row| row.text.contains("Bob"));
        assert!(alice.hear(3.0).level() < -60.0, "the lobby is heard");
        alice.click("admit");
        bob.connected();
        alice.until("roster-row", "Bob is inside, marked as external", |row| row.shows("external-mark"));
        assert_heard(&alice.hear(6.0).last(4.0), 1711.0, "Alice hears Bob");
        assert_heard(&bob.hear(6.0).last(4.0), ALICE, "Bob hears Alice");
        for browser in [&mut alice, &mut bob] {
            browser.click("chat-toggle");
        }
        alice.write("chat-input", "Welcome, <b>Bob</b>");
        alice.click("chat-send");
        bob.until("chat-line", "the line as it was written", |row| row.text.contains("Welcome, <b>Bob</b>"));
    });
}
