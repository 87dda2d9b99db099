//! Recording: who is told, when, and what is in the file (N-1, N-2, N-3, N-8, N-12).

use crate::audio::{Sound, Span};
use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::namespace::isolated;
use crate::waiting::{eventually, seconds};

/// Above most of the power of speech, so that it can be found under a notice.
const ALICE: f64 = 2711.0;
const FIRST: f64 = 1011.0;
const SECOND: f64 = 1311.0;
/// Quieter than any prompt, louder than what a codec adds to a tone.
const SPEECH: f64 = -34.0;
/// No notice is as long.
const LONGEST_NOTICE: f64 = 12.0;

/// The speech in a recording from a moment on, with times from that moment.
fn speech_since(sound: &Sound, start: f64) -> Vec<Span> {
    sound.since(start).without(&[ALICE, FIRST, SECOND]).louder_than(SPEECH)
}

/// Everybody is told of a recording and the file holds the voices and no prompt.
#[test]
fn everybody_is_told_of_a_recording_and_the_file_holds() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        let mut first = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, FIRST);
        first.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");
        alice.click("admit");
        alice.until("roster-row", "the first phone is inside", |row| row.shows("external-mark"));
        first.hear(6.0);

        // The phone inside hears the notice at once, over the meeting; the browser has its banner and hears nothing of it.
        alice.click("record");
        alice.wait("confirm-ok");
        let (before, heard_by_alice) = (first.heard().length(), alice.heard().length());
        alice.click("confirm-ok");
        let clicked = first.heard().length();
        let banner = alice.until("rec-banner", "the banner", |row| row.data["state"] == "on");
        assert!(banner.text.to_lowercase().contains("record"), "{banner:?}");
        first.hear(LONGEST_NOTICE);
        let notice = *speech_since(&first.heard(), before).first().expect("a notice");
        println!("click between 0 and {:.3} s, notice {notice:?}", clicked - before);
        assert!(notice.start < clicked - before + 0.5, "the notice began {} s late", notice.start - (clicked - before));
        assert!(notice.length() > 0.8, "{notice:?}");
        let during = Span { start: before + notice.start + 0.2, end: before + notice.end - 0.2 };
        let ducked = first.heard().part(during).steady(ALICE);
        assert!((-48.0..-21.0).contains(&ducked), "under the notice Alice is at {ducked}");
        let leaked = speech_since(&alice.heard(), heard_by_alice);
        assert!(leaked.is_empty(), "the browser hears the notice: {leaked:?}");
        assert!(alice.heard().last(5.0).tone(FIRST).is_some(), "the microphone stays open in mode notice");

        // Who comes later is told before anything passes, in either direction.
        let mut second = Baresip::start(daemon.folder(), 5080, Codec::G722, Transport::Udp, SECOND);
        second.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");
        second.hear(3.0);
        alice.picture("meeting");
        let (admitted, admitted_for_alice) = (second.heard().length(), alice.heard().length());
        alice.click("admit");
        second.hear(LONGEST_NOTICE + 6.0);
        let heard = second.heard().since(admitted);
        let meeting = heard.onset(ALICE, -30.0).expect("the second phone hears the meeting in the end");
        let told = heard.without(&[ALICE, FIRST, SECOND]).part(Span { start: 0.0, end: meeting }).louder_than(SPEECH);
        println!("the second phone is told {told:?}, then hears the meeting from {meeting:.3} s on");
        assert!(told.iter().map(|span| span.length()).sum::<f64>() > 0.8, "told {told:?} before {meeting}");
        let notice_end = told.last().expect("a notice").end;
        let joined = alice.heard().since(admitted_for_alice).onset(SECOND, -30.0).expect("the second phone is heard");
        assert!(joined > notice_end - 0.5, "the second phone is heard after {joined} s, told until {notice_end}");

        // The end is told too, and then the file is there.
        let before = first.heard().length();
        alice.click("record-stop");
        alice.click("confirm-ok");
        alice.gone("rec-banner", "");
        first.hear(LONGEST_NOTICE);
        assert!(!speech_since(&first.heard(), before).is_empty(), "the end of the recording is told");

        let notices = daemon.notices();
        println!("{notices:#?}");
        let delivered = notices.iter().filter(|notice| notice["first_seq"].is_u64() && notice["last_seq"].is_u64()).count();
        assert!(delivered >= 4, "start and stop to the first phone, state and stop to the second: {notices:?}");

        let file = eventually(seconds(10), "a recording is there", || daemon.recordings().pop());
        let recorded = daemon.play(&file);
        assert!(recorded.length() > 2.0 * LONGEST_NOTICE, "{} s", recorded.length());
        let middle = recorded.part(Span { start: 2.0, end: LONGEST_NOTICE });
        for hertz in [ALICE, FIRST] {
            assert!(middle.tone(hertz).is_some(), "{hertz} is not in the recording");
        }
        assert!(recorded.last(5.0).tone(SECOND).is_some(), "the second phone is not in the recording");
        let prompts = speech_since(&recorded, 0.2);
        assert!(prompts.is_empty(), "the recording holds a prompt: {prompts:?}");
    });
}

/// A recording plays up to the moment at which the daemon is killed.
#[test]
fn a_recording_plays_up_to_the_moment_at_which_the_daemon() {
    isolated(|| {
        let mut daemon = Daemon::start();
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        alice.click("record");
        alice.click("confirm-ok");
        alice.until("rec-banner", "the banner", |row| row.data["state"] == "on");
        alice.hear(8.0);
        daemon.kill();
        let file = daemon.recordings().pop().expect("a recording");
        let recorded = daemon.play(&file);
        assert!(recorded.length() > 6.0, "of 8 s are left {}", recorded.length());
        assert!(recorded.last(3.0).tone(ALICE).is_some(), "Alice is in the recording");
    });
}

/// A notice cut short by hanging up is in the ledger with its device.
#[test]
fn a_notice_cut_short_by_hanging_up_is_in_the_ledger() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, FIRST);
        phone.dial("sip:1001@127.0.0.1:5060");
        alice.wait("lobby-row");
        alice.click("admit");
        phone.hear(4.0);
        alice.click("record");
        alice.click("confirm-ok");
        phone.hear(1.5);
        phone.hang_up();
        let line = eventually(seconds(10), "a line of the ledger", || daemon.notices().pop());
        assert_eq!(line["outcome"], "interrupted", "{line}");
        assert_eq!((&line["device"], &line["language"]), (&"unlisted".into(), &"en".into()), "{line}");
    });
}
