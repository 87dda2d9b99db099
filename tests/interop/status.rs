//! `roomgate status` (U-1), asked from a daemon with a call.

use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::namespace::isolated_beside_others;
use crate::patience::{eventually, seconds};

/// A call by TCP.
fn call(daemon: &Daemon) -> Child {
    let mut dial = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    dial.args(["dial", "sip:1001@127.0.0.1", "--codec", "g722", "--transport", "tcp", "--for", "6s"]);
    dial.current_dir(daemon.folder()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("roomgate dial can be run")
}

#[test]
fn status_shows_a_call_while_it_is_up_and_no_longer() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let before = daemon.status();
        let mut dial = call(&daemon);
        let up = eventually(seconds(5), "the call waits", || {
            Some(daemon.status()).filter(|now| now["calls"][0]["state"] == "waiting" && now["calls"][0]["meeting"].is_string())
        });
        let call = &up["calls"][0];
        assert_eq!(
            (&call["meeting"], &call["codec"], &call["device"]),
            (&"demo".into(), &"G722".into(), &"unlisted".into()),
            "{up}"
        );
        assert_eq!(up["meetings"][0]["participants"][0]["state"], "waiting", "no member is there: {up}");
        assert_eq!(
            (&up["resources"]["rtp_ports"]["taken"], &up["resources"]["media"]["open_ports"]),
            (&1.into(), &1.into()),
            "{up}"
        );
        let text = daemon.command(&["status"]);
        assert!(text.contains("waiting demo") && text.contains("1 in use"), "{text}");
        println!("{text}");
        assert!(dial.wait().expect("it ends").success());
        let over = eventually(seconds(10), "it is over", || Some(daemon.status()).filter(|now| now["calls"] == before["calls"]));
        // Steps may have been skipped: other scenarios want the machine, too.
        let media = |status: &Value| {
            let mut media = status["resources"]["media"].clone();
            media["skipped_steps"].take();
            media
        };
        assert_eq!(media(&over), media(&before), "{over}");
        assert_eq!(
            (&over["resources"]["rtp_ports"]["taken"], &over["resources"]["sip"]["calls"]),
            (&0.into(), &0.into()),
            "{over}"
        );
    });
}

#[test]
fn status_asks_over_https_whoever_holds_the_configured_certificate_and_nobody_else() {
    isolated_beside_others(|| {
        let daemon = Daemon::start_with_https();
        assert_eq!(daemon.status()["state"], "ready");
        let other = Daemon::certificate(daemon.folder());
        let refused = daemon.complaint(&["status"], &[("ROOMGATE__HTTP__TLS__CERTIFICATE", &other.display().to_string())]);
        assert!(refused.contains("not the certificate"), "{refused}");
    });
}
