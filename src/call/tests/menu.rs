//! The menu (K-1).

use super::*;

#[test]
fn k1_a_caller_is_welcomed_keys_id_and_passcode_and_knocks() {
    let (mut world, first) = World::calls(Addressed::Nothing);
    assert_eq!(first, [Says(vec![Phrase::Welcome, Phrase::EnterConferenceId])]);
    assert_eq!(world.keys("1002#"), [StopsPrompts, Says(vec![Phrase::EnterPasscode])]);
    assert!(world.played().is_empty());
    let wrong = WrongTry(Some("board"));
    assert_eq!(world.keys("1111#"), [wrong, Says(vec![Phrase::PasscodeWrong, Phrase::EnterPasscode])]);
    assert_eq!(world.keys("4321#"), [StopsPrompts, Knocks("board")]);
    assert!(world.after(60).is_empty());
}

#[test]
fn k1_after_three_wrong_passcodes_the_call_ends_with_words() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    world.keys("1002#");
    for _ in 1..TRIES {
        world.keys("1111#");
    }
    let last = [StopsPrompts, WrongTry(Some("board")), StopsPrompts, Music(false), Says(vec![Phrase::TooManyTries])];
    assert_eq!(world.keys("1111#"), last);
    assert!(world.keys("4321#").is_empty(), "a right code comes too late");
    assert_eq!(world.played(), [Hangs(Cause::TooManyTries), ClosesPort]);
    assert_eq!(world.closed(), [Done(Cause::TooManyTries)]);
}

#[test]
fn k1_a_locked_out_caller_is_told_so_even_with_the_right_code() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    assert_eq!(world.keys("1001#"), [StopsPrompts, Knocks("demo")]);
    let last = [Tells(FromGuest::Left), StopsPrompts, Music(false), Says(vec![Phrase::TooManyTries])];
    assert_eq!(world.input(CallInput::LockedOut), last);
    assert_eq!(world.played(), [Hangs(Cause::TooManyTries), ClosesPort]);
}

#[test]
fn a_key_told_by_event_and_by_info_is_one_key() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    for key in "1001#".chars() {
        world.keys(&key.to_string());
        let info = sip::Event::Digit { call: CALL, digit: key, duration: Duration::from_millis(100) };
        assert!(world.input(CallInput::Sip(info)).is_empty() || key == '#');
        world.now += Duration::from_millis(300);
    }
    assert_eq!(world.call.established().meeting, Some(meeting("demo")));
}

/// Keys are looked for in the sound where no telephone events were agreed on, or where the device is set so.
#[test]
fn a2_keys_are_looked_for_in_band_without_events_or_if_set_so() {
    let with_events = description(1, "sendrecv");
    let without = with_events.replace("RTP/AVP 0 101", "RTP/AVP 0");
    for (policy, offer, is_inband) in [
        (DtmfPolicy::Auto, &with_events, false),
        (DtmfPolicy::Auto, &without, true),
        (DtmfPolicy::Inband, &with_events, true),
        (DtmfPolicy::Inband, &without, true),
        (DtmfPolicy::OutOfBand, &with_events, false),
        (DtmfPolicy::OutOfBand, &without, false),
    ] {
        let (_, profile) = offer_answer().with_dtmf(policy).respond(Some(offer.as_bytes())).expect("agreed");
        assert_eq!(profile.expect("a profile").inband_keys, is_inband, "{policy:?}");
    }
}

/// A long press that the phone reports by INFO too, when it ends: one key, also the one that leaves the menu.
#[test]
fn k3_a_long_press_with_info_at_its_end_is_one_key() {
    let (mut world, _) = World::calls(Addressed::Nothing);
    let mut did = Vec::new();
    for key in "1001#*6".chars() {
        world.now += Duration::from_millis(300);
        did.extend(world.input(CallInput::Media(MediaEvent::Digit(Redacted::new(key)))));
        world.now += Duration::from_millis(1500);
        did.extend(world.input(CallInput::Media(MediaEvent::DigitReleased(Redacted::new(key)))));
        did.extend(world.sip(sip::Event::Digit { call: CALL, digit: key, duration: Duration::from_millis(1500) }));
    }
    assert!(did.contains(&Knocks("demo")), "{did:?}");
    // In the lobby nothing can be muted: `*6` is heard, and once.
    let answers = did.iter().filter(|did| **did == Says(vec![Phrase::NotAvailable])).count();
    assert_eq!(answers, 1, "{did:?}");
}
