//! The ledger of notices (N-8), as whoever looks for alterations a year later finds it: a real phone is told, the daemon is killed, and its
//! store is changed behind its back.

use std::path::PathBuf;

use crate::baresip::{Baresip, Codec, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::namespace::isolated;
use crate::waiting::{eventually, seconds};

const ALICE: f64 = 2711.0;
const FIRST: f64 = 1011.0;

/// A daemon that has told a phone of a recording, and deleted one.
fn told() -> Daemon {
    let daemon = Daemon::start();
    let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
    alice.enter(&daemon.link("demo", true));
    alice.join("Alice");
    let mut phone = Baresip::start(daemon.folder(), 5070, Codec::Pcmu, Transport::Udp, FIRST);
    phone.dial("sip:1001@127.0.0.1:5060");
    alice.wait("lobby-row");
    alice.click("admit");
    phone.hear(2.0);
    alice.click("record");
    alice.click("confirm-ok");
    phone.hear(1.5);
    phone.hang_up();
    eventually(seconds(10), "a line of the ledger", || daemon.notices().pop());
    std::fs::write(daemon.folder().join("state/recordings/board-20261128T080137.998Z.ogg"), "OggS").expect("a recording");
    let (status, _, body) = daemon.request("DELETE", "/api/v1/recordings/board-20261128T080137.998Z", "", "");
    assert_eq!(status, 204, "{body}");
    eventually(seconds(5), "the record of the call", || daemon.records().pop());
    daemon
}

/// What is published, as it was copied off the machine at this moment: the log, a scrape, or the host's export.
fn copies(daemon: &Daemon) -> Vec<PathBuf> {
    let texts = [
        ("log", daemon.log()),
        ("scrape", daemon.request("GET", "/metrics", "", "").2),
        ("export.json", daemon.request("GET", "/api/v1/records/host-export?meeting=demo", "", "").2),
        ("export.csv", daemon.request("GET", "/api/v1/records/host-export?meeting=demo&format=csv", "", "").2),
    ];
    let keep = |(name, text): (&str, String)| {
        let path = daemon.folder().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    texts.into_iter().map(keep).collect()
}

fn tamper(daemon: &Daemon, sql: &str) {
    let store = rusqlite::Connection::open(daemon.folder().join("state/roomgate.db")).expect("the store");
    // The triggers are put back as they were: that they are missing would be found before the line.
    let sql = format!(
        "DROP TRIGGER ledger_keeps; {sql}; \
         CREATE TRIGGER ledger_keeps BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
    );
    store.execute_batch(&sql).expect("whoever has the file can change it");
}

/// A line names its phone and the whole ledger is verified beside the daemon.
#[test]
fn n8_a_line_names_its_phone_and_the_whole_ledger_is_verified() {
    isolated(|| {
        let daemon = told();
        let line = daemon.notices().pop().expect("a line");
        let record = daemon.records().pop().expect("a record");
        for name in ["dialog", "address", "caller", "proof"] {
            assert_eq!(line[name], record[name], "M-16: {name}");
        }
        assert!(line["dialog"].as_str().is_some_and(|dialog| dialog.len() > 5), "{line}");
        assert!(line["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")), "{line}");
        assert_eq!((&line["proof"], &line["kind"]), (&"none".into(), &"notice".into()), "{line}");
        let all = daemon.get("/api/v1/notices?kind=all");
        let kinds: Vec<_> = all["notices"].as_array().expect("lines").iter().filter_map(|line| line["kind"].as_str()).collect();
        assert_eq!(kinds, ["deletion", "notice", "epoch"]);
        let page = daemon.get("/api/v1/notices?kind=all&before=3&limit=1&meeting=demo");
        assert_eq!(page["notices"][0], line, "by page");
        let report = daemon.get("/api/v1/notices/verification");
        assert_eq!((&report["whole"], &report["lines"]), (&true.into(), &3.into()), "{report}");
        for copy in copies(&daemon) {
            let said = daemon.command(&["ledger", "verify", "--heads", copy.to_str().expect("UTF-8")]);
            assert!(said.contains("is whole: 3 lines, 1 epochs"), "{said}");
        }
        let said = daemon.complaint(&["ledger", "verify", "--heads", "/etc/hostname"], &[]);
        assert!(said.contains("no head of a ledger"), "{said}");
        let id = daemon.folder().join("state/keys");
        assert!(std::fs::read_dir(id).expect("keys").flatten().count() >= 2);
    });
}

/// What is done to the store of a killed daemon is in log metric status and verification.
#[test]
fn n8_what_is_done_to_the_store_of_a_killed_daemon_is_in_log() {
    isolated(|| {
        let mut daemon = told();
        let published = copies(&daemon);
        daemon.kill();
        tamper(&daemon, "UPDATE ledger SET outcome = 'completed' WHERE kind = 'notice'");
        let said = daemon.complaint(&["ledger", "verify"], &[]);
        assert!(said.contains("breaks at line 2"), "{said}");
        daemon.start_again();
        eventually(seconds(10), "a line of the log", || daemon.log().contains("the ledger does not hold together").then_some(()));
        let (_, _, metrics) = daemon.request("GET", "/metrics", "", "");
        assert!(metrics.contains("roomgate_ledger_intact 0"), "{metrics}");
        let fault = daemon.status()["ledger"]["fault"].clone();
        assert!(fault.as_str().is_some_and(|fault| fault.contains("line 2")), "{fault}");
        let status = daemon.command(&["status"]);
        assert!(status.contains("! the ledger of notices does not hold together"), "{status}");
        let report = daemon.get("/api/v1/notices/verification");
        assert_eq!((&report["whole"], &report["breaks_at"]), (&false.into(), &2.into()), "{report}");
        assert_eq!(daemon.request("GET", "/readyz", "", "").0, 200, "calls are taken all the same");
        daemon.kill();

        // Everything deleted, with what lies beside it: only what was copied elsewhere knows.
        for gone in ["keys", "roomgate.db", "roomgate.db-wal", "roomgate.db-shm"] {
            let path = daemon.folder().join("state").join(gone);
            let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
        daemon.start_again();
        assert!(daemon.command(&["ledger", "verify"]).contains("is whole: 1 lines"));
        for copy in published {
            let said = daemon.complaint(&["ledger", "verify", "--heads", copy.to_str().expect("UTF-8")], &[]);
            assert!(said.contains("the ledger breaks at line"), "{}: {said}", copy.display());
        }
    });
}
