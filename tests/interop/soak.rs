//! Hours in minutes: calls that come and go in every codec, codes, lobby, recording and chat, wave after wave. None fails, nothing is
//! left of them, memory does not grow, and whatever the daemon has written tells no secret (O-5).
//!
//! `make test` runs two waves, `make soak` (`ROOMGATE_SOAK`, in seconds) as many as fit.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::baresip::{Baresip, Codec, Login, Transport};
use crate::daemon::Daemon;
use crate::load::{dial, nothing_left, report};
use crate::member::Member;
use crate::namespace::isolated;
use crate::sipp::Mass;
use crate::smsc::Smsc;
use crate::waiting::{eventually, seconds};

/// Calls of SIPp in each of two meetings, a wave.
const BY_SIPP: u64 = 6;
/// How long they last, in s.
const LENGTH: u64 = 8;
/// Waves in which buffers and caches find their size, of a run that is long enough to tell.
const WARM_UP: usize = 6;
/// The last timers: 32 s after a BYE over UDP (RFC 3261 timer J), 60 s after the last REGISTER of a phone, and some more.
const TIMERS_RUN_OUT: u64 = 75;

/// What must not be found in anything that the daemon writes: a passcode, a PIN, a password, a number, and what is said in the chat.
const PASSCODE: &str = "73920514";
const PIN: &str = "60417283";
const PASSWORD: &str = "correct-horse-battery";
const NUMBER: &str = "4917155512345";
const TEXT: &str = "meet behind the rose garden";

fn settings() -> String {
    format!(
        "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[limits]\ncalls_per_source = 200\napi_requests_per_second = 1000\n[sip]\ndigest = [\"md5\"]\n\
         [log]\nlevel = \"info,roomgate=debug\"\n\
         [meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n\
         [meeting.vault]\ntitle = \"Vault\"\nconference_id = \"3003\"\npasscode = \"{PASSCODE}\"\norganiser_pin = \"{PIN}\"\n\
         devices_bypass = true\n[device.kitchen]\nusername = \"kitchen\"\npassword = \"{PASSWORD}\"\n\
         [relay]\nburst = 1000\nper_minute = 1000\n{}{}",
        Smsc::CROWD,
        Smsc::PROVIDER
    )
}

struct Meetings {
    hall: Member,
    lobby: Member,
    vault: Member,
}

/// One wave: fifteen calls in three meetings, of which one is recorded and one has a lobby.
fn wave(daemon: &Daemon, meetings: &Meetings, n: usize) {
    let masses = [("2002", 5066), ("1001", 5068)].map(|(user, port)| Mass::dial(daemon.folder(), port, user, BY_SIPP, LENGTH));
    let codecs = ["pcmu", "g722", "opus", "pcma"];
    let codec = |more: usize| codecs[(n + more) % codecs.len()];
    let keys = format!("3003#{PASSCODE}#,,*6,*8{PIN}#");
    let dials = [
        dial(daemon, &["sip:menu@127.0.0.1", "--codec", codec(0), "--keys", &keys], LENGTH),
        dial(daemon, &["sip:2002@127.0.0.1", "--codec", codec(1), "--transport", "tcp"], LENGTH),
        dial(daemon, &["sip:1001@127.0.0.1", "--codec", codec(2), "--keys", ",,*1"], LENGTH),
    ];
    let inside = BY_SIPP as usize + 1;
    eventually(seconds(15), "all are where they belong", || {
        let there = meetings.hall.phones("in").len() == inside && meetings.lobby.phones("lobby").len() == inside;
        (there && meetings.vault.phones("in").len() == 1).then_some(())
    });
    meetings.hall.ask(json!({ "type": "recording", "state": "on" }));
    for id in meetings.lobby.phones("lobby") {
        meetings.lobby.ask(json!({ "type": "admit", "id": id }));
    }
    meetings.hall.ask(json!({ "type": "chat", "text": format!("{TEXT} {n}") }));
    eventually(seconds(10), "it is recorded", || (meetings.hall.state()["recording"] == "on").then_some(()));
    meetings.hall.ask(json!({ "type": "recording", "state": "off" }));
    for dial in dials {
        let report = report(dial);
        let arrived = &report["arrived"];
        assert_eq!((&arrived["sequence_breaks"], &arrived["timestamp_breaks"]), (&0.into(), &0.into()), "wave {n}: {report}");
    }
    for mass in masses {
        mass.ends_well(LENGTH + 30);
    }
    eventually(seconds(10), "all have gone", || daemon.status()["calls"].as_array().is_some_and(Vec::is_empty).then_some(()));
}

/// Bytes of memory, by the time in s.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let count = samples.len() as f64;
    let mean = samples.iter().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x / count, sum.1 + y / count));
    let (above, below) = samples
        .iter()
        .fold((0.0, 0.0), |(above, below), (x, y)| (above + (x - mean.0) * (y - mean.1), below + (x - mean.0).powi(2)));
    above / below
}

