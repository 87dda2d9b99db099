//! Each rule as a sentence, and storms of keys.
#![allow(clippy::disallowed_methods, reason = "an instant to count from")]

use proptest::prelude::*;

use super::*;
use crate::menu::{DigitFilter, DigitMeans, KeyBinding, KeyCommand, Keymap, Keypad, KeypadInput, KeypadRights};

fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn name(name: &str) -> MeetingName {
    MeetingName::new(name).unwrap()
}

fn directory() -> Arc<Directory> {
    let entry = |n, id: &str, passcode: Option<&str>| Entry {
        name: name(n),
        conference_id: id.to_owned(),
        passcode: passcode.map(|p| Redacted::new(p.to_owned())),
    };
    Arc::new(Directory::new(vec![entry("demo", "1001", None), entry("board", "1002", Some("4321"))]))
}

fn chosen(meeting: &str, keyed: bool) -> MenuOutput {
    MenuOutput::Chosen { meeting: name(meeting), keyed }
}

struct Phone {
    menu: Menu,
    now: Instant,
}

impl Phone {
    fn dials(address: Addressed) -> (Self, Vec<MenuOutput>) {
        let mut phone = Self { menu: Menu::new(directory()), now: start() };
        let first = phone.input(MenuInput::Start { address });
        (phone, first)
    }

    fn input(&mut self, input: MenuInput) -> Vec<MenuOutput> {
        self.menu.handle(self.now, input);
        std::iter::from_fn(|| self.menu.poll()).collect()
    }

    fn keys(&mut self, keys: &str) -> Vec<MenuOutput> {
        keys.chars().flat_map(|key| self.input(MenuInput::Digit(KeyPress::new(key, DigitMeans::Rfc4733)))).collect()
    }

    fn after(&mut self, seconds: u64) -> Vec<MenuOutput> {
        self.now += Duration::from_secs(seconds);
        self.menu.wake(self.now);
        std::iter::from_fn(|| self.menu.poll()).collect()
    }
}

fn play(phrases: &[Phrase]) -> MenuOutput {
    MenuOutput::Play(phrases.to_vec())
}

fn board(passcode: Option<&str>) -> Addressed {
    Addressed::Meeting { name: name("board"), passcode: passcode.map(|p| Redacted::new(p.to_owned())) }
}

#[test]
fn k1_the_menu_asks_for_the_conference_id_and_the_passcode() {
    let (mut phone, first) = Phone::dials(Addressed::Nothing);
    assert_eq!(first, [play(&[Phrase::Welcome, Phrase::EnterConferenceId])]);
    assert_eq!(phone.keys("1002#"), [MenuOutput::StopPlaying, play(&[Phrase::EnterPasscode])]);
    assert_eq!(phone.keys("4321#"), [MenuOutput::StopPlaying, chosen("board", true)]);
    assert_eq!(phone.menu.deadline(), None);
    assert!(phone.keys("1#").is_empty());
}

#[test]
fn k1_a_meeting_without_a_passcode_is_chosen_by_its_id_alone() {
    let (mut phone, _) = Phone::dials(Addressed::Nothing);
    phone.input(MenuInput::PromptsDone);
    assert_eq!(phone.keys("1001#"), [chosen("demo", false)]);
}

/// Direct addressing skips the conference id and never the passcode.
#[test]
fn k1_direct_addressing_skips_the_conference_id_and_never() {
    let (mut phone, first) = Phone::dials(board(None));
    assert_eq!(first, [play(&[Phrase::Welcome, Phrase::EnterPasscode])]);
    phone.input(MenuInput::PromptsDone);
    assert_eq!(phone.keys("4321#"), [chosen("board", true)]);
    let demo = Addressed::Meeting { name: name("demo"), passcode: None };
    assert_eq!(Phone::dials(demo).1, [play(&[Phrase::Welcome]), chosen("demo", false)]);
    let nowhere = Addressed::Meeting { name: name("nowhere"), passcode: None };
    assert_eq!(Phone::dials(nowhere).1, [MenuOutput::Failed(Cause::UnknownAddress)]);
}

