//! Reports of a device on the notices it was sent (N-8).

use super::*;
use crate::common::play_outcome::PlayOutcome;

/// What a device has received or does not report on is told once and shuts nobody.
#[test]
fn n8_what_a_device_has_received_or_does_not_report_on_is_told() {
    for received in [None, Some(901), Some(1_000)] {
        let mut w = meeting();
        w.capture(REC, Capture::On);
        assert!(w.reported(1, received).is_empty(), "{received:?}");
        assert!(w.after(600_000).is_empty(), "{received:?}");
    }
}

/// What a device has not received is told once more then the microphone closes and it is told every 30 s.
#[test]
fn n8_what_a_device_has_not_received_is_told_once() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.after(2_000);
    let effects = w.reported(1, Some(900));
    assert_eq!(
        (told(&effects), alarms(&effects), gates(&effects, PHONE)),
        (vec![vec![Phrase::RecordingStarted]], vec![], vec![])
    );
    w.began(2);
    w.told(2, PlayOutcome::Completed);
    w.after(12_000);
    let effects = w.fact(Fact::Reported { notice: NoticeId::from_number(2), received_permille: Some(0) });
    assert_eq!((alarms(&effects), said(&effects)), (vec![AlarmKind::NotReceived], vec![Phrase::MicrophoneClosed]));
    assert_eq!((told(&effects), gates(&effects, PHONE)), (vec![], vec![(true, false)]));
    assert!(told(&w.after(17_999)).is_empty());
    assert_eq!(told(&w.after(1)), [[Phrase::RecordingStarted]], "30 s after it was told last");
    let effects = w.reported(3, Some(500));
    assert_eq!((alarms(&effects), said(&effects), told(&effects)), (vec![AlarmKind::NotReceived], vec![], vec![]));
    assert!(told(&w.after(29_999)).is_empty());
    assert_eq!(told(&w.after(1)), [[Phrase::RecordingStarted]]);
    assert_eq!(w.policy.may(PHONE, Capability::Speak), Err(PolicyRefusal::NotAllowed));
}

/// The microphone opens with the first notice that is received.
#[test]
fn n8_the_microphone_opens_with_the_first_notice() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.reported(1, Some(0));
    w.after(1_000);
    w.reported(2, Some(0));
    w.after(30_000);
    assert_eq!(gates(&w.reported(3, Some(950)), PHONE), [(true, true)]);
    assert!(told(&w.after(600_000)).is_empty());
}

/// A closed microphone stays closed and is told why where no report comes any more.
#[test]
fn n8_a_closed_microphone_stays_closed_and_is_told_why() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.reported(1, Some(0));
    w.after(1_000);
    w.reported(2, Some(0));
    for notice in 3..6 {
        assert_eq!(told(&w.after(31_000)), [[Phrase::RecordingStarted]], "{notice}");
        assert!(w.reported(notice, None).is_empty());
    }
    assert_eq!(told(&w.capture(REC, Capture::Off)), [[Phrase::RecordingStarted, Phrase::RecordingStopped]]);
    assert_eq!(gates(&w.reported(6, Some(1_000)), PHONE), [(true, true)]);
}

#[test]
fn n2_never_waits_for_a_report() {
    let mut w = world(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    w.join(MEMBER);
    w.capture(REC, Capture::On);
    w.join(PHONE);
    w.began(1);
    assert_eq!(gates(&w.told(1, PlayOutcome::Completed), PHONE), [(true, true)]);
    let effects = w.fact(Fact::Reported { notice: NoticeId::from_number(1), received_permille: Some(0) });
    assert!(gates(&effects, PHONE).is_empty(), "it is told again with its microphone open");
    assert_eq!(told(&w.after(1_000)), [[Phrase::RecordingOn]]);
}

/// What is told again ends with what is true now and is told once.
#[test]
fn n8_what_is_told_again_ends_with_what_is_true_now_and_is_told() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.after(3_000);
    w.told(1, PlayOutcome::Completed);
    w.capture(REC, Capture::Paused);
    w.after(3_000);
    w.told(2, PlayOutcome::Completed);
    let lost = |notice| Fact::Reported { notice: NoticeId::from_number(notice), received_permille: Some(0) };
    assert_eq!(told(&w.fact(lost(1))), [[Phrase::RecordingStarted, Phrase::RecordingPaused]]);
    assert!(told(&w.fact(lost(2))).is_empty(), "it is told again already");
    w.told(3, PlayOutcome::Completed);
    assert!(w.after(20_000).is_empty());
    assert!(w.fact(Fact::Reported { notice: NoticeId::from_number(3), received_permille: Some(1_000) }).is_empty());
    assert!(w.after(600_000).is_empty());
}

#[test]
fn n8_on_hold_what_was_lost_waits_and_comes_before_any_audio() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    w.after(3_000);
    w.told(1, PlayOutcome::Completed);
    w.fact(Fact::Hold { who: PHONE, on: true });
    assert!(told(&w.fact(Fact::Reported { notice: NoticeId::from_number(1), received_permille: Some(0) })).is_empty());
    let effects = w.fact(Fact::Hold { who: PHONE, on: false });
    assert_eq!(told(&effects), [[Phrase::RecordingStarted]]);
    assert!(gates(&effects, PHONE).is_empty());
    assert_eq!(gates(&w.told(2, PlayOutcome::Completed), PHONE), [(true, true)]);
}

#[test]
fn n8_a_notice_cut_off_by_leaving_is_in_the_ledger() {
    let mut w = meeting();
    w.capture(REC, Capture::On);
    let effects = w.fact(Fact::Left { who: PHONE });
    assert!(
        effects
            .iter()
            .any(|e| matches!(e, Effect::Ledger(entry) if entry.outcome == PlayOutcome::Interrupted && entry.what.len() == 1))
    );
}
