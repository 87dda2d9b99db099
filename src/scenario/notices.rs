//! Recording is told to everybody, proven, and never before it is true (N-1 … N-12).

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::network::Fault;
use super::page::Page;
use super::phone::Phone;
use super::world::World;
use crate::codec::CodecKind;
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;

/// N-1.
const BEGINS_WITHIN: Duration = Duration::from_millis(500);

/// Every change of recording is spoken to every phone within half a second whatever its codec.
#[test]
fn n1_every_change_of_recording_is_spoken_to_every_phone() {
    let world = World::new();
    let member = world.member();
    let phones = [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::G722, CodecKind::Opus].map(|codec| world.phone_with(codec));
    for phone in &phones {
        phone.is_admitted_by(&member);
    }
    for (state, phrase) in [
        ("on", Phrase::RecordingStarted),
        ("paused", Phrase::RecordingPaused),
        ("on", Phrase::RecordingResumed),
        ("off", Phrase::RecordingStopped),
    ] {
        let asked = member.records(state);
        for phone in &phones {
            let after = phone.hears(phrase).from - asked;
            assert!(after <= BEGINS_WITHIN, "{phrase:?} to {} after {after:?}", phone.voice.name);
        }
        member.shows_the_meeting("recording", state);
        // What comes within a second of the last notice is told with the next.
        world.passes(Duration::from_secs(1));
    }
    phones.iter().for_each(Phone::hangs_up);
    member.leaves();
    world.nothing_left();
}

/// Who joins a recorded meeting is told before any audio passes in either direction.
#[test]
fn n2_who_joins_a_recorded_meeting_is_told_before_any_audio() {
    let world = World::new();
    let member = world.member();
    member.records("on");
    member.shows_the_meeting("recording", "on");
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    let admitted = world.now();
    member.admits(&phone);
    let notice = phone.hears(Phrase::RecordingOn);
    phone.heard_only(&[], admitted, notice.to);
    member.heard_only(&[], admitted, notice.to);
    phone.hears_only(&[member.voice]);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.records("off");
    member.leaves();
    world.nothing_left();
}

/// A notice is heard by its phone alone and no key and no mute silences it.
#[test]
fn n3_a_notice_is_heard_by_its_phone_alone_and_no_key() {
    let world = World::new();
    let member = world.member();
    let inside = world.admitted_phone(&member);
    member.records("on");
    inside.presses("*6");
    inside.hears(Phrase::RecordingStarted);
    inside.hears(Phrase::Muted);
    let joins = world.phone();
    joins.dials("1001");
    joins.hears(Phrase::InLobby);
    member.admits(&joins);
    let asked = world.now();
    joins.presses("*1");
    joins.hears(Phrase::RecordingOn);
    inside.heard_no_prompt_since(asked);
    member.records("off");
    joins.hangs_up();
    inside.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A phone that only listens hears everything and is told everything; it is not shown as on hold.
#[test]
fn s5_a_listener_hears_and_is_told_everything() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    phone.only_listens();
    phone.hears_only(&[member.voice]);
    member.hears_only(&[]);
    member.records("on");
    phone.hears(Phrase::RecordingStarted);
    member.shows(phone.voice, "on_hold", false);
    phone.hangs_up();
    member.records("off");
    member.leaves();
    world.nothing_left();
}

#[test]
fn n3_on_hold_a_notice_waits_and_comes_before_any_audio() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    phone.holds();
    member.shows(phone.voice, "on_hold", true);
    member.records("on");
    phone.hears_no_prompt_for(Duration::from_secs(3));
    let back = world.now();
    phone.resumes();
    let notice = phone.hears(Phrase::RecordingStarted);
    phone.heard_only(&[], back, notice.to);
    member.heard_only(&[], back, notice.to);
    phone.hears_only(&[member.voice]);
    member.hears_only(&[phone.voice]);
    member.records("off");
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// Changes while a notice plays merge into one and on then off is told as both.
#[test]
fn n4_changes_while_a_notice_plays_merge() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    for state in ["on", "off", "on", "off"] {
        member.records(state);
        member.shows_the_meeting("recording", state);
        world.passes(Duration::from_millis(150));
    }
    phone.hears(Phrase::RecordingStarted);
    phone.hears(Phrase::RecordingStarted);
    phone.hears(Phrase::RecordingStopped);
    phone.hears_no_prompt_for(Duration::from_secs(5));
    phone.hangs_up();
    member.leaves();
    world.passes(Duration::from_secs(3));
    let told: Vec<Vec<String>> = world.ledger().into_iter().map(|row| row.line.what).collect();
    assert_eq!(told, [vec!["recording started"], vec!["recording stopped", "recording started", "recording stopped"]]);
    world.nothing_left();
}

