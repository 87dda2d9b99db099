//! Calls that go from one media worker to another while they are spoken to: the device notices nothing, and every notice is
//! told and written down once (N-2, N-8).

use std::collections::BTreeMap;

use serde_json::json;

use crate::daemon::Daemon;
use crate::load::{dial, report};
use crate::member::Member;
use crate::namespace::isolated;
use crate::waiting::{eventually, seconds};
use crate::wiretap::{TO_DEVICES, Wiretap, streams};

/// Twice as many as the daemon under test has workers: ports are dealt out in turn, so four of the six start on a worker that is
/// not their meeting's, whichever that is.
const CALLERS: [&str; 6] = ["pcmu", "opus", "g722", "pcma", "opus", "g722"];
/// From the answer to the end.
const LENGTH: u64 = 40;

/// Calls move between workers in mid prompt without a hole and each is told once.
#[test]
fn calls_move_between_workers_in_mid_prompt_without_a_hole() {
    isolated(|| {
        let daemon = Daemon::start();
        assert_eq!(daemon.status()["resources"]["media"]["workers"], 3);
        let wire = Wiretap::start(daemon.folder(), TO_DEVICES);
        let member = Member::join(&daemon, "demo");
        member.ask(json!({ "type": "recording", "state": "on" }));
        eventually(seconds(5), "the recording is on", || (member.state()["recording"] == "on").then_some(()));

        // Through the menu, so that the port is open before the meeting is known.
        let call = |codec: &&str| dial(&daemon, &["sip:menu@127.0.0.1", "--codec", codec, "--keys", "1001#"], LENGTH);
        let dials: Vec<_> = CALLERS.iter().map(call).collect();
        let mut admitted = 0;
        while admitted < CALLERS.len() {
            // As soon as it knocks: the lobby's words have just begun.
            let knocked = eventually(seconds(15), "the next one knocks", || member.phones("lobby").pop());
            member.ask(json!({ "type": "admit", "id": knocked }));
            eventually(seconds(5), "it is inside", || member.phones("in").contains(&knocked).then_some(()));
            admitted += 1;
        }
        let told = |count: usize| (daemon.notices().len() == count).then_some(());
        eventually(seconds(20), "each has been told that it is recorded", || told(CALLERS.len()));
        member.ask(json!({ "type": "recording", "state": "off" }));
        eventually(seconds(20), "each has been told that it no longer is", || told(2 * CALLERS.len()));
        let reports: Vec<_> = dials.into_iter().map(report).collect();
        for (codec, report) in CALLERS.iter().zip(reports) {
            let arrived = &report["arrived"];
            println!("{codec}: {arrived}");
            let breaks = (&arrived["streams"], &arrived["sequence_breaks"], &arrived["timestamp_breaks"]);
            assert_eq!(breaks, (&1.into(), &0.into(), &0.into()), "{codec}");
            assert!(arrived["largest_timestamp_gap_ms"].as_f64().is_some_and(|gap| gap <= 20.0), "{codec}: {arrived}");
        }
        let wire = streams(&wire.finish());
        let gaps: Vec<f64> = wire.values().map(|stream| stream.arrival_gap).collect();
        println!("the longest time between two packets on the wire, by call: {gaps:.1?} ms");
        assert_eq!(gaps.len(), CALLERS.len());
        assert!(wire.values().all(|stream| stream.length > LENGTH as f64 - 1.0), "to the end: {wire:?}");
        // When the whole machine stands still, it does so for all of them; a move holds up one.
        let all_waited = gaps.iter().copied().fold(f64::INFINITY, f64::min);
        // A frame, and what a busy machine adds.
        assert!(gaps.iter().all(|gap| *gap < 40.0 + all_waited.max(20.0)), "{gaps:.1?}");

        let mut lines: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for line in daemon.notices() {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            lines.entry((text("call"), line["what"].to_string())).or_default().push(text("outcome"));
        }
        println!("{lines:#?}");
        assert_eq!(lines.len(), 2 * CALLERS.len(), "two notices to each call");
        assert!(lines.values().all(|outcomes| outcomes == &["completed"]), "{lines:#?}");
        assert_eq!(daemon.status()["resources"]["media"]["lost_events"], 0);
    });
}
