//! At a meeting's door and inside, until the end; and a place that is handed over (M-9, M-18, O-4).

use super::*;

#[test]
fn k2_star_nine_says_goodbye_tells_the_meeting_and_hangs_up() {
    let mut world = World::inside();
    let last = [StopsPrompts, Tells(FromGuest::Left), StopsPrompts, Music(false), Says(vec![Phrase::Goodbye])];
    assert_eq!(world.keys("*9"), last);
    assert!(world.keys("*6").is_empty(), "nothing follows");
    assert!(world.meeting(ToGuest::Dismiss(Cause::MeetingEnded)).is_empty(), "the first cause stays");
    assert_eq!(world.played(), [Hangs(Cause::Left), ClosesPort]);
    assert_eq!(world.closed(), [Done(Cause::Left)]);
    assert_eq!(world.call.deadline(), None);
}

#[test]
fn last_words_that_never_end_do_not_keep_a_call() {
    let mut world = World::inside();
    world.keys("*9");
    assert!(world.after(11).is_empty());
    assert_eq!(world.after(1), [Hangs(Cause::Left), ClosesPort]);
    assert_eq!(world.after(2), [Done(Cause::Left)], "nor does a port whose figures never come");
}

/// One refused in the lobby hears why and is hung up with its cause.
#[test]
fn m9_one_refused_in_the_lobby_hears_why_and_is_hung() {
    for (cause, phrase) in [(Cause::Denied, Phrase::Denied), (Cause::LobbyTimeout, Phrase::LobbyTimeout)] {
        let mut world = World::in_the_lobby();
        let last = [StopsPrompts, Music(false), Says(vec![phrase])];
        assert_eq!(world.meeting(ToGuest::Dismiss(cause)), last, "the meeting knows already");
        assert_eq!(world.played(), [Hangs(cause), ClosesPort]);
        assert_eq!(world.closed(), [Done(cause)]);
    }
}

#[test]
fn a_phone_that_hangs_up_hears_no_words_and_its_port_is_closed() {
    let mut world = World::inside();
    let last = [Tells(FromGuest::Left), StopsPrompts, Music(false), ClosesPort];
    assert_eq!(world.ended(Cause::HungUp), last);
    assert_eq!(world.closed(), [Done(Cause::HungUp)]);
    assert!(world.keys("*9").is_empty() && world.after(60).is_empty());
}

#[test]
fn a_phone_that_hangs_up_during_the_last_words_ends_them() {
    let mut world = World::inside();
    world.keys("*9");
    assert_eq!(world.ended(Cause::HungUp), [ClosesPort]);
    assert!(world.played().is_empty());
    assert_eq!(world.closed(), [Done(Cause::Left)]);
}

#[test]
fn a_meeting_that_is_not_there_ends_the_call_with_words() {
    let (mut world, _) = World::calls(Addressed::Meeting { name: meeting("demo"), passcode: None });
    let last = [StopsPrompts, Music(false), Says(vec![Phrase::MeetingEnded])];
    assert_eq!(world.input(CallInput::NoMeeting), last);
    assert_eq!(world.played(), [Hangs(Cause::MeetingEnded), ClosesPort]);
}

#[test]
fn o4_a_drained_call_is_warned_by_voice() {
    let mut world = World::inside();
    let last = [Tells(FromGuest::Lost), StopsPrompts, Music(false), Says(vec![Phrase::Closing])];
    assert_eq!(world.input(CallInput::End(Cause::Draining)), last);
    assert_eq!(world.played(), [Hangs(Cause::Draining), ClosesPort]);
}

#[test]
fn a_dead_phone_is_given_up_but_not_while_it_holds() {
    let silent = || MediaEvent::Silent(Duration::from_secs(30));
    let mut world = World::inside();
    world.offers(2, "inactive");
    assert!(world.media(silent()).is_empty());
    let mut world = World::inside();
    assert_eq!(world.media(silent()), [Probes]);
    let last = [Tells(FromGuest::Lost), StopsPrompts, Music(false), Hangs(Cause::MediaTimeout), ClosesPort];
    assert_eq!(world.input(CallInput::Sip(sip::Event::Unreachable { call: CALL })), last);
}

/// Muted for hours: it is asked each time, and stays as long as it answers.
#[test]
fn a1_a_silent_phone_that_answers_stays() {
    let mut world = World::inside();
    for minute in 1..300 {
        assert_eq!(world.media(MediaEvent::Silent(Duration::from_secs(60 * minute))), [Probes]);
    }
    assert!(world.call.established().is_at_meeting());
}

#[test]
fn what_is_known_of_a_call_at_its_end_is_in_its_summary() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    world.after(10);
    world.keys("1001#");
    world.after(20);
    world.meeting(ToGuest::Seated);
    world.meeting(ToGuest::Tell { notice: NOTICE, phrases: vec![Phrase::RecordingOn] });
    world.played();
    world.after(30);
    world.call.handle(world.now, CallInput::Sip(sip::Event::Ended { call: CALL, cause: Cause::HungUp }));
    let stats = PortStats { received: 42, ..PortStats::default() };
    world.call.handle(world.now, CallInput::Media(MediaEvent::Closed(Box::new(stats))));
    let done = std::iter::from_fn(|| world.call.poll()).last();
    let Some(CallAct::Done(CallEnd::Ended(summary))) = done else { panic!("{done:?}") };
    let at = |seconds| start() + Duration::from_secs(seconds);
    assert_eq!((summary.answered, summary.ended, summary.meeting), (at(0), at(60), Some(meeting("demo"))));
    assert_eq!((summary.knocked, summary.admitted), (Some(at(10)), Some(at(30))));
    assert_eq!((summary.cause, summary.notices, summary.stats.received), (Cause::HungUp, 1, 42));
}

/// A place is handed over from inside alone and left only once the other device has knocked.
#[test]
fn m18_a_place_is_handed_over_from_inside_alone_and_left() {
    let refer = || CallInput::Sip(sip::Event::Refer { call: CALL, device: "room-2".into(), replaces: None });
    assert_eq!(World::in_the_lobby().input(refer()), [Refers(false)], "who waits has no place yet");
    let mut world = World::inside();
    assert_eq!(world.input(refer()), [HandsOver("room-2".to_owned())]);
    assert_eq!(world.input(CallInput::Transfer(OutboundProgress::Ringing)), [Notifies(180)]);
    assert_eq!(world.input(CallInput::Transfer(OutboundProgress::Failed(Cause::NoAnswer))), [Notifies(480)]);
    assert_eq!(world.input(refer()), [HandsOver("room-2".to_owned())]);
    let left = world.input(CallInput::Transfer(OutboundProgress::Knocked));
    let leaves = [Notifies(200), Tells(FromGuest::Lost), StopsPrompts, Music(false), Hangs(Cause::Transferred), ClosesPort];
    assert_eq!(left, leaves);

    let (mut menu, _) = World::calls(Addressed::Nothing);
    assert_eq!(menu.input(refer()), [Refers(false)], "there is nothing to hand over yet");
}