/// A supplied passcode is taken when right and counts as a try when wrong.
#[test]
fn k1_a_supplied_passcode_is_taken_when_right_and_counts() {
    assert_eq!(Phone::dials(board(Some("4321"))).1, [play(&[Phrase::Welcome]), chosen("board", false)]);
    let (mut phone, first) = Phone::dials(board(Some("9")));
    let wrong = MenuOutput::WrongTry { meeting: Some(name("board")) };
    assert_eq!(first, [wrong.clone(), play(&[Phrase::Welcome, Phrase::PasscodeWrong, Phrase::EnterPasscode])]);
    phone.keys("1#");
    assert_eq!(phone.keys("1#"), [MenuOutput::StopPlaying, wrong, MenuOutput::Failed(Cause::TooManyTries)]);
}

#[test]
fn k1_three_wrong_conference_ids_end_the_menu() {
    let (mut phone, _) = Phone::dials(Addressed::Nothing);
    let wrong = MenuOutput::WrongTry { meeting: None };
    let again = play(&[Phrase::ConferenceIdUnknown, Phrase::EnterConferenceId]);
    for _ in 0..2 {
        assert_eq!(phone.keys("7#"), [MenuOutput::StopPlaying, wrong.clone(), again.clone()]);
    }
    assert_eq!(phone.keys("7#"), [MenuOutput::StopPlaying, wrong, MenuOutput::Failed(Cause::TooManyTries)]);
}

#[test]
fn k3_five_seconds_after_the_last_digit_the_code_is_taken() {
    let (mut phone, _) = Phone::dials(Addressed::Nothing);
    phone.keys("1001");
    assert!(phone.after(4).is_empty());
    assert_eq!(phone.after(1), [chosen("demo", false)]);
}

#[test]
fn silence_repeats_the_prompt_three_times_and_then_ends() {
    let (mut phone, _) = Phone::dials(Addressed::Nothing);
    for _ in 0..3 {
        phone.input(MenuInput::PromptsDone);
        assert!(phone.after(14).is_empty());
        assert_eq!(phone.after(1), [play(&[Phrase::EnterConferenceId])]);
    }
    phone.input(MenuInput::PromptsDone);
    assert_eq!(phone.after(15), [MenuOutput::Failed(Cause::NoInput)]);
}

#[test]
fn a_prompt_whose_end_is_never_reported_does_not_hang_the_menu() {
    let (mut phone, _) = Phone::dials(Addressed::Nothing);
    assert!(phone.after(60).is_empty());
    assert_eq!(phone.after(15), [play(&[Phrase::EnterConferenceId])]);
}

#[test]
fn a_locked_out_caller_is_ended_like_one_with_too_many_tries() {
    let (mut phone, _) = Phone::dials(Addressed::Nothing);
    assert_eq!(phone.input(MenuInput::LockedOut), [MenuOutput::Failed(Cause::TooManyTries)]);
    assert!(phone.input(MenuInput::LockedOut).is_empty());
}

#[test]
fn k1_codes_are_in_no_debug_output() {
    let (mut phone, _) = Phone::dials(Addressed::Nothing);
    phone.keys("1002#98765");
    let mut keypad = Keypad::new(Keymap::default(), Some(Redacted::new("98765".to_owned())), KeypadRights::default());
    for key in "*898765".chars() {
        keypad.handle(start(), KeypadInput::Press(KeyPress::new(key, DigitMeans::Info)));
    }
    let text = format!("{:?} {:?} {:?}", phone.menu, keypad, KeyPress::new('9', DigitMeans::Info));
    assert!(!text.contains("98765") && !text.contains("4321") && !text.contains("'9'"), "{text}");
}

// === Presses ===

