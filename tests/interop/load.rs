//! Many calls at once: none fails, none has a hole, and when they have hung up nothing of them is left.
//!
//! `make test` runs a short form, `make load` (`ROOMGATE_LOAD=long`) the long one.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::member::Member;
use crate::namespace::isolated;
use crate::sipp::Mass;
use crate::waiting::{eventually, seconds};
use crate::wiretap::{TO_DEVICES, Wiretap, streams};

/// Callers by SIPp, half of them in a meeting and half of them in a lobby.
const BY_SIPP: u64 = 44;
/// Callers by the test phone, which looks at what it receives for itself.
const BY_DIAL: [&str; 6] = ["pcmu", "pcma", "g722", "opus", "g722", "opus"];
/// SIP's last timers: 32 s after a BYE over UDP (RFC 3261 timer J), and some more.
const TIMERS_RUN_OUT: u64 = 45;

/// Whether the long forms are wanted.
pub(crate) fn long() -> bool {
    std::env::var_os("ROOMGATE_LOAD").is_some_and(|how| how == "long")
}

/// A daemon with a second meeting, `hall`, whose lobby phones pass; the demo's own has a lobby.
fn daemon() -> Daemon {
    Daemon::with(
        "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n\
         [meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n",
    )
}

/// The test phone, calling for so many seconds; its report comes at the end.
pub(crate) fn dial(daemon: &Daemon, arguments: &[&str], length: u64) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_roomgate"));
    command.arg("dial").args(arguments).args(["--for", &format!("{length}s")]).current_dir(daemon.folder());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("roomgate dial can be run")
}

/// Its report.
pub(crate) fn report(dial: Child) -> Value {
    let output = dial.wait_with_output().expect("it ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report in JSON");
    assert!(output.status.success(), "{report}");
    report
}

/// Rows of each table of the store that has any.
pub(crate) fn rows(daemon: &Daemon) -> BTreeMap<String, u64> {
    let path = daemon.folder().join("state/roomgate.db");
    let store = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a store");
    let mut tables = store.prepare("select name from sqlite_master where type = 'table'").expect("a query");
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).expect("tables").map(|name| name.expect("a name")).collect();
    let count =
        |name: &String| store.query_row(&format!("select count(*) from \"{name}\""), [], |row| row.get(0)).expect("a count");
    names.into_iter().map(|name| (name.clone(), count(&name))).filter(|(_, rows)| *rows > 0).collect()
}

/// What must be as before once all calls are gone; `None` while something is left.
pub(crate) fn nothing_left(now: &Value, before: &Value) -> Option<()> {
    let (now, before) = (&now["resources"], &before["resources"]);
    let sip = ["calls", "transactions", "timers", "connections"].iter().all(|what| now["sip"][what] == 0);
    let media = now["media"]["open_ports"] == 0 && now["rtp_ports"]["taken"] == 0 && now["rtp_ports"]["resting"] == 0;
    (sip && media && now["control_tasks"] == before["control_tasks"] && now["descriptors"] == before["descriptors"]).then_some(())
}

