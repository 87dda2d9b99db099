//! Notices of recording and transcription (N-1 … N-6, N-11).

use super::*;
use crate::common::play_outcome::PlayOutcome;

/// Every change is told to the device and the microphone stays open.
#[test]
fn n1_every_change_is_told_to_the_device_and_the_microphone() {
    let mut w = meeting();
    for (n, (state, phrase)) in [
        (Capture::On, Phrase::RecordingStarted),
        (Capture::Paused, Phrase::RecordingPaused),
        (Capture::On, Phrase::RecordingResumed),
        (Capture::Off, Phrase::RecordingStopped),
    ]
    .into_iter()
    .enumerate()
    {
        let effects = w.capture(REC, state);
        assert_eq!(told(&effects), [[phrase]]);
        assert!(gates(&effects, PHONE).is_empty());
        w.began(n as u64 + 1);
        let effects = w.told(n as u64 + 1, PlayOutcome::Completed);
        assert!(matches!(
            effects.as_slice(),
            [Effect::Ledger(NoticeEntry { outcome: PlayOutcome::Completed, carried: Some(CARRIED), .. })]
        ));
        w.after(5_000);
    }
}

/// One who enters while recording hears and speaks nothing before the notice.
#[test]
fn n2_one_who_enters_while_recording_hears_and_speaks_nothing() {
    let mut w = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    w.join(MEMBER);
    w.capture(REC, Capture::On);
    w.capture(CaptureKind::Transcription, Capture::Paused);
    let effects = w.join(PHONE);
    assert_eq!(told(&effects), [[Phrase::Admitted, Phrase::RecordingOn, Phrase::TranscriptionPaused]]);
    assert!(gates(&effects, PHONE).is_empty() && said(&effects).is_empty());
    assert_eq!(w.policy.may(PHONE, Capability::Hear), Err(PolicyRefusal::NotAllowed));
    w.began(1);
    assert_eq!(gates(&w.told(1, PlayOutcome::Completed), PHONE), [(true, true)]);
    assert_eq!(gates(&w.join(GUEST), GUEST), [(true, true)], "a browser's banner is its notice");
}

#[test]
fn n3_a_late_notice_closes_the_microphone_until_it_was_heard() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    assert!(w.after(499).is_empty());
    let effects = w.after(1);
    assert_eq!((alarms(&effects), gates(&effects, PHONE)), (vec![AlarmKind::Late], vec![(true, false)]));
    w.began(1);
    assert_eq!(gates(&w.told(1, PlayOutcome::Completed), PHONE), [(true, true)]);
}

/// A notice that does not end closes the microphone and is told once more.
#[test]
fn n3_a_notice_that_does_not_end_closes_the_microphone() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.began(1);
    assert!(w.after(2_999).is_empty());
    let effects = w.after(1);
    assert_eq!((alarms(&effects), gates(&effects, PHONE)), (vec![AlarmKind::Unfinished], vec![(true, false)]));
    assert_eq!(told(&effects), [[Phrase::RecordingStarted]]);
    assert!(w.told(1, PlayOutcome::Completed).is_empty(), "too late: another is on its way");
    assert_eq!(gates(&w.told(2, PlayOutcome::Completed), PHONE), [(true, true)]);
}

#[test]
fn n3_on_hold_a_notice_waits_and_comes_before_any_audio() {
    let mut w = meeting();
    w.fact(Fact::Hold { who: PHONE, on: true });
    assert!(told(&w.capture(REC, Capture::On)).is_empty());
    assert!(w.after(60_000).is_empty());
    let effects = w.fact(Fact::Hold { who: PHONE, on: false });
    assert_eq!(told(&effects), [[Phrase::RecordingStarted]]);
    assert!(gates(&effects, PHONE).is_empty());
    assert_eq!(gates(&w.told(1, PlayOutcome::Completed), PHONE), [(true, true)]);
}

