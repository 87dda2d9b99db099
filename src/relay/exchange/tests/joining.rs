//! Readers by text: shown, confirmed, removed (C-2, M-7).

use super::*;
use crate::relay::ReaderState;

const WAITS: &str = "Example: somebody in the meeting that Board is in has to confirm that you get its chat. STOP ends it.";
const WELCOME: &str = "Example: you get the chat of the meeting that Board is in. What you answer goes to it. STOP ends it.";

fn states(world: &World, participant: ParticipantId) -> Vec<(String, ReaderState)> {
    world.readers[&participant].iter().map(|one| (one.number.clone(), one.state)).collect()
}

/// Whoever texts the join code of a device gets its chat after a member has said yes and the proof is kept.
#[test]
fn m7_whoever_texts_the_join_code_of_a_device_gets_its_chat() {
    let mut world = World::new(10);
    world.enters(ROOM, "demo", "Board");
    world.enters(OTHER, "demo", "Hall");
    assert_ne!(world.joins[&ROOM], world.joins[&OTHER]);
    let code = world.joins[&ROOM].clone();
    assert!(code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    world.hears(&number(1), &format!("Join {code}"));
    assert_eq!(world.texts(), [WAITS]);
    assert_eq!(states(&world, ROOM), [("+49…01".to_owned(), ReaderState::Pending)]);
    for text in [code.as_str(), "hello?", &code] {
        world.hears(&number(1), text);
    }
    world.writes(ROOM, "Alice", "before anybody has said yes");
    assert!(world.texts().is_empty() && world.posted.is_empty(), "told once, and nothing of the chat");

    world.confirms(ROOM);
    assert_eq!(states(&world, ROOM), [("+49…01".to_owned(), ReaderState::On)]);
    world.hears(&number(2), &format!(" {code} "));
    world.confirms(ROOM);
    assert_eq!(world.texts(), [WELCOME, WAITS, WELCOME]);
    world.writes(ROOM, "Alice", "hello");
    world.writes(OTHER, "Bob", "not for them");
    let to: Vec<_> = world.sent.drain(..).collect();
    assert_eq!(to, [(number(1), "Alice: hello".to_owned()), (number(2), "Alice: hello".to_owned())]);
    // It is no line of the chat; a second time it changes nothing; after STOP it is no way back.
    world.hears(&number(1), &code);
    world.hears(&number(2), "STOP");
    assert_eq!(states(&world, ROOM).len(), 1, "who has said STOP reads no more");
    world.sent.clear();
    world.hears(&number(2), &code);
    assert!(world.posted.is_empty() && world.sent.is_empty(), "{:?} {:?}", world.posted, world.sent);
    // On a disk that takes no proof there is no consent.
    world.writes = false;
    world.joins(ROOM, &number(3));
    world.sent.clear();
    world.writes(ROOM, "Alice", "again");
    assert_eq!(world.sent.drain(..).map(|(to, _)| to).collect::<Vec<_>>(), [number(1)]);
    world.input(RelayInput::Left { participant: ROOM });
    assert_eq!(world.sent.drain(..).map(|(to, _)| to).collect::<Vec<_>>(), [number(1)], "one closing message each");
    world.writes = true;
    world.hears(&number(4), &code);
    assert_eq!(world.texts(), ["Example: you are in no meeting at the moment, so nobody has got your message."]);
}

/// Whoever is removed reads no more and the code they know is void.
#[test]
fn c2_whoever_is_removed_reads_no_more_and_the_code_they_know() {
    let mut world = World::new(10);
    world.enters(ROOM, "demo", "Board");
    let code = world.joins[&ROOM].clone();
    for n in [1, 2] {
        world.joins(ROOM, &number(n));
    }
    world.subscribes(ROOM, number(3));
    world.removes(ROOM, &number(1));
    assert_eq!(world.texts(), ["Example: you were taken off the chat of the meeting; it ends here."]);
    assert_eq!(states(&world, ROOM).len(), 2);
    let fresh = world.joins[&ROOM].clone();
    assert_ne!(fresh, code);
    world.hears(&number(1), &code);
    assert!(states(&world, ROOM).iter().all(|(number, _)| number != "+49…01"), "a void code is none");
    world.hears(&number(4), &fresh);
    assert_eq!(states(&world, ROOM).len(), 3, "the new one is good");
    // Who is refused before they were ever confirmed hears nothing more; who was keyed in at the phone can be removed as well.
    world.sent.clear();
    world.removes(ROOM, &number(4));
    assert!(world.texts().is_empty() && world.joins[&ROOM] != fresh);
    world.removes(ROOM, &number(3));
    world.sent.clear();
    world.writes(ROOM, "Alice", "hello");
    assert_eq!(world.sent.drain(..).map(|(to, _)| to).collect::<Vec<_>>(), [number(2)]);
    world.asks(ROOM, number(3));
    assert_eq!(world.told.pop(), Some(RelayAnswer::CodeSent(number(3))), "*4 begins anew");
    // A reader around one device is none around another.
    world.enters(OTHER, "demo", "Hall");
    let reader = world.readers[&ROOM][0].id;
    world.input(RelayInput::Remove { participant: OTHER, reader });
    world.input(RelayInput::Confirm { participant: OTHER, reader });
    assert_eq!(states(&world, ROOM).len(), 1);
}

/// Whom nobody confirms waits no longer than a quarter of an hour.
#[test]
fn m7_whom_nobody_confirms_waits_no_longer_than_a_quarter() {
    let mut world = World::new(10);
    world.enters(ROOM, "demo", "Board");
    let code = world.joins[&ROOM].clone();
    for n in 0..30 {
        world.hears(&number(n), &code);
    }
    assert_eq!(states(&world, ROOM).len(), 20, "more do not wait");
    let reader = world.readers[&ROOM][0].id;
    world.after(15 * 60);
    assert!(states(&world, ROOM).is_empty() && world.relay.deadline().is_none());
    world.input(RelayInput::Confirm { participant: ROOM, reader });
    assert!(states(&world, ROOM).is_empty(), "too late");
    world.joins(ROOM, &number(1));
    assert_eq!(states(&world, ROOM), [("+49…01".to_owned(), ReaderState::On)]);
}

/// Join codes are not to be tried out and nobody is shut out by who tries.
#[test]
fn x2_join_codes_are_not_to_be_tried_out_and_nobody_is_shut() {
    let mut world = World::new(10);
    world.enters(ROOM, "demo", "Board");
    let right = world.joins[&ROOM].clone();
    for n in 0..100 {
        let wrong = format!("{n:08}");
        world.hears(&number(1), if wrong == right { "99999999" } else { &wrong });
    }
    world.sent.clear();
    world.hears(&number(1), &right);
    assert!(world.sent.is_empty() && world.relay.lines().is_empty(), "even the right one comes too late");
    // A hundred wrong ones of each of fifty others.
    for other in 100..150 {
        for n in 0..100 {
            world.hears(&number(other), &format!("join {n:08}"));
        }
    }
    world.joins(ROOM, &number(2));
    assert_eq!(states(&world, ROOM), [("+49…02".to_owned(), ReaderState::On)]);
    world.after(120);
    world.joins(ROOM, &number(1));
    assert_eq!(states(&world, ROOM).len(), 2);
}
