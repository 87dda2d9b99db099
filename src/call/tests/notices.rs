//! Notices, from the meeting to their proof (N-3, N-8, N-10).

use super::*;
use crate::common::play_outcome::PlayOutcome;

/// A notice goes from the meeting to the player and its proof comes back.
#[test]
fn n8_a_notice_goes_from_the_meeting_to_the_player() {
    let mut world = World::inside();
    let phrases = vec![Phrase::RecordingStarted, Phrase::TranscriptionStarted];
    let told = world.meeting(ToGuest::Tell { notice: NOTICE, phrases: phrases.clone() });
    assert_eq!(told.first(), Some(&Gives(phrases.clone())));
    let play = world.last_play.expect("it plays");
    let length = phrases.iter().map(|phrase| library().clip("en", *phrase).duration()).sum();
    assert_eq!(world.media(MediaEvent::Began { play }), [Tells(FromGuest::Began { notice: NOTICE, length })]);
    assert_eq!(
        world.keys("*1"),
        [StopsPrompts, Says(vec![Phrase::Help, Phrase::HelpChat])],
        "what plays is not the call's to cut"
    );
    let told = FromGuest::Told { notice: NOTICE, outcome: PlayOutcome::Completed, carried: Some(CARRIED) };
    assert_eq!(world.media(MediaEvent::Played { play, outcome: PlayOutcome::Completed, carried: Some(CARRIED) }), [Tells(told)]);
    let reported = || MediaEvent::Reported { play, received_permille: Some(950) };
    assert_eq!(world.media(reported()), [Tells(FromGuest::Reported { notice: NOTICE, received_permille: Some(950) })]);
    assert!(world.media(reported()).is_empty(), "once");
}

#[test]
fn n8_a_notice_that_was_cut_is_told_as_cut_and_needs_no_report() {
    let mut world = World::inside();
    world.meeting(ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingStarted] });
    let play = world.last_play.expect("it plays");
    let told = FromGuest::Told { notice: NOTICE, outcome: PlayOutcome::Interrupted, carried: None };
    assert_eq!(world.media(MediaEvent::Played { play, outcome: PlayOutcome::Interrupted, carried: None }), [Tells(told)]);
    assert!(world.media(MediaEvent::Reported { play, received_permille: None }).is_empty());
}

/// The proof of a notice that ends with the call still reaches the meeting.
#[test]
fn n8_the_proof_of_a_notice_that_ends_with_the_call() {
    let mut world = World::inside();
    world.meeting(ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingStarted] });
    let play = world.last_play.expect("it plays");
    world.ended(Cause::HungUp);
    let told = FromGuest::Told { notice: NOTICE, outcome: PlayOutcome::Interrupted, carried: Some(CARRIED) };
    assert_eq!(
        world.media(MediaEvent::Played { play, outcome: PlayOutcome::Interrupted, carried: Some(CARRIED) }),
        [Tells(told)]
    );
    assert_eq!(world.closed(), [Done(Cause::HungUp)]);
}

/// A notice is told by sms and shown as well to who is inside.
#[test]
fn n10_a_notice_is_told_by_sms_and_shown_as_well() {
    let told = |world: &mut World| world.meeting(ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingStarted] });
    let spoken = Gives(vec![Phrase::RecordingStarted]);
    let text = library().text("en", Phrase::RecordingStarted).expect("a text").to_owned();
    let by_sms = || Tells(FromGuest::NoticeText(Redacted::new(text.clone())));
    let mut world = World::inside();
    assert_eq!(told(&mut world), [spoken, by_sms()]);
    world.call.established().settings.text = true;
    assert_eq!(told(&mut world), [Gives(vec![Phrase::RecordingStarted]), Shows(text.clone()), by_sms()]);
    let mut world = World::in_the_lobby();
    assert_eq!(told(&mut world), [Gives(vec![Phrase::RecordingStarted])], "outside nothing is readable (C-1)");
}
