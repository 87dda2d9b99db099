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
