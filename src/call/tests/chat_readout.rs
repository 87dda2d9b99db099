//! `*7`: the chat, read aloud.

use super::*;

impl World {
    /// A call inside a meeting, where the chat can be read aloud.
    fn reading() -> Self {
        let mut world = Self::inside();
        let call = world.call.established();
        call.settings.speaks = true;
        call.settings.chat = None;
        let mut keypad = Keypad::new(Keymap::default(), None, call.has());
        keypad.handle(world.now, KeypadInput::Inside(true));
        call.phase = EstablishedPhase::Meeting { keypad: Box::new(keypad) };
        world
    }

    fn line(&mut self, text: &str) {
        assert!(self.meeting(ToGuest::Show(Redacted::new(text.to_owned()))).is_empty(), "it is read on request alone");
    }
}

fn voice() -> Clip {
    Clip { rate: crate::common::units::Hz::WIDE, samples: vec![1_000; 1_600].into() }
}

/// What was written since it was last asked for is read aloud on request.
#[test]
fn what_was_written_since_it_was_last_asked_for_is_read_aloud() {
    let mut world = World::reading();
    assert_eq!(world.keys("*1"), [StopsPrompts, Says(vec![Phrase::Help, Phrase::HelpRead])]);
    assert_eq!(world.keys("*7"), [StopsPrompts, Says(vec![Phrase::NoMessages])]);
    world.line("Alice: hello");
    world.line("Bob: are you\nthere?");
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*7"), [StopsPrompts, Speaks("Alice: hello\nBob: are you there?".to_owned())]);
    world.line("Alice: later");
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*7"), [StopsPrompts], "it is at work");
    assert_eq!(world.input(CallInput::Spoken(Some(voice()))), [Says(vec![Phrase::MoreMessages])]);
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*7"), [StopsPrompts, Speaks("Alice: later".to_owned())]);
    assert_eq!(world.input(CallInput::Spoken(None)), [Says(vec![Phrase::NotAvailable])], "it failed, and nothing is lost");
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*7"), [StopsPrompts, Speaks("Alice: later".to_owned())]);
    assert_eq!(world.input(CallInput::Spoken(Some(voice()))), [Says(vec![])]);
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*7"), [StopsPrompts, Says(vec![Phrase::NoMessages])]);
}

/// A line of signs that a voice has no sound for must not stand before all others for good.
#[test]
fn what_cannot_be_spoken_twice_is_passed_over() {
    let mut world = World::reading();
    world.line("Alice: …");
    for answer in [None, None] {
        world.now += Duration::from_secs(1);
        assert_eq!(world.keys("*7"), [StopsPrompts, Speaks("Alice: …".to_owned())]);
        assert_eq!(world.input(CallInput::Spoken(answer)), [Says(vec![Phrase::NotAvailable])]);
    }
    world.line("Alice: words");
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*7"), [StopsPrompts, Speaks("Alice: words".to_owned())]);
    assert_eq!(world.input(CallInput::Spoken(None)), [Says(vec![Phrase::NotAvailable])], "it is tried once more");
    world.now += Duration::from_secs(1);
    assert_eq!(world.keys("*7"), [StopsPrompts, Speaks("Alice: words".to_owned())]);
}

/// A busy chat is read in portions and only its newest lines are kept.
#[test]
fn a_busy_chat_is_read_in_portions_and_only_its_newest_lines() {
    let mut world = World::reading();
    for number in 0..100 {
        world.line(&format!("{number:03} {}", "ä".repeat(1_000)));
    }
    let mut read = Vec::new();
    loop {
        world.now += Duration::from_secs(1);
        match world.keys("*7").pop() {
            Some(Speaks(text)) => {
                assert!(text.chars().count() <= 400, "a minute at most");
                read.push(text.chars().take(3).collect::<String>());
                world.input(CallInput::Spoken(Some(voice())));
            }
            other => break assert_eq!(other, Some(Says(vec![Phrase::NoMessages]))),
        }
    }
    assert_eq!((read.len(), read[0].as_str(), read[29].as_str()), (30, "070", "099"));
}

/// C-1: nothing is said to who has left while the program was at work.
#[test]
fn c1_what_was_being_turned_into_sound_is_not_said_outside() {
    let mut world = World::reading();
    world.line("Alice: hello");
    world.keys("*7");
    world.meeting(ToGuest::Dismiss(Cause::MeetingEnded));
    assert!(world.input(CallInput::Spoken(Some(voice()))).is_empty());
    let mut without = World::inside();
    assert_eq!(without.keys("*7"), [StopsPrompts, Says(vec![Phrase::NotAvailable])]);
}