#[test]
fn fifty_calls_at_once_have_no_hole_and_leave_nothing_behind() {
    isolated(|| {
        let length = if long() { 60 } else { 8 };
        let daemon = daemon();
        let before = daemon.status();
        let members = ["hall", "demo"].map(|meeting| Member::join(&daemon, meeting));
        let wiretap = Wiretap::start(daemon.folder(), TO_DEVICES);
        let masses =
            [("2002", 5066), ("1001", 5068)].map(|(user, port)| Mass::dial(daemon.folder(), port, user, BY_SIPP / 2, length));
        let place = |n: usize| if n.is_multiple_of(2) { "sip:2002@127.0.0.1" } else { "sip:1001@127.0.0.1" };
        let call = |(n, codec): (usize, &&str)| dial(&daemon, &[place(n), "--codec", codec], length);
        let dials: Vec<_> = BY_DIAL.iter().enumerate().map(call).collect();

        let calls = BY_SIPP + BY_DIAL.len() as u64;
        let all_up = |now: &Value| now["calls"].as_array().is_some_and(|lines| lines.len() as u64 == calls);
        let up = eventually(seconds(20), "all calls are up at once", || Some(daemon.status()).filter(all_up));
        eventually(seconds(5), "half are inside, half are in the lobby", || {
            ((members[0].phones("in").len(), members[1].phones("lobby").len()) == (25, 25)).then_some(())
        });
        println!("with {calls} calls: {}", up["resources"]);
        for mass in masses {
            mass.ends_well(length + 30);
        }
        for (codec, dial) in BY_DIAL.iter().zip(dials) {
            let report = report(dial);
            let arrived = &report["arrived"];
            println!("{codec}: {arrived}");
            assert_eq!(
                (&arrived["streams"], &arrived["sequence_breaks"], &arrived["timestamp_breaks"]),
                (&1.into(), &0.into(), &0.into())
            );
            assert!(arrived["largest_timestamp_gap_ms"].as_f64().is_some_and(|gap| gap <= 60.0), "{arrived}");
            assert!(report["heard"]["seconds_of_sound"].as_f64().is_some_and(|sound| sound > length as f64 * 0.5), "{report}");
        }

        let streams = streams(&wiretap.finish());
        let mut gaps: Vec<f64> = streams.values().map(|stream| stream.arrival_gap).collect();
        gaps.sort_by(f64::total_cmp);
        println!("{} streams; longest time between two packets, by stream: {gaps:.1?} ms", streams.len());
        assert_eq!(streams.len() as u64, calls, "one stream a call");
        for (stream, seen) in &streams {
            assert!(seen.length > length as f64 - 1.0, "{stream:?}: {seen:?}");
            assert_eq!((seen.sequence_breaks, seen.timestamp_breaks), (0, 0), "{stream:?}: {seen:?}");
            assert!(seen.timestamp_gap <= 60.0, "{stream:?}: {seen:?}");
        }
        let after = daemon.status();
        println!("hung up: {}", after["resources"]);
        for what in ["unsent_packets", "lost_events"] {
            assert_eq!(after["resources"]["media"][what], 0, "{what}");
        }
        // Beside other tests the machine itself may hold a worker up; alone on it nothing may.
        if long() {
            assert_eq!(after["resources"]["media"]["skipped_steps"], 0);
        }
        for member in &members {
            member.ask(json!({ "type": "end" }));
        }
        drop(members);
        eventually(seconds(TIMERS_RUN_OUT), "no port, task or timer is left", || nothing_left(&daemon.status(), &before));
        println!("in the end: {}", daemon.status()["resources"]);
        let rows = rows(&daemon);
        println!("rows: {rows:?}");
        assert_eq!(rows.get("records"), Some(&calls));
        // Links and sessions are those of this test's members and of the greeting; none comes with a call.
        let few = |table: &str| match table {
            "records" | "ledger" => true,
            "runs" | "sqlite_sequence" => rows[table] == 1,
            "links" | "sessions" => rows[table] <= 5,
            _ => false,
        };
        assert!(rows.keys().all(|table| few(table)), "{rows:?}");
    });
}

/// CPU time of a process so far, in s.
pub(crate) fn cpu(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("a running process");
    let after = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks = |n: usize| after.split_whitespace().nth(n).and_then(|ticks| ticks.parse::<f64>().ok()).expect("a number");
    // Fields 14 and 15 of proc(5); the kernel counts in hundredths.
    (ticks(11) + ticks(12)) / 100.0
}

#[test]
fn two_hundred_new_calls_a_second_are_all_answered_and_ended() {
    isolated(|| {
        let (rate, length) = if long() { (200, 60) } else { (100, 5) };
        let daemon = Daemon::with(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\nrtp_ports = \"20000-25999\"\n[sip]\nmax_calls = 1000\n\
             [sip.trunk.pbx]\naddresses = [\"127.0.0.1\"]\n",
        );
        let before = daemon.status();
        let began = cpu(daemon.id());
        let mut burst = Mass::burst(daemon.folder(), 5066, "1001", rate, length);
        burst.has_ended_well(length + 30);
        let used = cpu(daemon.id()) - began;
        let mut times = burst.answer_times();
        times.sort_by(f64::total_cmp);
        let calls = rate * length;
        assert_eq!(times.len() as u64, calls);
        let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize];
        println!(
            "{calls} calls, {rate} a second: INVITE to 200 in p50 {:.1}, p99 {:.1}, longest {:.1} ms; {:.2} ms of CPU a call",
            at(0.5),
            at(0.99),
            at(1.0),
            used * 1000.0 / calls as f64
        );
        if long() {
            assert!(at(0.99) < 50.0, "p99 is {} ms", at(0.99));
        }
        eventually(seconds(TIMERS_RUN_OUT), "no port, task or timer is left", || nothing_left(&daemon.status(), &before));
        assert_eq!(rows(&daemon).get("records"), Some(&calls), "a record of each");
    });
}
