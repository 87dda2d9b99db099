//! The page for those who hear it or use the keyboard alone, and what it says of rooms and to those who were put out.

use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::member::Member;
use crate::namespace::isolated_beside_others;
use crate::waiting::{eventually, seconds};

/// A browser with an organiser in the meeting `demo`.
fn host(daemon: &Daemon) -> Browser {
    let mut host = Browser::start(daemon.folder(), "host", 611.0);
    host.enter(&daemon.link("demo", true));
    host.join("Hanna");
    host
}

/// A call that waits in the lobby of `demo`.
fn caller(daemon: &Daemon) -> Child {
    let mut dial = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    dial.args(["dial", "sip:1001@127.0.0.1", "--for", "60s"]);
    dial.current_dir(daemon.folder()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("roomgate dial can be run")
}

/// What happens is said also while a dialog is open and nothing is lost.
#[test]
fn u6_events_are_announced_while_a_dialog_is_open() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut host = host(&daemon);
        host.press("?");
        host.wait("shortcuts-dialog");
        let member = Member::join(&daemon, "demo");
        host.hears_said("Alice joined.");
        // Two things at once: one sentence must not take the other's place.
        member.ask(json!({ "type": "hand", "on": true }));
        member.ask(json!({ "type": "recording", "state": "on" }));
        host.hears_said("Alice raised a hand.");
        host.hears_said("This meeting is being recorded.");
        member.ask(json!({ "type": "recording", "state": "off" }));
        member.ask(json!({ "type": "leave" }));
        host.hears_said("Recording has stopped.");
        host.hears_said("Alice left.");
        let mut call = caller(&daemon);
        host.hears_said("is waiting to join.");
        // Whatever was said, the dialog was open all the time.
        host.wait("shortcuts-dialog");
        Command::new("kill").args(["-STOP", &daemon.id().to_string()]).status().expect("kill can be run");
        eventually(seconds(20), "the loss is said", || {
            host.announced().iter().any(|told| told.contains("The connection is lost")).then_some(())
        });
        Command::new("kill").args(["-CONT", &daemon.id().to_string()]).status().expect("kill can be run");
        let _ = call.kill();
        let _ = call.wait();
    });
}

/// The key a asks before it admits unless the lobby has the keyboard.
#[test]
fn u6_the_key_a_asks_before_it_admits() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut host = host(&daemon);
        let mut call = caller(&daemon);
        host.wait("lobby-row");
        host.press("a");
        host.wait("confirm");
        host.press("Escape");
        host.gone("confirm", "");
        assert_eq!(host.rows("lobby-row").len(), 1, "nobody was let in by a key alone");
        host.focus("admit");
        host.press("a");
        host.until("roster-row", "the call is let in", |row| row.data["via"] == "phone");
        assert!(host.rows("confirm").is_empty());
        let _ = call.kill();
        let _ = call.wait();
    });
}

/// A guest reaches the roster by keyboard and one who is put out is not asked back.
#[test]
fn u6_a_guest_reaches_the_roster_by_keyboard() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let member = Member::join(&daemon, "demo");
        let mut guest = Browser::start(daemon.folder(), "guest", 811.0);
        guest.open("http://127.0.0.1:8080/m/demo");
        guest.knock("Gustav");
        let id = eventually(seconds(10), "the guest waits", || {
            let rows = member.state()["participants"].as_array().cloned().unwrap_or_default();
            rows.into_iter().find(|row| row["name"] == "Gustav").map(|row| row["id"].clone())
        });
        member.ask(json!({ "type": "admit", "id": id }));
        guest.connected();
        let reached = (0..12).any(|_| {
            guest.press("Tab");
            guest.focused() == "stage"
        });
        assert!(reached, "the list of people can be scrolled by keyboard");
        member.ask(json!({ "type": "remove", "id": id }));
        guest.wait("ended");
        assert!(guest.rows("join-again").is_empty(), "who was removed is not offered to come back");
        guest.picture("g28-removed");
    });
}

/// Whoever waits while a passcode is set is asked for it, and joins again by a form that knows of it.
#[test]
fn k1_who_joins_again_is_asked_for_what_is_asked_now() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut guest = Browser::start(daemon.folder(), "guest", 811.0);
        guest.open("http://127.0.0.1:8080/m/demo");
        guest.knock("Gustav");
        daemon.configure("[meeting.demo]\npasscode = \"4321\"\n");
        daemon.ask("POST", "/api/v1/reload", "");
        guest.wait("ended");
        guest.click("join-again");
        guest.write("passcode", "4321");
        guest.knock("Gustav");
    });
}

#[test]
fn s9_rooms_are_listed_by_name_and_say_whether_in_use() {
    isolated_beside_others(|| {
        let device = |label: &str, name: &str, address: &str| {
            format!("[device.{label}]\nname = \"{name}\"\naddress = \"{address}\"\ncall = \"sip:{label}@{address}:5099\"\n")
        };
        let daemon = Daemon::with(&format!(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n{}{}",
            device("a", "Zeppelin", "127.0.0.1"),
            device("z", "aula", "127.0.0.9")
        ));
        let mut call = caller(&daemon);
        eventually(seconds(10), "the room calls", || (daemon.status()["calls"][0]["device"] == "a").then_some(()));
        let rooms = daemon.get("/api/v1/meetings/demo/devices");
        let told: Vec<_> = rooms["devices"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|room| (room["name"].clone(), room["in_use"].clone()))
            .collect();
        assert_eq!(told, [(json!("aula"), json!(false)), (json!("Zeppelin"), json!(true))]);
        let _ = call.kill();
        let _ = call.wait();
    });
}
