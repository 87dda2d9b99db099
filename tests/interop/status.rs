//! `roomgate status` (U-1), asked from a daemon with a call.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::namespace::isolated_beside_others;
use crate::waiting::{eventually, seconds};

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
        // Steps may have been skipped: other scenarios want the machine, too. And load is what it is at the moment.
        let media = |status: &Value| {
            let mut media = status["resources"]["media"].clone();
            media["skipped_steps"].take();
            media["load_percent"].take();
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

/// Status asks by the socket in the state directory and whoever listens at the port hears nothing.
#[test]
fn u1_status_asks_by_the_socket_in_the_state_directory() {
    isolated_beside_others(|| {
        let mut daemon = Daemon::start_with_https();
        let socket = daemon.folder().join("state/roomgate.sock");
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&socket), 0o600);
        // Somebody who has taken a port before the daemon did, or whom a wrong configuration names.
        let listener = TcpListener::bind("127.0.0.1:8099").expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let elsewhere = [("ROOMGATE__HTTP__ADDRESS", "127.0.0.1"), ("ROOMGATE__HTTP__PORT", "8099")];
        let told = daemon.command_with(&["status", "--json"], &elsewhere);
        assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON")["state"], "ready");
        assert!(listener.accept().is_err(), "nobody has asked there");

        // A daemon that was killed leaves its socket, and the next one takes its place.
        daemon.kill();
        assert!(socket.exists());
        let nobody = daemon.complaint(&["status"], &[]);
        assert!(nobody.contains("is the daemon running"), "{nobody}");
        daemon.start_again();
        assert_eq!((daemon.status()["state"].as_str(), mode(&socket)), (Some("ready"), 0o600));
        assert_eq!(daemon.stop(), 0);
        assert!(!socket.exists());
    });
}

/// What a caller writes reaches no terminal as more than text.
#[test]
fn u1_what_a_caller_writes_reaches_no_terminal() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let call = "INVITE sip:nobody@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n\
                    From: \"Eve\u{1b}[2J\u{9b}31m\" <sip:eve@127.0.0.1>;tag=1\r\nTo: <sip:nobody@127.0.0.1>\r\nCall-ID: c@x\r\n\
                    CSeq: 1 INVITE\r\nContact: <sip:eve@127.0.0.1>\r\nUser-Agent: x\u{1b}]0;pwned\u{7}\r\nContent-Length: 0\r\n\r\n";
        let mut phone = TcpStream::connect("127.0.0.1:5060").expect("SIP listens");
        phone.write_all(call.as_bytes()).expect("a request");
        phone.set_read_timeout(Some(seconds(5))).expect("a socket option");
        let mut answer = [0; 4096];
        assert!(phone.read(&mut answer).expect("an answer") > 0);
        for arguments in [&["status"][..], &["status", "--json"]] {
            let told = daemon.command(arguments);
            assert!(!told.chars().any(|character| character.is_control() && character != '\n'), "{told:?}");
        }
    });
}