/// One press seen by several means is one digit and two events are two.
#[test]
fn k3_one_press_seen_by_several_means_is_one_digit_and_two() {
    let mut filter = DigitFilter::default();
    let at = |ms| start() + Duration::from_millis(ms);
    let mut accepts = |ms, means| filter.accept(at(ms), KeyPress::new('5', means));
    assert!(accepts(0, DigitMeans::Info));
    assert!(!accepts(20, DigitMeans::Inband));
    assert!(accepts(100, DigitMeans::Info));
    assert!(accepts(200, DigitMeans::Info));
    assert!(accepts(500, DigitMeans::Info));
    assert!(!accepts(749, DigitMeans::Rfc4733));
    assert!(accepts(1_000, DigitMeans::Rfc4733));
}

/// Presses of 60 ms each 100 ms, which RFC 4733 and INFO report.
#[test]
fn k3_two_quick_presses_by_two_means_are_two_digits() {
    let (mut filter, mut digits) = (DigitFilter::default(), 0);
    for at in 0..10 {
        let ms = |ms: u64| start() + Duration::from_millis(at * 100 + ms);
        digits += u32::from(filter.accept(ms(0), KeyPress::new('5', DigitMeans::Rfc4733)));
        filter.release(ms(60), KeyPress::new('5', DigitMeans::Rfc4733));
        digits += u32::from(filter.accept(ms(70), KeyPress::new('5', DigitMeans::Info)));
    }
    assert_eq!(digits, 10);
}

/// INFO at press or release and a tone or events beside, short or long: one key.
#[test]
fn k3_info_at_press_or_release_of_any_length_is_one_key() {
    for held in [40, 100, 240, 260, 1_500, 12_000] {
        for informed in [-200, 0, 30, held, held + 200] {
            for media in [DigitMeans::Rfc4733, DigitMeans::Inband] {
                let (mut filter, mut digits) = (DigitFilter::default(), 0);
                let ms = |ms: i64| start() + Duration::from_millis((1000 + ms).unsigned_abs());
                let mut reports = [(0, 0), (held, 1), (informed, 2)];
                reports.sort_unstable();
                for (at, what) in reports {
                    match what {
                        0 => digits += u32::from(filter.accept(ms(at), KeyPress::new('5', media))),
                        1 => filter.release(ms(at), KeyPress::new('5', media)),
                        _ => digits += u32::from(filter.accept(ms(at), KeyPress::new('5', DigitMeans::Info))),
                    }
                }
                assert_eq!(digits, 1, "held {held} ms, INFO at {informed} ms, {media:?}");
                assert!(filter.accept(ms(held + 500), KeyPress::new('5', media)), "the next press");
            }
        }
    }
}

// === Keypad ===

struct Keys {
    keypad: Keypad,
    now: Instant,
}

impl Keys {
    fn new(inside: bool) -> Self {
        let mut keypad = Keypad::new(Keymap::default(), Some(Redacted::new("2468".to_owned())), KeypadRights::default());
        keypad.handle(start(), KeypadInput::Inside(inside));
        Self { keypad, now: start() }
    }

    fn press(&mut self, keys: &str) -> Vec<KeyCommand> {
        for key in keys.chars() {
            self.now += Duration::from_millis(100);
            self.keypad.handle(self.now, KeypadInput::Press(KeyPress::new(key, DigitMeans::Rfc4733)));
        }
        std::iter::from_fn(|| self.keypad.poll()).collect()
    }

    fn after(&mut self, seconds: u64) -> Vec<KeyCommand> {
        self.now += Duration::from_secs(seconds);
        self.keypad.wake(self.now);
        std::iter::from_fn(|| self.keypad.poll()).collect()
    }
}

