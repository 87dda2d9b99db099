//! The chat by SMS: `*4` (K-2, C-2).

use super::*;

fn number() -> relay::PhoneNumber {
    relay::PhoneNumber::parse("+491715550123").expect("a number")
}

/// Star 4 asks for a number reads it back and asks for the code that was texted.
#[test]
fn k2_star_4_asks_for_a_number_reads_it_back_and_asks() {
    let mut world = World::inside();
    assert_eq!(world.keys("*4"), [StopsPrompts, Says(vec![Phrase::EnterMobileNumber])]);
    let asked = FromGuest::Sms(SmsKeyed::Number(number()));
    assert_eq!(world.keys("01715550123#"), [StopsPrompts, Tells(asked)]);
    let read_back = world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::CodeSent(number()))));
    assert_eq!(read_back, [Says(vec![Phrase::CodeSentTo, Phrase::EnterTextedCode])]);
    // Another key's function meanwhile does not disturb it.
    assert_eq!(world.keys("*6"), [StopsPrompts, Tells(FromGuest::Mute(Switch::Toggle))]);
    let code = FromGuest::Sms(SmsKeyed::Code(Redacted::new("123456".to_owned())));
    assert_eq!(world.keys("123456#"), [StopsPrompts, Tells(code)]);
    assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::On))), [Says(vec![Phrase::ChatOn])]);
    assert_eq!(world.keys("*4"), [StopsPrompts, Tells(FromGuest::Sms(SmsKeyed::Stop))]);
    assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::Off))), [Says(vec![Phrase::ChatOff])]);
}

/// After stop by sms star 4 asks for a number again and nothing is said meanwhile.
#[test]
fn c2_after_stop_by_sms_star_4_asks_for_a_number() {
    let mut world = World::inside();
    world.keys("*4");
    world.keys("01715550123#");
    world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::On)));
    assert!(world.input(CallInput::Meeting(ToGuest::SmsStopped)).is_empty());
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*4"), [StopsPrompts, Says(vec![Phrase::EnterMobileNumber])]);
}

/// A wrong number or code is asked for again and silence ends it with a word.
#[test]
fn k2_a_wrong_number_or_code_is_asked_for_again_and_silence() {
    let mut world = World::inside();
    world.keys("*4");
    let again = [StopsPrompts, Says(vec![Phrase::MobileNumberWrong, Phrase::EnterMobileNumber])];
    assert_eq!(world.keys("112#"), again);
    assert_eq!(world.keys("00#"), again);
    assert_eq!(world.keys("5#"), [StopsPrompts, Says(vec![Phrase::ChatNotSet])]);
    assert!(world.keys("01715550123#").is_empty(), "a digit means nothing again");

    world.now += Duration::from_secs(1);
    world.keys("*4");
    world.now += Duration::from_secs(30);
    world.call.wake(world.now);
    assert_eq!(world.drain(), [StopsPrompts, Says(vec![Phrase::ChatNotSet])]);

    world.keys("*4");
    world.keys("01715550123#");
    world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::CodeSent(number()))));
    world.keys("1#");
    let again = [Says(vec![Phrase::TextedCodeWrong, Phrase::EnterTextedCode])];
    assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::CodeWrong))), again);
    world.keys("2#");
    assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(RelayAnswer::CodeGone))), [Says(vec![Phrase::ChatNotSet])]);
    for refused in [RelayAnswer::TooMany, RelayAnswer::Trouble] {
        assert_eq!(world.input(CallInput::Meeting(ToGuest::Sms(refused))), [Says(vec![Phrase::TextNotSent])]);
    }
}

/// The help names star 4 to one who is inside and before that the key is not available.
#[test]
fn k2_the_help_names_star_4_to_one_who_is_inside() {
    let mut world = World::in_the_lobby();
    assert_eq!(world.keys("*1"), [StopsPrompts, Says(vec![Phrase::Help])]);
    assert_eq!(world.keys("*4"), [StopsPrompts, Says(vec![Phrase::NotAvailable])]);
    let mut world = World::inside();
    assert_eq!(world.keys("*1"), [StopsPrompts, Says(vec![Phrase::Help, Phrase::HelpChat])]);
}