/// Everything that is written of calls, as an administrator would see it.
fn written(daemon: &Daemon) -> Vec<(&'static str, String)> {
    let calls = daemon.get("/api/v1/records?limit=1000");
    let details: Vec<Value> = calls["records"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|record| {
            let (status, _, body) = daemon.request("GET", &format!("/api/v1/calls/{}", record["call"].as_str()?), "", "");
            (status == 200).then(|| serde_json::from_str(&body).expect("JSON"))
        })
        .collect();
    assert!(!details.is_empty(), "the last calls are remembered with their SIP messages");
    vec![
        ("log", daemon.log()),
        ("records", calls.to_string()),
        ("calls and their SIP messages", Value::from(details).to_string()),
        ("ledger", daemon.get("/api/v1/notices?limit=1000").to_string()),
        ("subscriptions", daemon.get("/api/v1/relay/subscriptions").to_string()),
        ("outbox", daemon.get("/api/v1/relay/outbox").to_string()),
        ("chats", daemon.get("/api/v1/chats").to_string()),
        ("metrics", daemon.request("GET", "/metrics", "", "").2),
        ("status", daemon.status().to_string()),
    ]
}

#[test]
fn waves_of_calls_fail_nowhere_leave_nothing_and_tell_no_secret() {
    isolated(|| {
        let length = std::env::var("ROOMGATE_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let daemon = Daemon::with(&settings());
        let mut centre = Smsc::start(daemon.folder());
        eventually(seconds(10), "we are bound", || (centre.count("bound") > 0).then_some(()));
        let before = daemon.status();
        let meetings = Meetings {
            hall: Member::join(&daemon, "hall"),
            lobby: Member::join(&daemon, "demo"),
            vault: Member::join(&daemon, "vault"),
        };
        let (began, mut samples) = (Instant::now(), Vec::new());
        let mut waves = 0;
        while waves < 2 || began.elapsed() < Duration::from_secs(length) {
            if waves == 0 {
                // Somebody around a phone takes part by SMS.
                let phone = dial(&daemon, &["sip:2002@127.0.0.1"], LENGTH);
                let code = eventually(seconds(10), "a join code", || {
                    let rows = meetings.hall.state()["participants"].as_array().cloned()?;
                    rows.iter().find_map(|row| row["join"]["code"].as_str().map(str::to_owned))
                });
                centre.write(NUMBER, &code, 1);
                centre.text("has to confirm");
                meetings.hall.confirms_readers();
                eventually(seconds(10), "the chat is sent", || (daemon.subscriptions().first()?["state"] == "on").then_some(()));
                meetings.hall.ask(json!({ "type": "chat", "text": TEXT }));
                centre.text(TEXT);
                report(phone);
                let login = Some(Login { user: "kitchen", password: PASSWORD, at: "127.0.0.1" });
                let mut kitchen = Baresip::start_with(daemon.folder(), 5070, Codec::Pcma, (Transport::Udp, None), 1011.0, login);
                assert!(kitchen.registered());
            }
            wave(&daemon, &meetings, waves);
            waves += 1;
            let now = daemon.status();
            let resources = &now["resources"];
            samples.push((began.elapsed().as_secs_f64(), resources["memory_bytes"].as_f64().expect("a number")));
            let media = &resources["media"];
            assert_eq!((&media["unsent_packets"], &media["lost_events"]), (&0.into(), &0.into()), "{now}");
            if waves % 10 == 0 {
                println!("{waves} waves in {:.0} s: {resources}", began.elapsed().as_secs_f64());
            }
        }
        let calls = waves * (2 * BY_SIPP as usize + 3) + 1;
        assert_eq!(daemon.get("/api/v1/records?limit=1000")["records"].as_array().map_or(0, Vec::len), calls.min(1000));
        for (what, text) in written(&daemon) {
            for secret in [PASSCODE, PIN, PASSWORD, NUMBER, TEXT] {
                assert!(!text.contains(secret), "{secret} is in the {what}");
            }
        }
        if let Some(steady) = samples.get(WARM_UP..).filter(|steady| steady.len() > WARM_UP) {
            let slope = slope(steady) * 3600.0 / 1e6;
            println!("{calls} calls in {waves} waves: memory grows by {slope:.2} MB an hour after the warm-up");
            if length >= 3600 {
                assert!(slope < 1.0, "{slope:.2} MB an hour: {samples:?}");
            }
        }
        for member in [&meetings.hall, &meetings.lobby, &meetings.vault] {
            member.ask(json!({ "type": "end" }));
        }
        drop(meetings);
        eventually(seconds(TIMERS_RUN_OUT), "no port, task, descriptor or timer is left", || {
            nothing_left(&daemon.status(), &before)
        });
    });
}