#[test]
fn k2_the_default_keys_do_what_the_rule_says() {
    let mut keys = Keys::new(true);
    for (pressed, command) in [
        ("*1", KeyCommand::Help),
        ("*5", KeyCommand::ToggleHand),
        ("*6", KeyCommand::ToggleMute),
        ("*9", KeyCommand::Leave),
        ("*21", KeyCommand::AdmitAll),
        ("*3", KeyCommand::NotAvailable),
        ("*4", KeyCommand::NotAvailable),
        ("*22", KeyCommand::NotAvailable),
        ("*24", KeyCommand::NotAvailable),
        ("*7", KeyCommand::NotAvailable),
        ("*29", KeyCommand::NotAvailable),
    ] {
        assert_eq!(keys.press(pressed), [command], "{pressed}");
    }
    assert!(keys.press("1234567890#").is_empty(), "a digit without a star means nothing");
}

#[test]
fn k3_a_sequence_that_can_go_on_is_waited_for_three_seconds() {
    let mut keys = Keys::new(true);
    assert!(keys.press("*2").is_empty());
    assert!(keys.after(2).is_empty());
    assert_eq!(keys.after(1), [KeyCommand::NotAvailable]);
    assert!(keys.press("*").is_empty());
    assert!(keys.after(3).is_empty());
    assert!(keys.press("6").is_empty());
    let own = Keymap::new([("2".to_owned(), KeyBinding::Help), ("21".to_owned(), KeyBinding::Mute)]).unwrap();
    keys.keypad = Keypad::new(own, None, KeypadRights::default());
    assert!(keys.press("*2").is_empty());
    assert_eq!(keys.after(3), [KeyCommand::Help]);
    assert!(Keymap::new([("*2".to_owned(), KeyBinding::Help)]).is_none());
}

/// The same command again within a quarter second counts once.
#[test]
fn k3_the_same_command_again_within_a_quarter_second_counts() {
    let mut keys = Keys::new(true);
    assert_eq!(keys.press("*6*6"), [KeyCommand::ToggleMute]);
    keys.after(1);
    assert_eq!(keys.press("*6"), [KeyCommand::ToggleMute]);
    assert_eq!(keys.press("*8*82468#"), [KeyCommand::AskPin, KeyCommand::PinAccepted]);
}

#[test]
fn k2_three_wrong_pins_lock_the_key_for_this_call() {
    let mut keys = Keys::new(true);
    for _ in 0..2 {
        assert_eq!(keys.press("*81#"), [KeyCommand::AskPin, KeyCommand::PinWrong]);
    }
    assert_eq!(keys.press("*81#"), [KeyCommand::AskPin, KeyCommand::PinWrong, KeyCommand::PinLocked]);
    assert_eq!(keys.press("*82468#"), [KeyCommand::PinLocked]);
}

/// A pin is taken after five seconds and an empty one is no try.
#[test]
fn k2_a_pin_is_taken_after_five_seconds_and_an_empty() {
    let mut keys = Keys::new(true);
    assert_eq!(keys.press("*8#"), [KeyCommand::AskPin]);
    assert_eq!(keys.press("*82468"), [KeyCommand::AskPin]);
    assert_eq!(keys.after(5), [KeyCommand::PinAccepted]);
    keys.keypad = Keypad::new(Keymap::default(), None, KeypadRights::default());
    assert_eq!(keys.press("*8"), [KeyCommand::NotAvailable]);
}

/// Digits that were asked for need no star and end with the pound key or by time.
#[test]
fn k2_digits_that_were_asked_for_need_no_star_and_end() {
    let digits = |digits: &str| KeyCommand::Digits(Redacted::new(digits.to_owned()));
    let mut keys = Keys::new(true);
    keys.keypad = Keypad::new(Keymap::default(), None, KeypadRights { chat: true, ..KeypadRights::default() });
    keys.keypad.handle(keys.now, KeypadInput::Inside(true));
    let collect = |keys: &mut Keys| keys.keypad.handle(keys.now, KeypadInput::Collect(Duration::from_secs(30)));
    assert_eq!(keys.press("*4"), [KeyCommand::Chat]);
    collect(&mut keys);
    assert_eq!(keys.press("0171#"), [digits("0171")]);
    collect(&mut keys);
    assert!(keys.press("01").is_empty());
    assert_eq!(keys.press("*6"), [KeyCommand::ToggleMute], "a command in between takes what was begun away");
    assert_eq!(keys.press("23#"), [digits("23")]);
    collect(&mut keys);
    assert!(keys.press("42").is_empty());
    assert_eq!(keys.after(5), [digits("42")]);
    collect(&mut keys);
    assert!(keys.after(29).is_empty());
    assert_eq!(keys.after(1), [digits("")]);
    collect(&mut keys);
    assert_eq!(keys.press(&format!("{}#", "1".repeat(40))), [digits("")], "longer than any number");
    assert!(keys.press("1#").is_empty());
}

