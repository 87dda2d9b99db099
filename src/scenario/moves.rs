//! Calls come in on any worker and are moved to their meeting's on admission, while a voice of ours is speaking.

use std::time::Duration;

use super::world::World;
use crate::codec::CodecKind;
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;

/// Calls moved between three workers in mid prompt are sent every packet and each notice is reported once.
#[test]
fn calls_moved_between_three_workers_in_mid_prompt_are_sent() {
    let world = World::new();
    let member = world.member();
    let phones = [CodecKind::Pcmu, CodecKind::G722, CodecKind::Pcma].map(|codec| world.phone_with(codec));
    let since = world.now();
    for phone in &phones {
        phone.dials("");
        phone.hears(Phrase::EnterConferenceId);
        phone.presses("1001#");
        phone.begins_to_hear(Phrase::InLobby);
    }
    assert_eq!(world.ports(), [1, 1, 1], "each on a worker of its own");
    member.records("on");
    member.shows_the_meeting("recording", "on");
    for phone in &phones {
        // The words about the lobby, or a comfort, are cut; the notice is heard to its end on the other worker.
        member.admits(phone);
    }
    let mut ports = world.ports();
    ports.sort_unstable();
    assert_eq!(ports, [0, 0, 3], "all on the meeting's worker");
    for phone in &phones {
        phone.hears(Phrase::RecordingOn);
    }
    let (from, to) = world.listens();
    for phone in &phones {
        let others: Vec<_> = phones.iter().filter(|other| other.voice != phone.voice).map(|other| other.voice).collect();
        phone.heard_only(&[&others[..], &[member.voice]].concat(), from, to);
    }
    member.records("off");
    for phone in &phones {
        phone.hears(Phrase::RecordingStopped);
    }
    // Until the phones' next reports.
    world.passes(Duration::from_secs(2));
    for phone in &phones {
        phone.had_no_gap(since);
        phone.hangs_up();
    }
    member.leaves();
    world.passes(Duration::from_secs(3));
    let mut told: Vec<_> = world.ledger().into_iter().map(|row| (row.line.call, row.line.what, row.line.outcome)).collect();
    told.sort_by(|one, two| (&one.0, &one.1).cmp(&(&two.0, &two.1)));
    assert_eq!(told.len(), 6, "{told:?}");
    for pair in told.chunks(2) {
        assert_eq!(pair[0].0, pair[1].0);
        assert_eq!([&pair[0].1[..], &pair[1].1[..]], [["recording on"], ["recording stopped"]]);
        assert!(pair.iter().all(|(.., outcome)| *outcome == PlayOutcome::Completed), "{pair:?}");
    }
    world.nothing_left();
}
