//! What messages cost is bounded, and nobody pays for somebody else (C-2, X-2).

use super::*;

#[test]
fn c2_nothing_is_sent_to_a_number_outside_the_allowed_prefixes() {
    let mut world = World::new(10);
    let premium = PhoneNumber::parse("+881612345678").expect("a number");
    world.asks(ROOM, premium.clone());
    assert_eq!(world.told.pop(), Some(RelayAnswer::TooMany));
    let code = world.joins[&ROOM].clone();
    for text in [code.as_str(), "hello", "HELP", "START", "STOP"] {
        world.hears(&premium, text);
    }
    assert!(world.sent.is_empty() && world.readers[&ROOM].is_empty(), "{:?}", world.sent);
    assert_eq!(world.stopped, [true], "though a STOP is understood from everywhere");
}

/// A meeting has a limit a day that is told once and none of another meetings.
#[test]
fn c2_a_meeting_has_a_limit_a_day_that_is_told_once_and_none() {
    let mut world = World::with(|settings| {
        settings.daily = DailyLimits { meeting: 20, all: 1000 };
        settings.segments.burst = 1000;
    });
    world.enters(ROOM, "demo", "Board");
    world.enters(OTHER, "other", "Hall");
    world.joins(ROOM, &number(1));
    world.joins(OTHER, &number(2));
    world.sent.clear();
    for n in 0..100 {
        world.writes(ROOM, "Alice", &format!("line {n}"));
    }
    let texts = world.texts();
    assert_eq!(texts.len(), 18 + 1, "twenty less the two of joining, and one that says so: {texts:?}");
    assert_eq!(
        texts.last().map(String::as_str),
        Some("Example: no more messages today, as their number is limited. The chat goes on.")
    );
    world.input(RelayInput::Notice { participant: ROOM, text: "This meeting is being recorded.".to_owned().into() });
    assert_eq!(world.texts().len(), 1, "what must be known is told all the same (N-10)");
    world.writes(OTHER, "Bob", "hello");
    assert_eq!(world.texts(), ["Bob: hello"]);
    let tomorrow = world.relay.deadline().expect("a digest waits");
    assert!(tomorrow > world.now + Duration::from_secs(3600), "not before the day is over");
    world.after(24 * 3600);
    assert_eq!(world.texts(), ["(81 lines left out) Alice: line 99"]);
}

/// Strangers get answers at a rate and leave the readers theirs.
#[test]
fn c2_strangers_get_answers_at_a_rate_and_leave_the_readers() {
    let mut world = World::new(10);
    world.subscribes(ROOM, number(1));
    for n in 1000..11_000 {
        world.hears(&number(n), ["hello", "HELP", "START", "STOP"][(n % 4) as usize]);
    }
    assert_eq!(world.sent.len(), 10, "ten a minute, however many there are");
    world.sent.clear();
    world.hears(&number(1), "HELP");
    assert_eq!(world.texts().len(), 1, "a reader is answered");
    for n in 0..3 {
        world.hears(&number(1), &format!("words {n}"));
    }
    assert_eq!(world.posted.len(), 3, "and heard");
    world.hears(&number(1), "STOP");
    assert_eq!(world.texts().len(), 1);
    world.after(60);
    world.hears(&number(20_000), "hello");
    assert_eq!(world.texts().len(), 1, "a minute later there is room again");
}

/// What strangers send does not push out what is remembered of readers.
#[test]
fn c6_what_strangers_send_does_not_push_out_what_is_remembered() {
    let mut world = World::new(10);
    world.subscribes(ROOM, number(1));
    let say = |world: &mut World, id: &str, from: u32| {
        world.input(RelayInput::Received { id: Some(id.to_owned()), from: number(from), text: format!("text of {id}").into() });
    };
    say(&mut world, "mine", 1);
    for n in 0..5000 {
        say(&mut world, &format!("other {n}"), 2000 + n);
    }
    say(&mut world, "mine", 1);
    assert_eq!(world.posted.len(), 1, "a message that the provider repeats counts once");
}
