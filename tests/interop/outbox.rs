//! C-7 with a real message centre: whatever breaks, what was accepted arrives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::json;

use crate::daemon::Daemon;
use crate::load::long;
use crate::namespace::isolated_beside_others;
use crate::smsc::Smsc;
use crate::waiting::{eventually, random_moment, seconds};

/// Parcels that may be unanswered, as shipped.
const WINDOW: u64 = 10;
/// What everybody of the crowd is told: each is in no meeting.
const ANSWER: &[u8] = b"so nobody has got your message";

/// `kill -9` at random moments while messages flow both ways: whoever was believed gets an answer, and the same one twice only if it was
/// unanswered at a kill.
#[test]
fn c7_what_was_accepted_arrives_though_the_daemon_is_killed() {
    isolated_beside_others(|| {
        let kills = if long() { 400 } else { 100 };
        let mut daemon = Daemon::with(&format!("[relay]\n{}{}", Smsc::CROWD, Smsc::PROVIDER));
        let mut centre = Smsc::start(daemon.folder());
        eventually(seconds(10), "it is bound", || (centre.count("bound") == 1).then_some(()));
        centre.order(&json!({ "crowd": 20 }));
        let (mut repeated, mut recoveries) = (0, Vec::new());
        for kill in 1..=kills {
            random_moment();
            daemon.kill();
            let killed = Instant::now();
            daemon.start_again();
            eventually(seconds(10), "it is bound again", || (centre.count("bound") == kill + 1).then_some(()));
            recoveries.push(killed.elapsed());
            let again = daemon.outbox()["counts"]["repeated"].as_u64().expect("a count");
            assert!(again <= WINDOW, "{again} were unanswered");
            repeated += again;
        }
        centre.order(&json!({ "crowd": 0 }));
        eventually(seconds(30), "everybody is believed and answered", || {
            (centre.tally()["unsure"] == 0 && daemon.has_sent_all()).then_some(())
        });
        // Anew: what was counted before the outbox was looked at may lack the last answers.
        let tally = centre.tally();
        let believed: BTreeSet<&str> =
            tally["believed"].as_array().expect("a list").iter().filter_map(|number| number.as_str()).collect();
        let answers = tally["answers"].as_object().expect("a table");
        let (mut answered, mut twice, mut again) = (BTreeSet::new(), 0, BTreeMap::<u64, u64>::new());
        for (key, sessions) in answers {
            answered.insert(key.split('/').next().expect("a number"));
            let sessions: Vec<u64> = sessions.as_array().expect("a list").iter().filter_map(|session| session.as_u64()).collect();
            assert!(sessions.windows(2).all(|pair| pair[0] < pair[1]), "twice over one connection: {sessions:?}");
            twice += sessions.len() as u64 - 1;
            for session in &sessions[1..] {
                *again.entry(*session).or_default() += 1;
            }
        }
        let lost: Vec<_> = believed.difference(&answered).collect();
        assert!(lost.is_empty(), "{} of {} were lost, {:?} first", lost.len(), believed.len(), lost[0]);
        assert!(again.values().all(|times| *times <= WINDOW), "{again:?}");
        assert!(twice <= repeated, "{twice} came twice, {repeated} were counted");
        recoveries.sort();
        println!(
            "{kills} kills: {} answered, {twice} twice ({repeated} counted), back in {:?} (median) to {:?}",
            answered.len(),
            recoveries[recoveries.len() / 2],
            recoveries[recoveries.len() - 1]
        );
        assert!(answered.len() > kills, "messages have flowed");
        assert!(recoveries[recoveries.len() / 2] < seconds(1), "{recoveries:?}");
        no_text_is_left(&daemon);
    });
}

fn counts(daemon: &Daemon) -> [u64; 5] {
    let counts = &daemon.outbox()["counts"];
    ["accepted", "delivered", "failed", "unconfirmed", "repeated"].map(|name| counts[name].as_u64().expect("a count"))
}

/// Everybody who writes without being in a meeting gets one answer (C-5): enough to see what becomes of it.
#[test]
fn c7_a_real_centre_that_hangs_drops_its_connection_and_tells() {
    isolated_beside_others(|| {
        let daemon = Daemon::with(&format!("[relay]\n{}{}", Smsc::CROWD, Smsc::PROVIDER));
        let mut centre = Smsc::start(daemon.folder());
        eventually(seconds(10), "it is bound", || (centre.count("bound") == 1).then_some(()));
        let writes = |centre: &mut Smsc, handsets: std::ops::Range<u32>| {
            for handset in handsets {
                centre.write(&format!("49171555{handset:04}"), "hello?", 1);
            }
        };
        // Names in hexadecimal, receipts in decimal with leading zeros.
        let states = ["ENROUTE", "ACCEPTD", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "REJECTD", "UNKNOWN"];
        centre.order(&json!({ "receipts": { "states": states, "names": "hex" } }));
        writes(&mut centre, 0..8);
        eventually(seconds(10), "each fate is told", || (counts(&daemon) == [8, 1, 4, 1, 0]).then_some(()));

        // It hangs, and answers late: nothing is sent twice.
        centre.order(&json!({ "hang": true, "receipts": { "states": ["DELIVRD"], "names": "decimal" } }));
        writes(&mut centre, 8..12);
        eventually(seconds(10), "four are unanswered", || (centre.count("submitted") == 12).then_some(()));
        if long() {
            let began = Instant::now();
            eventually(seconds(70), "a minute has passed", || (began.elapsed() > seconds(60)).then_some(()));
        }
        centre.order(&json!({ "hang": false }));
        eventually(seconds(10), "all are delivered", || (counts(&daemon) == [12, 5, 4, 1, 0]).then_some(()));
        assert_eq!((centre.count("submitted"), centre.count("bound")), (12, 1));

        // It drops the connection in the middle of a window: what it has not answered comes again, with the same reference.
        centre.order(&json!({ "hang": true }));
        writes(&mut centre, 12..16);
        eventually(seconds(10), "four are unanswered", || (centre.count("submitted") == 16).then_some(()));
        centre.order(&json!({ "drop": true, "hang": false }));
        eventually(seconds(20), "all are delivered", || (counts(&daemon) == [16, 9, 4, 1, 4]).then_some(()));
        assert_eq!((centre.count("submitted"), centre.count("bound")), (20, 2));
        for handset in 0..16 {
            let references = centre.references(&format!("49171555{handset:04}"));
            let times = if handset < 12 { 1 } else { 2 };
            assert!(references.len() == times && references.iter().all(|one| *one == references[0]), "{handset}: {references:?}");
        }
        no_text_is_left(&daemon);
    });
}

/// C-8: what is done with is overwritten, in the store and in its journal.
fn no_text_is_left(daemon: &Daemon) {
    eventually(seconds(10), "no text is left on the disk", || {
        let files = std::fs::read_dir(daemon.folder().join("state")).expect("the state");
        let holds = |path: &std::path::Path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(ANSWER.len()).any(|window| window == ANSWER)
        };
        let left = files.filter_map(Result::ok).map(|file| file.path()).filter(|path| path.is_file() && holds(path));
        (left.count() == 0).then_some(())
    });
}
