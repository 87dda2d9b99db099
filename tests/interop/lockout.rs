//! Wrong codes of one caller, and those who share its PBX with it (K-1, X-2).

use crate::daemon::{BOARD_PASSCODE, Daemon};
use crate::namespace::isolated_beside_others;
use crate::raw::Raw;
use crate::waiting::{eventually, seconds};

const TRUNK: &str = "[sip.trunk.pbx]\naddresses = [\"127.0.0.9\"]\n";

/// An outside caller who guesses locks itself out and nobody else of its pbx.
#[test]
fn k1_an_outside_caller_who_guesses_locks_itself_out_and_nobody() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(TRUNK);
        let guesser = Raw::at("127.0.0.9:5090", "+491701234567");
        let colleague = guesser.as_user("205");
        let media = "127.0.0.9:40000".parse().expect("an address");
        for _ in 0..3 {
            let mut call = guesser.call("sip:1002@127.0.0.1", "", media);
            assert_eq!(call.status, 200);
            for wrong in ["1357#", "2468#", "3579#"] {
                guesser.press(&mut call, wrong);
            }
            assert!(guesser.is_hung_up(&call, seconds(15)), "three wrong codes end a call");
        }
        assert_eq!(guesser.call("sip:1002@127.0.0.1", "", media).status, 403, "{}", daemon.log());
        let locked = daemon.status()["blocks"].clone();
        assert_eq!(locked["locked_sources"].as_array().map(Vec::len), Some(1), "{locked}");

        // What asks no code is open to it all the same.
        let mut open = guesser.call("sip:1001@127.0.0.1", "", media);
        assert_eq!(open.status, 200);
        guesser.ask(&mut open, "BYE", "sip:roomgate@127.0.0.1", "", "");

        let mut call = colleague.call("sip:1002@127.0.0.1", "", media);
        assert_eq!(call.status, 200);
        colleague.press(&mut call, &format!("{BOARD_PASSCODE}#"));
        eventually(seconds(10), "the colleague is in the lobby", || {
            let status = daemon.status();
            let calls = status["calls"].as_array().cloned().unwrap_or_default();
            calls.iter().any(|call| call["meeting"] == "board").then_some(())
        });
    });
}
