//! What it costs to be watched: `/metrics` asked for each second while calls are up (O-5).
//!
//! `make test` looks at what is told, `make load` (`ROOMGATE_LOAD=long`) at the cost with a hundred calls.

use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::load::{cpu, long};
use crate::member::Member;
use crate::namespace::isolated;
use crate::sipp::Mass;
use crate::waiting::{eventually, seconds};

/// Scrapes a second. One costs so little that what a hundred calls cost more in one minute than in the next would hide it.
const RATE: u32 = 10;

/// CPU of the daemon over `time`, in s; `each_turn` is done [`RATE`] times a second.
fn used(daemon: &Daemon, time: Duration, mut each_turn: impl FnMut()) -> f64 {
    let (began, before) = (Instant::now(), cpu(daemon.id()));
    let mut turn = 0;
    while began.elapsed() < time {
        each_turn();
        turn += 1;
        eventually(seconds(5), "the next turn", || (began.elapsed() >= seconds(1) * turn / RATE).then_some(()));
    }
    cpu(daemon.id()) - before
}

/// A scrape tells of the calls that are up and costs next to nothing.
#[test]
fn a_scrape_tells_of_the_calls_that_are_up_and_costs_next() {
    isolated(|| {
        let (calls, time, rounds) = if long() { (100, 10, 6) } else { (10, 1, 1) };
        let daemon = Daemon::with(
            "[media]\nwebrtc_addresses = [\"127.0.0.1\"]\n[sip.trunk.pbx]\naddresses = [\"127.0.0.1\"]\n\
             [meeting.hall]\ntitle = \"Hall\"\nconference_id = \"2002\"\ndevices_bypass = true\n",
        );
        let member = Member::join(&daemon, "hall");
        let mass = Mass::dial(daemon.folder(), 5066, "2002", calls, calls / 10 + 2 * rounds * time + 8);
        let inside = || member.phones("in").len() as u64 == calls;
        eventually(seconds(60), "all are inside", || inside().then_some(()));
        let scrape = || {
            let (status, head, text) = daemon.request("GET", "/metrics", "", "");
            assert!(status == 200 && head.to_ascii_lowercase().contains("openmetrics"), "{head}");
            assert!(text.contains(&format!("roomgate_calls{{state=\"in\"}} {calls}\n")), "{text}");
        };
        // Turn about, since neither the machine nor the calls are the same at all times.
        let (mut watched, mut left_alone) = (0.0, 0.0);
        for _ in 0..rounds {
            left_alone += used(&daemon, seconds(time), || {});
            watched += used(&daemon, seconds(time), scrape);
        }
        let share = (watched - left_alone) / (rounds * time) as f64 / f64::from(RATE);
        println!(
            "{calls} calls: {left_alone:.2} s of CPU left alone, {watched:.2} s scraped {RATE} times a second: once a second would be {:.2} % of a core",
            share * 100.0
        );
        if long() {
            assert!(share < 0.01, "{:.2} % of a core", share * 100.0);
        }
        mass.ends_well(60);
    });
}