/// One who waits may ask for help leave and give the pin and then admit others.
#[test]
fn one_who_waits_may_ask_for_help_leave_and_give_the_pin() {
    let mut keys = Keys::new(false);
    assert_eq!(keys.press("*1"), [KeyCommand::Help]);
    assert_eq!(keys.press("*9"), [KeyCommand::Leave]);
    for pressed in ["*5", "*6", "*21"] {
        assert_eq!(keys.press(pressed), [KeyCommand::NotAvailable]);
    }
    assert_eq!(keys.press("*82468#"), [KeyCommand::AskPin, KeyCommand::PinAccepted]);
    assert_eq!(keys.press("*21"), [KeyCommand::AdmitAll]);
}

// === Storms ===

fn storm() -> impl Strategy<Value = Vec<(u8, u8, u16)>> {
    proptest::collection::vec(any::<(u8, u8, u16)>(), 1..200)
}

fn press(key: u8, means: u8) -> KeyPress {
    let key = char::from(*b"0123456789*#ABCD12488##*".get(usize::from(key) % 24).unwrap());
    KeyPress::new(key, [DigitMeans::Rfc4733, DigitMeans::Info, DigitMeans::Inband][usize::from(means) % 3])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A storm of keys never passes a passcode it does not hold and ends within the tries.
    #[test]
    fn a_storm_of_keys_never_passes_a_passcode_it_does_not_hold(storm in storm()) {
        let (mut phone, _) = Phone::dials(board(None));
        let mut wrong = 0;
        let mut ended = false;
        for (key, means, pause) in storm {
            phone.now += Duration::from_millis(u64::from(pause) / 4);
            // The passcode needs a 3: without that key it cannot be hit by chance.
            let key = press(key, means);
            let key = if key.digit() == '3' { KeyPress::new('9', key.means) } else { key };
            for output in phone.input(MenuInput::Digit(key)) {
                prop_assert!(!ended, "output after the end");
                match output {
                    MenuOutput::Chosen { .. } => prop_assert!(false, "entered"),
                    MenuOutput::WrongTry { .. } => wrong += 1,
                    MenuOutput::Failed(_) => ended = true,
                    MenuOutput::Play(_) | MenuOutput::Invite { .. } | MenuOutput::StopPlaying => {}
                }
            }
        }
        prop_assert!(wrong <= 3);
        prop_assert!(!ended || phone.menu.deadline().is_none());
    }

    /// A storm of keys on the keypad gives at most three commands a key and a deadline that ends.
    #[test]
    fn a_storm_of_keys_on_the_keypad_gives_at_most_three_commands(storm in storm()) {
        let mut keys = Keys::new(true);
        let mut wrong = 0;
        for (key, means, pause) in storm {
            keys.now += Duration::from_millis(u64::from(pause) / 8);
            keys.keypad.handle(keys.now, KeypadInput::Press(press(key, means)));
            let commands: Vec<_> = std::iter::from_fn(|| keys.keypad.poll()).collect();
            prop_assert!(commands.len() <= 3);
            wrong += commands.iter().filter(|c| **c == KeyCommand::PinWrong).count();
        }
        prop_assert!(wrong <= 3);
        keys.after(60);
        prop_assert_eq!(keys.keypad.deadline(), None);
    }
}
