//! A hundred thousand messages in any order, against a simple model of who gets what.

use super::*;

/// What must be so, kept apart from the relay.
#[derive(Default)]
struct Ideal {
    inside: BTreeSet<u64>,
    on: BTreeSet<(u64, PhoneNumber)>,
    keyed: BTreeMap<u64, PhoneNumber>,
    stopped: BTreeSet<PhoneNumber>,
}

impl Ideal {
    fn of(&self, participant: u64) -> Vec<PhoneNumber> {
        self.on.iter().filter(|(of, _)| *of == participant).map(|(_, number)| number.clone()).collect()
    }
}

/// C-1, C-2, C-4, C-6 under a storm: what is sent goes to who has opted in, has not said STOP and is inside, within the allowance; what
/// is written goes into the one meeting that its writer is in, and never back.
#[test]
fn a_storm_of_a_hundred_thousand_messages_keeps_every_rule() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut dice = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut world = World::new(12);
    let mut ideal = Ideal::default();
    let (mut lines, mut relayed, mut posted, mut closings, mut stops) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
    for round in 0..100_000_u64 {
        let participant = dice(8);
        let id = ParticipantId::from_number(participant);
        let person = number(u32::try_from(dice(40)).expect("small"));
        match dice(100) {
            0 => {
                let known = ideal.keyed.get(&participant).is_some_and(|number| ideal.on.contains(&(participant, number.clone())));
                world.asks(id, person.clone());
                ideal.inside.insert(participant);
                if !known {
                    ideal.keyed.insert(participant, person.clone());
                }
                if world.told.last() == Some(&RelayAnswer::CodeSent(person.clone())) {
                    assert!(!ideal.stopped.contains(&person), "a code to who has said STOP");
                    let code = world.code();
                    world.sent.clear();
                    world.keys(id, &code);
                    assert_eq!(world.told.pop(), Some(RelayAnswer::On));
                    ideal.on.insert((participant, person));
                }
                assert!(world.sent.is_empty());
            }
            1 => {
                world.input(RelayInput::Stop { participant: id });
                if let Some(number) = ideal.keyed.get(&participant) {
                    ideal.on.remove(&(participant, number.clone()));
                }
                assert!(world.sent.is_empty());
            }
            2 => {
                world.input(RelayInput::Left { participant: id });
                let expected = ideal.of(participant);
                closings += expected.len() as u64;
                assert_eq!(world.sent.drain(..).map(|(to, _)| to).collect::<Vec<_>>(), expected);
                ideal.on.retain(|(of, _)| *of != participant);
                ideal.inside.remove(&participant);
                ideal.keyed.remove(&participant);
            }
            3 => {
                world.hears(&person, "stop");
                ideal.on.retain(|(_, number)| *number != person);
                ideal.stopped.insert(person.clone());
                assert!(world.sent.drain(..).all(|(to, _)| to == person));
                stops += 1;
            }
            4 => {
                world.hears(&person, "START");
                ideal.stopped.remove(&person);
                world.sent.clear();
            }
            5 => {
                if world.joins.contains_key(&id) {
                    world.joins(id, &person);
                    if world.sent.iter().any(|(to, text)| *to == person && text.contains("you get the chat")) {
                        assert!(!ideal.stopped.contains(&person), "a join code has undone a STOP");
                        ideal.on.insert((participant, person));
                    }
                }
                world.sent.clear();
                world.posted.clear();
            }
            6..16 => {
                world.after(dice(20));
                assert!(
                    world.sent.drain(..).all(|(to, _)| ideal.on.iter().any(|(_, on)| *on == to)),
                    "a digest to who is not inside"
                );
            }
            16..40 => {
                let text = format!("words {round}");
                world.hears(&person, &text);
                let rooms: Vec<_> = ideal.on.iter().filter(|(_, number)| *number == person).map(|(of, _)| *of).collect();
                for (to, said) in world.posted.drain(..) {
                    assert!(said.contains(&text) && rooms == [to.number()], "{rooms:?}");
                    posted += 1;
                }
                // No echo: at most a word to its writer alone, and none after STOP.
                let silent = ideal.stopped.contains(&person);
                assert!(world.sent.drain(..).all(|(to, words)| to == person && !silent && !words.contains(&text)));
            }
            _ => {
                lines += 1;
                world.writes(id, "Alice", "a line");
                let members = ideal.of(participant);
                for (to, _) in world.sent.drain(..) {
                    assert!(
                        members.contains(&to) && !ideal.stopped.contains(&to),
                        "to who has not opted in, or is in another meeting"
                    );
                    relayed += 1;
                }
            }
        }
        world.told.clear();
        assert!(world.relay.devices.len() <= 8 && world.relay.subscriptions.len() <= 8 * 41 && world.relay.outputs.is_empty());
    }
    assert!(
        lines > 50_000 && relayed > 1_000 && closings > 50 && posted > 500 && stops > 500,
        "{lines} {relayed} {closings} {posted} {stops}"
    );
}