/// A notice cut off by hold is nobodys fault and told again on resume.
#[test]
fn n3_a_notice_cut_off_by_hold_is_nobodys_fault_and_told() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.began(1);
    w.fact(Fact::Hold { who: PHONE, on: true });
    assert!(alarms(&w.told(1, PlayOutcome::Interrupted)).is_empty());
    let effects = w.fact(Fact::Hold { who: PHONE, on: false });
    assert_eq!(told(&effects), [[Phrase::RecordingStarted]]);
    assert!(gates(&effects, PHONE).is_empty());
}

/// Changes while a notice plays merge and on then off is told as both.
#[test]
fn n4_changes_while_a_notice_plays_merge() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.began(1);
    w.capture(REC, Capture::Off);
    w.capture(REC, Capture::On);
    w.capture(REC, Capture::Off);
    w.capture(CaptureKind::Transcription, Capture::On);
    w.capture(CaptureKind::Transcription, Capture::Paused);
    w.capture(CaptureKind::Transcription, Capture::On);
    w.after(1_500);
    assert_eq!(
        told(&w.told(1, PlayOutcome::Completed)),
        [[Phrase::RecordingStarted, Phrase::RecordingStopped, Phrase::TranscriptionStarted]]
    );
}

#[test]
fn n4_a_following_notice_waits_for_the_second_to_pass() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.after(200);
    w.told(1, PlayOutcome::Completed);
    assert!(told(&w.capture(REC, Capture::Off)).is_empty());
    assert!(told(&w.after(799)).is_empty());
    assert_eq!(told(&w.after(1)), [[Phrase::RecordingStopped]]);
}

/// A notice that fails twice leaves the microphone closed and says so.
#[test]
fn n6_a_notice_that_fails_twice_leaves_the_microphone_closed() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    let effects = w.told(1, PlayOutcome::Failed);
    assert_eq!((alarms(&effects), gates(&effects, PHONE)), (vec![AlarmKind::Failed], vec![(true, false)]));
    let effects = w.told(2, PlayOutcome::Failed);
    assert_eq!((alarms(&effects), said(&effects)), (vec![AlarmKind::Failed], vec![Phrase::MicrophoneClosed]));
    assert!(told(&w.after(29_999)).is_empty());
    assert_eq!(told(&w.after(1)), [[Phrase::RecordingStarted]], "N-8: again every 30 s");
    let effects = w.told(3, PlayOutcome::Failed);
    assert_eq!((alarms(&effects), said(&effects)), (vec![AlarmKind::Failed], vec![]));
    assert_eq!(told(&w.capture(REC, Capture::Off)), [[Phrase::RecordingStarted, Phrase::RecordingStopped]], "at once");
    assert_eq!(gates(&w.told(4, PlayOutcome::Completed), PHONE), [(true, true)]);
    assert!(told(&w.after(600_000)).is_empty());
}

#[test]
fn n11_transcription_that_nothing_could_do_is_refused() {
    let mut w = meeting();
    let ask = Fact::Capture { what: CaptureKind::Transcription, by: MEMBER.into(), want: Capture::On };
    assert_eq!(refusals(&w.fact(ask.clone())), [PolicyRefusal::NotConfigured]);
    w.fact(Fact::CaptureConfigured { what: CaptureKind::Transcription, configured: true });
    assert_eq!(w.fact(ask), [Effect::Capture { what: CaptureKind::Transcription, want: Capture::On }]);
}

#[test]
fn a_flapping_recorder_does_not_grow_what_one_on_hold_is_owed() {
    let mut w = meeting();
    w.fact(Fact::Hold { who: PHONE, on: true });
    for _ in 0..1_000 {
        w.capture(REC, Capture::On);
        w.capture(REC, Capture::Off);
    }
    let effects = w.fact(Fact::Hold { who: PHONE, on: false });
    assert_eq!(told(&effects), [[Phrase::RecordingStarted, Phrase::RecordingStopped]]);
    assert!(effects.iter().any(|e| matches!(e, Effect::Tell { changes, .. } if changes.len() <= 65)));
}