/// The ledger proves each notice by the packets that the phone really got.
#[test]
fn n8_the_ledger_proves_each_notice_by_the_packets() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    member.records("on");
    let whole = phone.hears(Phrase::RecordingStarted);
    // Until the phone's next report.
    world.passes(Duration::from_secs(2));
    member.records("off");
    phone.begins_to_hear(Phrase::RecordingStopped);
    phone.hangs_up();
    member.leaves();
    world.passes(Duration::from_secs(3));
    let rows = world.ledger();
    let lines: Vec<_> = rows.iter().map(|row| &row.line).collect();
    let [told, cut] = &lines[..] else { panic!("{rows:?}") };
    assert_eq!((told.meeting.as_str(), told.device.as_str(), told.language.as_str()), ("demo", "room-1", "en"));
    assert_eq!((&told.what[..], told.outcome), (&["recording started".to_owned()][..], PlayOutcome::Completed));
    assert_eq!(told.received_permille, Some(1000));
    assert_eq!(told.ssrc, phone.line().got.last().map(|got| got.ssrc));
    assert_eq!((told.phone.proof.as_str(), &told.phone), ("address", &cut.phone));
    assert!(!told.phone.dialog.is_empty() && !told.phone.address.is_empty());
    assert_eq!((told.first_seq, told.last_seq), (Some(phone.packet_at(whole.from)), Some(phone.packet_at(whole.to))));
    assert_eq!((&cut.what[..], cut.outcome), (&["recording stopped".to_owned()][..], PlayOutcome::Interrupted));
    assert_eq!(cut.device, "room-1");
    world.nothing_left();
}

/// Recording was on for a moment: two notices, or what became of them. Recorded is less than the recorder's queue holds.
fn is_told_of_a_short_recording(world: &World, member: &Page) {
    member.records("on");
    world.passes(Duration::from_millis(1_500));
    member.records("off");
}

/// What each line of the ledger says: what was told, how it ended, and whether it was received.
fn lines(world: &World) -> Vec<(String, PlayOutcome, Option<bool>)> {
    let told = world.ledger().into_iter().map(|row| row.line);
    told.map(|line| (line.what.join(", "), line.outcome, line.received_permille.map(|received| received > 900))).collect()
}

/// What a phone does not receive is said again then its microphone closes until it has received it.
#[test]
fn n8_what_a_phone_does_not_receive_is_said() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    world.passes(Duration::from_secs(3));
    phone.is_cut_off(Some(Fault::LosesOneIn(5)));
    is_told_of_a_short_recording(&world, &member);
    world.passes(Duration::from_secs(45));
    member.hears_nobody();
    let lost = lines(&world);
    assert!(
        lost.len() >= 3
            && lost.iter().all(|(_, outcome, received)| (*outcome, *received) == (PlayOutcome::Completed, Some(false))),
        "{lost:?}"
    );
    let again = "recording started, recording stopped";
    assert_eq!(lost.last().map(|(what, ..)| what.as_str()), Some(again));

    phone.is_cut_off(None);
    world.passes(Duration::from_secs(50));
    member.hears_only(&[phone.voice]);
    let all = lines(&world);
    let received: Vec<_> = all.iter().filter(|(.., received)| *received == Some(true)).collect();
    assert_eq!(received, [&(again.to_owned(), PlayOutcome::Completed, Some(true))], "once, and nothing after it: {all:?}");
    assert_eq!(all.last(), received.first().copied());
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A small loss and a phone that reports nothing repeat nothing and shut nobody.
#[test]
fn n8_a_small_loss_and_a_phone_that_reports_nothing_repeat() {
    for (fault, reports, received) in
        [(None, true, Some(true)), (Some(Fault::LosesOneIn(20)), true, Some(true)), (Some(Fault::LosesOneIn(2)), false, None)]
    {
        let world = World::new();
        let member = world.member();
        let phone = world.phone();
        if !reports {
            phone.reports_nothing();
        }
        phone.is_admitted_by(&member);
        world.passes(Duration::from_secs(3));
        phone.is_cut_off(fault);
        is_told_of_a_short_recording(&world, &member);
        world.passes(Duration::from_secs(60));
        let told = |what: &str| (what.to_owned(), PlayOutcome::Completed, received);
        assert_eq!(lines(&world), [told("recording started"), told("recording stopped")], "{fault:?}");
        member.hears_only(&[phone.voice]);
        phone.hangs_up();
        member.leaves();
        world.nothing_left();
    }
}

