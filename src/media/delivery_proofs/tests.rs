//! What is concluded from the fate of packets and from reports, and never from anything else.

use super::*;
use crate::common::play_outcome::PlayOutcome;

const SSRC: u32 = 7;
const PLAY: PlayId = PlayId::from_number(1);
const NEXT: PlayId = PlayId::from_number(2);

#[allow(clippy::disallowed_methods, reason = "an instant to count from")]
fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn after(milliseconds: u64) -> Instant {
    start() + Duration::from_millis(milliseconds)
}

fn heard(proofs: &mut DeliveryProofs) -> Vec<String> {
    std::iter::from_fn(|| proofs.poll())
        .map(|heard| match heard {
            MediaEvent::Began { play } => format!("{play} began"),
            MediaEvent::Played { play, outcome, carried } => {
                let packets = carried.map(|carried| (carried.first, carried.last));
                assert!(carried.is_none_or(|carried| carried.ssrc == SSRC));
                format!("{play} {outcome:?} {packets:?}")
            }
            MediaEvent::Reported { play, received_permille } => format!("{play} received {received_permille:?}"),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// A play in packets 100 to 199, of which those for which `leaves` is false do not leave.
fn played(leaves: impl Fn(u32) -> bool) -> DeliveryProofs {
    let mut proofs = DeliveryProofs::new(SSRC);
    proofs.begins(PLAY, 100);
    proofs.ends(start(), PLAY, PlayOutcome::Completed, 199);
    for sequence in 100..200 {
        proofs.sent(start(), sequence, leaves(sequence));
    }
    proofs
}

fn span(after: u32, upto: u32, lost: u32) -> Span {
    Span { after, upto, lost }
}

/// It begins with the first packet that leaves and is complete with the last.
#[test]
fn n8_it_begins_with_the_first_packet_that_leaves() {
    let mut proofs = DeliveryProofs::new(SSRC);
    proofs.begins(PLAY, 100);
    assert!(heard(&mut proofs).is_empty(), "rendered is not said");
    proofs.sent(start(), 99, true);
    assert!(heard(&mut proofs).is_empty());
    proofs.sent(start(), 100, true);
    assert_eq!(heard(&mut proofs), ["play-1 began"]);
    proofs.ends(start(), PLAY, PlayOutcome::Completed, 101);
    assert!(heard(&mut proofs).is_empty());
    proofs.sent(start(), 101, true);
    assert_eq!(heard(&mut proofs), ["play-1 Completed Some((100, 101))"]);
}

/// One packet that does not leave makes it failed and names those that did.
#[test]
fn n6_one_packet_that_does_not_leave_makes_it_failed_and_names() {
    for lost in [100, 150, 199] {
        let expected = format!(
            "play-1 Failed Some({:?})",
            if lost == 100 { (101, 199) } else { (100, lost.max(199) - u32::from(lost == 199)) }
        );
        assert_eq!(heard(&mut played(|sequence| sequence != lost)), ["play-1 began".to_owned(), expected], "{lost}");
    }
    assert_eq!(heard(&mut played(|_| false)), ["play-1 Failed None"]);
}

#[test]
fn n6_a_packet_that_nothing_is_said_of_has_not_left() {
    let mut proofs = DeliveryProofs::new(SSRC);
    proofs.sent(start(), 98, true);
    proofs.begins(PLAY, 100);
    proofs.ends(start(), PLAY, PlayOutcome::Completed, 102);
    proofs.sent(start(), 100, true);
    proofs.sent(start(), 103, true);
    assert_eq!(heard(&mut proofs), ["play-1 began", "play-1 Failed Some((100, 100))"]);
    proofs.begins(NEXT, 105);
    proofs.ends(start(), NEXT, PlayOutcome::Completed, 106);
    proofs.sent(start(), 105, true);
    proofs.sent(start(), 106, true);
    assert_eq!(heard(&mut proofs), ["play-2 began", "play-2 Completed Some((105, 106))"], "the one before it was not its");
}

#[test]
fn n8_what_is_cut_names_what_had_left_by_then() {
    let mut proofs = DeliveryProofs::new(SSRC);
    proofs.begins(PLAY, 100);
    proofs.sent(start(), 100, true);
    proofs.ends(start(), PLAY, PlayOutcome::Interrupted, 101);
    proofs.sent(start(), 101, true);
    proofs.ends(start(), NEXT, PlayOutcome::Interrupted, 101);
    assert_eq!(heard(&mut proofs), ["play-1 began", "play-1 Interrupted Some((100, 101))", "play-2 Interrupted None"]);
    proofs.begins(PLAY, 102);
    proofs.ends(start(), PLAY, PlayOutcome::Completed, 103);
    proofs.sent(start(), 102, true);
    proofs.cut_off(start(), 103);
    assert_eq!(heard(&mut proofs), ["play-1 began", "play-1 Interrupted Some((102, 102))"], "its tail was never sent");
}

#[test]
fn n8_the_loss_between_the_reports_around_it_is_its_loss() {
    for (lost, received) in [(0, 1000), (5, 980), (24, 904), (25, 900), (50, 800), (250, 0)] {
        let mut proofs = played(|_| true);
        heard(&mut proofs);
        proofs.reported(after(500), span(49, 150, 0));
        assert!(heard(&mut proofs).is_empty());
        let mut whole = played(|_| true);
        heard(&mut whole);
        whole.reported(after(500), span(0, 250, lost));
        assert_eq!(heard(&mut whole), [format!("play-1 received Some({received})")], "{lost} of 250");
    }
}

/// Reports that come while it plays count for the part they speak of.
#[test]
fn n8_reports_that_come_while_it_plays_count_for_the_part() {
    let mut proofs = DeliveryProofs::new(SSRC);
    proofs.begins(PLAY, 100);
    (60..150).for_each(|sequence| proofs.sent(start(), sequence, true));
    proofs.reported(start(), span(49, 149, 100));
    proofs.ends(start(), PLAY, PlayOutcome::Completed, 199);
    (150..220).for_each(|sequence| proofs.sent(start(), sequence, true));
    heard(&mut proofs);
    proofs.reported(start(), span(149, 209, 0));
    assert_eq!(heard(&mut proofs), ["play-1 received Some(500)"], "the first half was lost");
}

#[test]
fn n8_a_device_that_reports_nothing_is_unreported_after_a_while() {
    let mut proofs = played(|_| true);
    heard(&mut proofs);
    proofs.expire(after(12_499));
    assert!(heard(&mut proofs).is_empty());
    proofs.expire(after(12_500));
    assert_eq!(heard(&mut proofs), ["play-1 received None"]);
    proofs.reported(after(12_600), span(0, 300, 300));
    assert!(heard(&mut proofs).is_empty(), "too late");
}

/// Reports that stand still before its end say that the rest was lost.
#[test]
fn n8_reports_that_stand_still_before_its_end_say_that_the_rest() {
    let mut proofs = played(|_| true);
    heard(&mut proofs);
    proofs.reported(after(200), span(0, 149, 0));
    proofs.expire(after(12_500));
    assert_eq!(heard(&mut proofs), ["play-1 received None"], "made before the rest could arrive, and no other came");
    let mut proofs = played(|_| true);
    heard(&mut proofs);
    proofs.reported(after(200), span(0, 149, 0));
    proofs.reported(after(5_000), span(149, 149, 0));
    proofs.expire(after(12_500));
    assert_eq!(heard(&mut proofs), ["play-1 received Some(500)"]);
    let mut proofs = played(|_| true);
    heard(&mut proofs);
    proofs.reported(after(4_000), span(90, 90, 0));
    proofs.close(after(5_000));
    assert_eq!(heard(&mut proofs), ["play-1 received Some(0)"], "also when it hangs up meanwhile");
}

#[test]
fn n8_several_on_their_way_have_each_their_own_loss() {
    let mut proofs = played(|_| true);
    proofs.begins(NEXT, 250);
    proofs.ends(start(), NEXT, PlayOutcome::Completed, 299);
    (200..350).for_each(|sequence| proofs.sent(start(), sequence, true));
    heard(&mut proofs);
    proofs.reported(start(), span(99, 249, 0));
    proofs.reported(start(), span(249, 349, 50));
    assert_eq!(heard(&mut proofs), ["play-1 received Some(1000)", "play-2 received Some(500)"]);
}

#[test]
fn n8_no_more_reports_are_awaited_than_there_is_room_for() {
    let mut proofs = DeliveryProofs::new(SSRC);
    for number in 0..40 {
        let sequence = 100 + u32::try_from(number).unwrap();
        proofs.begins(PlayId::from_number(number), sequence);
        proofs.ends(start(), PlayId::from_number(number), PlayOutcome::Completed, sequence);
        proofs.sent(start(), sequence, true);
    }
    heard(&mut proofs);
    proofs.expire(start());
    assert_eq!((heard(&mut proofs).len(), proofs.awaited.len()), (40 - AWAITED, AWAITED));
}
