//! `roomgate dial`, the administrator's test phone (U-1), against the daemon.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::audio::Sound;
use crate::daemon::Daemon;
use crate::namespace::isolated;
use crate::process::Process;
use crate::udp_phone::{self, UdpPhone};
use crate::waiting::{eventually, seconds};

/// Runs the command; its exit status and its report.
fn dial(daemon: &Daemon, arguments: &[&str]) -> (bool, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    let output = command.arg("dial").args(arguments).current_dir(daemon.folder()).output().expect("roomgate dial can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), serde_json::from_str(&text).expect("a report in JSON"))
}

/// The test phone hears the menu presses keys and reports in every codec.
#[test]
fn the_test_phone_hears_the_menu_presses_keys_and_reports() {
    isolated(|| {
        let mut daemon = Daemon::start();
        Sound::sine(16_000, 1011.0, -18.0, 2.0).write(&daemon.folder().join("tone.wav"));
        for (codec, transport) in [("pcmu", "udp"), ("pcma", "tcp"), ("g722", "udp"), ("opus", "tcp")] {
            let (good, report) = dial(
                &daemon,
                &[
                    "sip:menu@127.0.0.1",
                    "--codec",
                    codec,
                    "--transport",
                    transport,
                    "--keys",
                    "1001#",
                    "--play",
                    "tone.wav",
                    "--record",
                    "heard.wav",
                    "--for",
                    "5s",
                ],
            );
            assert!(good && report["answered"] == true, "{report}");
            assert!(report["answered_ms"].as_u64().is_some_and(|ms| ms < 500), "{report}");
            assert_eq!(report["codec"].as_str().map(str::to_lowercase).as_deref(), Some(codec));
            assert_eq!(report["packets_lost"], 0);
            assert!(report["heard"]["first_sound_ms"].as_u64().is_some_and(|ms| ms < 500), "our voice comes at once: {report}");
            let heard = Sound::read(&daemon.folder().join("heard.wav")).expect("a recording");
            assert!((heard.length() - 5.0).abs() < 0.2, "{}", heard.length());
        }
        assert_eq!(daemon.log().matches("knocks call=").count(), 4, "the keys led to the meeting each time");
        assert_eq!(daemon.stop(), 0, "a daemon that carried calls ends when it is asked to");
    });
}

#[test]
fn the_test_phone_says_why_a_call_failed() {
    isolated(|| {
        let daemon = Daemon::start();
        let (good, report) = dial(&daemon, &["sip:nobody@127.0.0.1", "--for", "2s"]);
        assert!(!good && report["error"].as_str().is_some_and(|error| error.contains("404")), "{report}");
    });
}

/// The test phone says what is missing and runs more than eight times at once with words of its own.
#[test]
fn u1_the_test_phone_says_what_is_missing_and_runs() {
    isolated(|| {
        let daemon = Daemon::start();
        let (good, report) = dial(&daemon, &["1001"]);
        assert!(!good && report["error"].as_str().is_some_and(|error| error.contains("sip:1001@127.0.0.1")), "{report}");
        let phones: Vec<_> = (0..12)
            .map(|_| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
                command.args(["dial", "sip:1001@127.0.0.1", "--play", "sample", "--for", "6s"]).current_dir(daemon.folder());
                command.stdout(Stdio::piped()).spawn().expect("roomgate dial can be run")
            })
            .collect();
        for phone in phones {
            let output = phone.wait_with_output().expect("it ends");
            let report: Value = serde_json::from_slice(&output.stdout).expect("a report in JSON");
            assert!(output.status.success() && report["answered"] == true, "{report}");
        }
    });
}

/// What an unknown caller dialled can be found with its digits masked.
#[test]
fn u1_what_an_unknown_caller_dialled_can_be_found() {
    isolated(|| {
        let daemon = Daemon::start();
        let (good, _) = dial(&daemon, &["sip:947312@127.0.0.1", "--for", "2s"]);
        assert!(!good);
        let failure = daemon.status()["failures"][0].clone();
        assert_eq!(failure["dialled"], "94****", "{failure}");
        assert!(daemon.log().contains("94****") && !daemon.has_logged("947312"), "{}", daemon.log());
        assert!(daemon.command(&["status"]).contains("for \"94****\""));
    });
}

/// The test phone, calling somebody who is no daemon.
fn calls(callee: &UdpPhone, folder: &Path) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    command.args(["dial", &format!("sip:{}", callee.address()), "--for", "1s"]).current_dir(folder);
    Process::start(&mut command, &folder.join("dial.log"), false)
}

/// A bye of the test phone that is lost is repeated before it ends.
#[test]
fn a_bye_of_the_test_phone_that_is_lost_is_repeated() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let callee = UdpPhone::new();
        let mut phone = calls(&callee, folder.path());
        callee.answer(&callee.receives("INVITE "), "200 OK", udp_phone::SDP);
        callee.receives("ACK ");
        let lost = callee.receives("BYE ");
        let bye = callee.receives("BYE ");
        assert_eq!(bye, lost, "the same request again");
        callee.answer(&bye, "200 OK", "");
        eventually(seconds(10), "it ends", || phone.exit_code());
        let report: Value = serde_json::from_str(&phone.log()).expect("a report in JSON");
        assert_eq!(report["answered"], true);
        assert!(phone.log().contains("<- 200 (2 BYE)"), "the ladder is whole: {report}");
    });
}

/// A call of the test phone that is given up while it rings is taken back.
#[test]
fn a_call_of_the_test_phone_that_is_given_up_while_it_rings() {
    isolated(|| {
        let folder = tempfile::tempdir().expect("a folder");
        for signal in ["-INT", "-TERM"] {
            let callee = UdpPhone::new();
            let mut phone = calls(&callee, folder.path());
            let invite = callee.receives("INVITE ");
            callee.answer(&invite, "180 Ringing", "");
            // However early it comes: a CANCEL waits for the first provisional response (RFC 3261 section 9.1).
            Command::new("kill").args([signal, &phone.child.id().to_string()]).status().expect("kill can be run");
            callee.answer(&callee.receives("CANCEL "), "200 OK", "");
            callee.answer(&invite, "487 Request Terminated", "");
            callee.receives("ACK ");
            let status = eventually(seconds(10), "it ends", || phone.exit_code());
            assert!(status != 0 && phone.log().contains("given up"), "{status}: {}", phone.log());
        }
    });
}
