//! A busy chat beside busy phones (C-3, C-4): every line to twenty people by SMS, and twenty calls that must not notice.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::daemon::Daemon;
use crate::load::long;
use crate::member::Member;
use crate::namespace::isolated;
use crate::sipp::Mass;
use crate::smsc::Smsc;
use crate::waiting::{eventually, seconds};
use crate::wiretap::{TO_DEVICES, Wiretap, streams};

/// Calls, each with one person around its device.
const CALLS: u64 = 20;

fn join_codes(member: &Member) -> Vec<String> {
    let rows = member.state()["participants"].as_array().cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row["join"]["code"].as_str().map(ToOwned::to_owned)).collect()
}

fn today() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64() * 1000.0
}

/// Twenty messages a second are sent in time and leave the sound of twenty calls untouched.
#[test]
fn twenty_messages_a_second_are_sent_in_time() {
    isolated(|| {
        let lines = if long() { 60 } else { 5 };
        let daemon = Daemon::with(&format!(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n\
             [relay]\nburst = 1000\nper_minute = 1000\n{}{}",
            Smsc::CROWD,
            Smsc::PROVIDER
        ));
        let mut centre = Smsc::start(daemon.folder());
        let member = Member::join(&daemon, "hall");
        let length = lines + 10;
        let wiretap = Wiretap::start(daemon.folder(), TO_DEVICES);
        let mass = Mass::dial(daemon.folder(), 5066, "2002", CALLS, length);
        let codes =
            eventually(seconds(20), "all are inside", || Some(join_codes(&member)).filter(|codes| codes.len() as u64 == CALLS));
        for (n, code) in codes.iter().enumerate() {
            centre.write(&format!("4917155510{n:02}"), code, 1);
        }
        let on = |daemon: &Daemon| daemon.subscriptions().iter().filter(|one| one["state"] == "on").count() as u64;
        eventually(seconds(20), "all want messages", || (daemon.subscriptions().len() as u64 == CALLS).then_some(()));
        member.confirms_readers();
        eventually(seconds(20), "all get messages", || (on(&daemon) == CALLS).then_some(()));
        let welcome = 2 * CALLS;
        eventually(seconds(20), "all are welcomed", || (centre.count("submitted") as u64 == welcome).then_some(()));

        let began = Instant::now();
        let mut said = Vec::new();
        for line in 0..lines {
            eventually(seconds(5), "a second has passed", || (began.elapsed() >= Duration::from_secs(line)).then_some(()));
            said.push(today());
            member.ask(json!({ "type": "chat", "text": format!("line {line}") }));
        }
        let wanted = CALLS * lines + welcome;
        eventually(seconds(20), "all have arrived", || (centre.count("submitted") as u64 >= wanted).then_some(()));
        let mut times: Vec<f64> = Vec::new();
        for event in centre.all("submitted") {
            let text = event["text"].as_str().expect("a text");
            let Some(line) = text.strip_prefix("Alice: line ").and_then(|line| line.parse::<usize>().ok()) else { continue };
            times.push(event["at"].as_f64().expect("a time") - said[line]);
        }
        assert_eq!((times.len() as u64, centre.count("submitted") as u64), (CALLS * lines, wanted), "each line once to each");
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[(share * (times.len() - 1) as f64) as usize];
        println!(
            "{} messages: page to centre in p50 {:.0}, p99 {:.0}, longest {:.0} ms",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
        mass.ends_well(length + 30);
        let streams = streams(&wiretap.finish());
        assert_eq!(streams.len() as u64, CALLS, "one stream a call");
        for (stream, seen) in &streams {
            assert_eq!((seen.sequence_breaks, seen.timestamp_breaks), (0, 0), "{stream:?}: {seen:?}");
            assert!(seen.timestamp_gap <= 60.0, "{stream:?}: {seen:?}");
        }
        let arrival = streams.values().map(|stream| stream.arrival_gap).fold(0.0, f64::max);
        let media = &daemon.status()["resources"]["media"];
        println!("longest time between two packets of one of {CALLS} calls: {arrival:.0} ms; {media}");
        assert_eq!((&media["unsent_packets"], &media["lost_events"]), (&0.into(), &0.into()));
        if long() {
            assert!(at(0.99) < 1000.0, "p99 is {} ms", at(0.99));
            assert_eq!(media["skipped_steps"], 0);
        }
    });
}