/// What cannot be sent has failed closes the microphone and is said when it can.
#[test]
fn n6_what_cannot_be_sent_has_failed_closes_the_microphone() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    phone.is_cut_off(Some(Fault::Refuses));
    is_told_of_a_short_recording(&world, &member);
    world.passes(Duration::from_secs(1));
    member.hears_nobody();
    world.passes(Duration::from_secs(40));
    member.hears_nobody();
    let failed = world.ledger();
    assert!(failed.len() >= 2, "{failed:?}");
    for row in &failed {
        assert_eq!(
            (row.line.outcome, row.line.first_seq, row.line.received_permille),
            (PlayOutcome::Failed, None, None),
            "{row:?}"
        );
    }
    let mended = world.now();
    phone.is_cut_off(None);
    phone.hears(Phrase::RecordingStarted);
    phone.hears(Phrase::RecordingStopped);
    world.passes(Duration::from_secs(3));
    assert!(world.now() - mended < Duration::from_secs(45));
    member.hears_only(&[phone.voice]);
    let last = lines(&world).pop();
    assert_eq!(last, Some(("recording started, recording stopped".to_owned(), PlayOutcome::Completed, Some(true))));
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A notice cut by hanging up names the packets that had left.
#[test]
fn n8_a_notice_cut_by_hanging_up_names_the_packets() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    let asked = member.records("on");
    phone.begins_to_hear(Phrase::RecordingStarted);
    phone.hangs_up();
    member.leaves();
    world.passes(Duration::from_secs(3));
    let rows = world.ledger();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    let heard: Vec<u16> = phone.line().got.iter().filter(|got| got.at >= asked).map(|got| got.seq).collect();
    assert_eq!((row.line.outcome, row.line.last_seq), (PlayOutcome::Interrupted, heard.last().copied()));
    assert!(row.line.first_seq.is_some_and(|first| heard.contains(&first)));
    world.nothing_left();
}

/// Transcription that nothing could do is refused and nobody is told an untruth.
#[test]
fn n11_transcription_that_nothing_could_do_is_refused() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    let asked = world.now();
    member.is_refused(serde_json::json!({"type": "transcription", "state": "on"}), "not-configured");
    world.passes(Duration::from_secs(3));
    phone.heard_no_prompt_since(asked);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A recording is private and one that cannot be is off for everybody.
#[test]
fn n12_a_recording_is_private_and_one_that_cannot() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    member.records("on");
    phone.hears(Phrase::RecordingStarted);
    member.records("off");
    phone.hears(Phrase::RecordingStopped);
    let recordings = world.recordings();
    let made: Vec<_> = std::fs::read_dir(&recordings).expect("readable").map(|entry| entry.expect("readable").path()).collect();
    let [file] = &made[..] else { panic!("{made:?}") };
    assert_eq!(file.metadata().expect("readable").permissions().mode() & 0o777, 0o600);

    // A disk that is not there any more.
    std::fs::rename(&recordings, recordings.with_extension("gone")).expect("renamed");
    let asked = world.now();
    member.is_refused(serde_json::json!({"type": "recording", "state": "on"}), "recorder-failed");
    member.shows_the_meeting("recording", "off");
    world.passes(Duration::from_secs(3));
    phone.heard_no_prompt_since(asked);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}
