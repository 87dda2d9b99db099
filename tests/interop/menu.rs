//! Codes: the voice menu's conference ID and passcode, entered by machine and by hand (K-1, K-3).

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::{BOARD_PASSCODE, Daemon};
use crate::namespace::isolated_beside_others;
use crate::sipp::Caller;

/// An auto dialler gets in after a wrong passcode and no code is logged.
#[test]
fn an_auto_dialler_gets_in_after_a_wrong_passcode_and_no_code() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut alice = Browser::start(daemon.folder(), "alice", 611.0);
        alice.enter(&daemon.link("board", true));
        alice.join("Alice");
        let codes = [(1500, "1002#"), (5500, "9876#"), (9500, "4321#")];
        let dialler = Caller::dial(daemon.folder(), 5066, "menu", &codes);
        alice.wait("lobby-row");
        alice.click("deny");
        dialler.was_hung_up_on(20);
        alice.gone("lobby-row", "");

        // By hand, to the meeting itself: the passcode is asked for there too.
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, 1011.0);
        phone.dial("sip:1002@127.0.0.1:5060");
        phone.hear(3.0);
        assert!(alice.rows("lobby-row").is_empty(), "nobody knocks without the passcode");
        phone.press(&format!("{BOARD_PASSCODE}#"));
        alice.wait("lobby-row");
        phone.hang_up();
        alice.gone("lobby-row", "");

        for code in [BOARD_PASSCODE, "9876"] {
            assert!(!daemon.has_logged(code), "a passcode is in the log");
        }
        let pressed = daemon.log().lines().filter(|line| line.contains("1002#") || line.contains("4321#")).count();
        assert_eq!(pressed, 0, "what was pressed is in the log");
    });
}

#[test]
fn three_wrong_passcodes_by_an_auto_dialler_end_its_call() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let codes = [(1500, "1002#"), (5500, "1111#"), (11_500, "2222#"), (17_500, "3333#")];
        Caller::dial(daemon.folder(), 5066, "menu", &codes).was_hung_up_on(45);
        for code in ["1111", "2222", "3333"] {
            assert!(!daemon.has_logged(code), "a passcode is in the log");
        }
    });
}

#[test]
fn three_wrong_passcodes_by_hand_end_in_a_spoken_goodbye() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcma, Transport::Udp, 1011.0);
        phone.dial("sip:1002@127.0.0.1:5060");
        let asked = phone.hear(3.0);
        assert!(!asked.louder_than(-35.0).is_empty(), "the passcode is asked for");
        for code in ["1111#", "2222#"] {
            phone.press(code);
            assert!(!phone.hear(3.0).louder_than(-35.0).is_empty(), "the wrong passcode is told");
        }
        let before = phone.heard().length();
        phone.press("3333#");
        phone.wait_for("CALL_CLOSED", 20);
        let goodbye = phone.heard().since(before + 1.0);
        let spoken: f64 = goodbye.louder_than(-35.0).into_iter().map(|span| span.length()).sum();
        assert!(spoken > 0.8, "the goodbye is spoken for {spoken} s");
    });
}
