//! Dialogs as SIPp plays them (`sipp/dialogs`): PRACK, UPDATE, session timers with either side as the refresher, delayed offers, and
//! messages that cross or get lost (S-2, S-4); and PJSIP with what it knows of these made mandatory.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::daemon::Daemon;
use crate::namespace::isolated_beside_others;
use crate::pjsip::Pjsip;
use crate::sipp::Scenario;

/// Played at the same time: none needs the machine for itself.
const IN_ORDER: [&str; 7] =
    ["update", "refreshed_by_update", "silent_refresher", "too_short", "delayed_offer", "glare", "subscribe"];
/// In which messages are lost, late or cross.
const OUT_OF_ORDER: [&str; 4] = ["prack", "lost_ack", "lost_200", "cancel_race"];

#[test]
fn dialogs_go_as_the_rfcs_say_by_udp_and_by_tcp() {
    isolated_beside_others(|| {
        let mut daemon = Daemon::start_with_short_sessions("30m");
        let began = Instant::now();
        let mut ports = (6000..).step_by(10);
        let mut playing = Vec::new();
        for transport in ["u1", "t1"] {
            for (names, forgiving) in [(&IN_ORDER[..], false), (&OUT_OF_ORDER[..], true)] {
                for name in names {
                    let port = ports.next().expect("a port");
                    playing.push(Scenario::play(daemon.folder(), port, name, transport, forgiving));
                }
            }
        }
        let count = playing.len();
        let faults: Vec<String> = playing.into_iter().filter_map(|scenario| scenario.outcome(40).err()).collect();
        println!("{} scenarios in {:?}, {} failed", count, began.elapsed(), faults.len());
        assert!(faults.is_empty(), "{}", faults.join("\n\n"));
        assert_eq!(daemon.stop(), 0, "and nothing is left that would keep the daemon");
    });
}

/// A phone without session timers is refreshed with the same description.
#[test]
fn a_phone_without_session_timers_is_refreshed_with_the_same() {
    isolated_beside_others(|| {
        let daemon = Daemon::start_with_short_sessions("4s");
        let play = |(port, transport)| Scenario::play(daemon.folder(), port, "refreshed_by_reinvite", transport, false);
        let playing = [(6000, "u1"), (6010, "t1")].map(play);
        for scenario in playing {
            let messages = scenario.outcome(30).expect("it goes as it should");
            // One that is sent again is the same message.
            let mut ours = BTreeMap::new();
            let (mut is_answer, mut cseq) = (false, "");
            for line in messages.lines() {
                if line.starts_with("SIP/2.0 ") || line.ends_with(" SIP/2.0") {
                    is_answer = line.starts_with("SIP/2.0 ");
                } else if line.starts_with("CSeq:") {
                    cseq = line;
                } else if line.starts_with("o=") && !line.contains("phone") {
                    ours.insert((is_answer, cseq), line);
                }
            }
            assert_eq!(ours.len(), 4, "an answer and three offers: {ours:?}");
            let lines: BTreeSet<_> = ours.values().collect();
            assert_eq!(lines.len(), 1, "the session is the same, and so is its version: {ours:?}");
        }
    });
}

/// Calls SIPp with our own test phone, talks for two seconds, and hangs up.
fn talks_with(scenario: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let callee = Scenario::wait(folder.path(), 5077, scenario);
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    command.args(["dial", "sip:room@127.0.0.1:5077", "--codec", "pcmu", "--for", "2s"]).current_dir(folder.path());
    let dialled = command.output().expect("roomgate dial can be run");
    let report = String::from_utf8_lossy(&dialled.stdout).into_owned();
    assert!(dialled.status.success(), "{report}");
    callee.outcome(10).expect("it goes as it should");
}

#[test]
fn the_test_phone_acknowledges_a_reliable_answer_and_talks() {
    isolated_beside_others(|| talks_with("callee"));
}

/// Of two phones that answer a forked call the first is talked with and the second hung up on.
#[test]
fn of_two_phones_that_answer_a_forked_call_the_first_is_talked() {
    isolated_beside_others(|| talks_with("forked"));
}

/// Pjsip with session timers and 100rel mandatory talks on beyond a refresh.
#[test]
fn pjsip_with_session_timers_and_100rel_mandatory_talks() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut phone = Pjsip::start_with(daemon.folder(), 5062, 1011.0, &json!({ "strict": true }));
        phone.dial("sip:1001@127.0.0.1:5060");
        // PJSIP goes no shorter than 90 s: the refresh comes at half of that.
        let began = phone.heard().length();
        phone.hear(50.0);
        assert!(phone.heard().length() - began >= 50.0);
        phone.press("*1");
        phone.hang_up();
    });
}
