//! The menu, as a caller meets it (K-1, K-3).

use std::time::Duration;

use super::world::World;
use crate::common::phrase::Phrase;

#[test]
fn k1_a_caller_is_welcomed_keys_the_conference_id_and_knocks() {
    let world = World::new();
    let phone = world.phone();
    phone.dials("");
    phone.hears(Phrase::Welcome);
    phone.hears(Phrase::EnterConferenceId);
    phone.presses("1001#");
    phone.hears(Phrase::WaitingForHost);
    phone.hangs_up();
    world.nothing_left();
}

/// A dialled meeting still asks for its passcode and three wrong ones end in a goodbye.
#[test]
fn k1_a_dialled_meeting_still_asks_for_its_passcode_and_three() {
    let world = World::new();
    let phone = world.phone();
    phone.dials("1002");
    phone.hears(Phrase::EnterPasscode);
    phone.presses("1111#");
    phone.hears(Phrase::PasscodeWrong);
    phone.presses("2222#");
    phone.hears(Phrase::PasscodeWrong);
    phone.presses("4321#");
    phone.hears(Phrase::WaitingForHost);
    phone.hangs_up();

    phone.dials("1002");
    for wrong in ["1111#", "2222#", "3333#"] {
        phone.presses(wrong);
    }
    phone.hears(Phrase::TooManyTries);
    assert!(phone.is_hung_up().contains("too-many-tries"));
    world.nothing_left();
}

/// A source that goes on guessing is locked out for a quarter of an hour and no other is.
#[test]
fn k1_a_source_that_goes_on_guessing_is_locked() {
    let world = World::new();
    let (guesser, other) = (world.phone(), world.phone());
    for _ in 0..3 {
        guesser.dials("1002");
        for wrong in ["1111#", "2222#", "3333#"] {
            guesser.presses(wrong);
        }
        guesser.is_hung_up();
    }
    assert!(guesser.is_refused("1002", 403).contains("too-many-tries"));
    other.dials("1002");
    other.hears(Phrase::EnterPasscode);
    other.presses("4321#");
    other.hears(Phrase::WaitingForHost);
    other.hangs_up();
    world.passes(Duration::from_secs(15 * 60));
    guesser.dials("1002");
    guesser.hears(Phrase::EnterPasscode);
    guesser.hangs_up();
    world.nothing_left();
}

/// An auto diallers keys are all understood and one press told twice is one digit.
#[test]
fn k3_an_auto_diallers_keys_are_all_understood_and_one_press() {
    let world = World::new();
    let phone = world.phone();
    phone.dials("");
    phone.hears(Phrase::EnterConferenceId);
    phone.auto_dials("1001#");
    phone.hears(Phrase::WaitingForHost);
    phone.hangs_up();

    phone.dials("");
    phone.hears(Phrase::EnterConferenceId);
    phone.presses("100");
    phone.presses_by_info('0');
    phone.presses("1");
    phone.presses_by_info('1');
    phone.presses("#");
    phone.hears(Phrase::WaitingForHost);
    phone.hangs_up();
    world.nothing_left();
}
