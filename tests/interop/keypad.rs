//! What a phone does while it is in a meeting: hold, mute, an organiser's powers (S-5, K-2, K-4).

use std::path::Path;

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::{Browser, Row};
use crate::daemon::{DEMO_PIN, Daemon};
use crate::namespace::isolated;
use crate::pjsip::{HOLD_MUSIC, Pjsip};

const ALICE: f64 = 611.0;
const PHONE: f64 = 1011.0;
const SPEECH: f64 = -34.0;

/// Alice in the meeting `demo`, and a phone that she has let in.
fn meeting(daemon: &Daemon, folder: &Path) -> (Browser, Pjsip) {
    let mut alice = Browser::start(folder, "alice", ALICE);
    alice.enter(&daemon.link("demo", true));
    alice.join("Alice");
    let mut phone = Pjsip::start(folder, 5062, PHONE);
    phone.dial("sip:1001@127.0.0.1:5060");
    alice.wait("lobby-row");
    alice.click("admit");
    alice.until("roster-row", "the phone is inside", is_phone);
    phone.hear_clear(ALICE, 2.0);
    assert!(alice.heard().last(2.0).tone(PHONE).is_some(), "Alice hears the phone");
    (alice, phone)
}

/// Asserts that something is said to the phone in the next seconds, or has been since `before`.
fn assert_told(phone: &Pjsip, before: f64, what: &str) {
    phone.hear(4.0);
    let said = phone.heard().since(before).without(&[ALICE]).louder_than(SPEECH);
    assert!(!said.is_empty(), "the phone is not told: {what}");
}

fn is_phone(row: &Row) -> bool {
    row.shows("external-mark")
}

/// A phone on hold is shown so and its music never reaches the meeting.
#[test]
fn a_phone_on_hold_is_shown_so_and_its_music_never_reaches() {
    isolated(|| {
        let daemon = Daemon::start();
        let (mut alice, mut phone) = meeting(&daemon, daemon.folder());
        let start = alice.heard().length();
        phone.hold();
        alice.until("roster-row", "the phone is on hold", |row| is_phone(row) && row.shows("on-hold"));
        let held = alice.hear(4.0);
        assert!(held.last(3.0).trace_of(PHONE) < -60.0 && held.last(3.0).level() < -60.0, "{}", held.last(3.0).level());
        phone.resume();
        alice.until("roster-row", "the phone is back", |row| is_phone(row) && !row.shows("on-hold"));
        phone.hear_clear(ALICE, 2.0);
        assert!(alice.heard().last(2.0).tone(PHONE).is_some(), "Alice hears the phone again");
        let music = alice.heard().since(start).trace_of(HOLD_MUSIC);
        assert!(music < -60.0, "hold music reached the meeting at {music}");
        phone.hang_up();
        alice.gone("roster-row", "External");
    });
}

/// Mute is one state for the keypad and the page and the phone is told of both.
#[test]
fn mute_is_one_state_for_the_keypad_and_the_page_and_the_phone() {
    isolated(|| {
        let daemon = Daemon::start();
        let (mut alice, mut phone) = meeting(&daemon, daemon.folder());
        let muted = |row: &Row| is_phone(row) && row.shows("muted-mark");
        let open = |row: &Row| is_phone(row) && !row.shows("muted-mark");
        for by_phone in [true, false] {
            let who = if by_phone { "*6" } else { "the page" };
            for (state, closed) in [(&muted as &dyn Fn(&Row) -> bool, true), (&open, false)] {
                let before = phone.heard().length();
                if by_phone {
                    phone.press("*6");
                } else {
                    alice.click_in("roster-row", "External", "row-menu");
                    alice.click("row-mute");
                }
                alice.until("roster-row", &format!("{who}: closed is {closed}"), state);
                assert_told(&phone, before, who);
                let heard = alice.heard().last(2.0);
                assert_eq!(heard.tone(PHONE).is_none(), closed, "{who}: {:?}", heard.tone(PHONE));
                assert!(!closed || heard.trace_of(PHONE) < -60.0, "{who}: {}", heard.trace_of(PHONE));
            }
        }
    });
}

/// The organisers pin lets a phone admit another and neither pin nor keys are heard or logged.
#[test]
fn the_organisers_pin_lets_a_phone_admit_another_and_neither() {
    isolated(|| {
        let daemon = Daemon::start();
        let (mut alice, mut phone) = meeting(&daemon, daemon.folder());
        let mut other = Baresip::start(daemon.folder(), 5080, Codec::Pcmu, Transport::Udp, 1311.0);
        other.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");

        // Without the PIN it may not (M-7).
        let before = phone.heard().length();
        phone.press("*21");
        assert_told(&phone, before, "that it may not admit");
        assert_eq!(alice.rows("lobby-row").len(), 1);

        let start = alice.heard().length();
        phone.press("*8");
        phone.hear(2.0);
        let before = phone.heard().length();
        phone.press(&format!("{DEMO_PIN}#"));
        assert_told(&phone, before, "that the PIN fits");
        phone.press("*21");
        alice.gone("lobby-row", "");
        // Alice and the first phone.
        other.hear(6.0);
        assert!(other.hear(3.0).tone(ALICE).is_some(), "the other phone hears the meeting");
        assert_eq!(alice.rows("roster-row").iter().filter(|row| is_phone(row)).count(), 2);

        // 697 and 941 Hz are the lower tones of half of the keys.
        let heard = alice.heard().since(start);
        for key_tone in [697.0, 941.0, 1209.0, 1477.0] {
            assert!(heard.trace_of(key_tone) < -50.0, "a key is heard in the meeting at {}", heard.trace_of(key_tone));
        }
        assert!(!daemon.has_logged(DEMO_PIN), "the PIN is in the log");
    });
}
