//! The page when its connection, its tab or the daemon goes: what it says, and what is left when it comes back.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

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

fn signal(daemon: &Daemon, name: &str) {
    let sent = Command::new("kill").args([name, &daemon.id().to_string()]).status().expect("kill can be run");
    assert!(sent.success(), "{name}");
}

/// The viewer's own row.
fn own(browser: &mut Browser, what: &str, wanted: impl Fn(&crate::browser::Row) -> bool) -> crate::browser::Row {
    browser.until("roster-row", what, |row| row.data["you"] == "true" && wanted(row))
}

/// A network that goes right after joining is told by one card and nobody speaks on.
#[test]
fn u6_a_network_that_fails_after_joining_is_told() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let mut host = host(&daemon);
        let before = own(&mut host, "she is seen to speak", |row| row.data["speaking"] == "true");
        // Nothing comes any more, and nothing says so: as with a cable that is pulled.
        signal(&daemon, "-STOP");
        let gone = Instant::now();
        eventually(seconds(20), "the page says that the connection is lost", || {
            let cards = [host.rows("reconnecting").len(), host.rows("blocked-port").len()];
            assert!(cards != [1, 1], "two cards at once");
            (cards[0] == 1).then_some(())
        });
        println!("told {:?} after the network went", gone.elapsed());
        assert!(host.rows("roster-row").iter().all(|row| row.data["speaking"] != "true"), "nobody is known to speak");
        assert!(host.rows("media-state").iter().all(|row| row.data["state"] != "connected"));
        host.hears_said("The connection is lost");
        signal(&daemon, "-CONT");
        host.gone("reconnecting", "");
        host.connected();
        assert_eq!(
            own(&mut host, "she is back", |row| row.data["state"] == "in").data["id"],
            before.data["id"],
            "in the same seat"
        );
    });
}

/// A tab that is closed is gone at once and one that is loaded anew keeps its seat.
#[test]
fn u6_a_tab_that_is_closed_is_gone_at_once() {
    isolated_beside_others(|| {
        let daemon = Daemon::start();
        let member = Member::join(&daemon, "demo");
        let mut guest = Browser::start(daemon.folder(), "guest", 811.0);
        guest.open("http://127.0.0.1:8080/m/demo");
        guest.knock("Gustav");
        let row = |member: &Member| {
            let rows = member.state()["participants"].as_array().cloned().unwrap_or_default();
            rows.into_iter().find(|row| row["name"] == "Gustav")
        };
        let id = eventually(seconds(10), "the guest waits", || row(&member))["id"].clone();
        member.ask(serde_json::json!({ "type": "admit", "id": id }));
        guest.connected();
        guest.click("mute");
        eventually(seconds(5), "the guest is muted", || row(&member).filter(|row| row["muted"] == true));

        guest.reload();
        // Somebody who has to find the button: longer than a page that was closed is kept.
        guest.wait("join");
        eventually(seconds(10), "the others see that the guest is on the way back", || {
            row(&member).filter(|row| row["reconnecting"] == true)
        });
        let loaded = Instant::now();
        eventually(seconds(10), "four seconds pass", || (loaded.elapsed() > seconds(4)).then_some(()));
        guest.click("join");
        guest.connected();
        let back = eventually(seconds(10), "the guest is back", || row(&member).filter(|row| row["reconnecting"] == false));
        assert_eq!(
            (&back["id"], &back["muted"], &back["state"]),
            (&id, &true.into(), &"in".into()),
            "the same seat, and no knock"
        );

        guest.close();
        let closed = Instant::now();
        eventually(seconds(5), "the guest is gone", || row(&member).is_none().then_some(()));
        println!("gone {:?} after the tab was closed", closed.elapsed());
    });
}

/// A call that is up for a minute, so that a drain takes a while.
fn call(daemon: &Daemon) -> Child {
    let mut dial = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    dial.args(["dial", "sip:1002@127.0.0.1", "--for", "60s"]);
    dial.current_dir(daemon.folder()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("roomgate dial can be run")
}

/// A restart is told and the page comes back with microphone and hand as after a crash.
#[test]
fn u6_a_restart_is_told_and_the_page_comes_back() {
    isolated_beside_others(|| {
        let mut daemon = Daemon::start();
        let mut host = host(&daemon);
        let mut guest = Browser::start(daemon.folder(), "guest", 811.0);
        guest.open("http://127.0.0.1:8080/m/demo");
        guest.knock("Gustav");
        host.click("admit");
        guest.connected();
        host.click("mute");
        host.click("hand");
        own(&mut host, "muted, with a hand up", |row| row.data["muted"] == "true" && row.data["hand"] == "true");

        let mut call = call(&daemon);
        eventually(seconds(10), "a call is up", || daemon.status()["calls"][0]["state"].is_string().then_some(()));
        signal(&daemon, "-TERM");
        host.wait("stopping-banner");
        host.hears_said("The meeting server restarts");
        host.picture("a5-drain");
        signal(&daemon, "-TERM");
        host.wait("reconnecting");
        host.until("reconnecting", "it says why", |row| row.text.contains("server restarts"));
        guest.wait("reconnecting");
        assert!(host.rows("ended").is_empty() && guest.rows("ended").is_empty() && host.rows("stopping-banner").is_empty());
        host.picture("a5-restart");
        assert_eq!(daemon.ends(), 0);
        let _ = call.wait();

        for crash in [false, true] {
            if crash {
                daemon.kill();
                host.wait("reconnecting");
                guest.wait("reconnecting");
            }
            daemon.start_again();
            host.gone("reconnecting", "");
            host.connected();
            own(&mut host, "as before", |row| row.data["muted"] == "true" && row.data["hand"] == "true");
            // Whoever was admitted is, without being admitted once more.
            guest.gone("reconnecting", "");
            guest.connected();
        }
    });
}
