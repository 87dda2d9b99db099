//! OPTIONS in a dialog of ours: whether a silent peer is still there.

use super::requests::{Bench, dialog_request, line, response, statuses};
use super::*;
use crate::sip::Command;

#[test]
fn a1_a_peer_that_answers_options_is_there() {
    for status in [200, 405, 486, 500, 501, 603] {
        let mut bench = Bench::new();
        let to = bench.live();
        let call = bench.call();
        bench.told();
        // It answers by itself else.
        bench.is_there = false;
        for _ in 0..3 {
            let sent = bench.commands(Command::Probe { call });
            assert!(sent.len() == 1 && sent[0].starts_with("OPTIONS sip:a@127.0.0.2:5060 "), "{sent:?}");
            assert!(line(&sent[0], "CSeq").ends_with(" OPTIONS"));
            assert!(bench.commands(Command::Probe { call }).is_empty(), "its answer is awaited");
            bench.says(&response(&sent[0], status, "", ""));
            bench.seconds(60);
            assert!(bench.told().is_empty(), "{status}");
        }
        bench.says(&dialog_request("BYE", 9, &to, ""));
        bench.ends_empty();
    }
}

#[test]
fn a1_a_peer_that_knows_no_dialog_or_says_nothing_is_gone() {
    for status in [Some(481), Some(408), None] {
        let mut bench = Bench::new();
        bench.live();
        let call = bench.call();
        bench.told();
        bench.is_there = false;
        let sent = bench.commands(Command::Probe { call });
        match status {
            Some(status) => drop(bench.says(&response(&sent[0], status, "", ""))),
            None => drop(bench.seconds(33)),
        }
        assert_eq!(bench.told(), [Event::Unreachable { call }], "{status:?}");
        let bye = bench.commands(Command::Bye { call, cause: Cause::MediaTimeout });
        assert!(bye[0].starts_with("BYE "));
        bench.says(&response(&bye[0], 200, "", ""));
        assert!(bench.commands(Command::Probe { call }).is_empty(), "it is over");
        assert_eq!(statuses(&bench.seconds(60)), Vec::<&str>::new());
        bench.ends_empty();
    }
}
