//! The keypad (K-2).

use super::*;

#[test]
fn k2_star_commands_go_to_the_meeting_or_are_answered() {
    let mut world = World::inside();
    assert_eq!(world.keys("*6"), [StopsPrompts, Tells(FromGuest::Mute(Switch::Toggle))]);
    assert_eq!(world.keys("*5"), [StopsPrompts, Tells(FromGuest::Hand(Switch::Toggle))]);
    assert_eq!(world.keys("*21"), [StopsPrompts, Tells(FromGuest::AdmitAll)]);
    assert_eq!(world.keys("*1"), [StopsPrompts, Says(vec![Phrase::Help, Phrase::HelpChat])]);
    assert_eq!(world.keys("*3"), [StopsPrompts, Says(vec![Phrase::NotAvailable])]);
    assert_eq!(world.keys("*8"), [StopsPrompts, Says(vec![Phrase::EnterPin])]);
    assert_eq!(world.keys("1#"), [StopsPrompts, Pin(false), Says(vec![Phrase::PinWrong])]);
    world.keys("*8");
    assert_eq!(world.keys("9876#"), [StopsPrompts, Pin(true), Says(vec![Phrase::PinAccepted])]);
}

#[test]
fn k2_one_who_waits_has_no_microphone_to_mute() {
    let mut world = World::in_the_lobby();
    assert_eq!(world.keys("*6"), [StopsPrompts, Says(vec![Phrase::NotAvailable])]);
}
