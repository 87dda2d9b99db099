//! Random histories of the outbox, with crashes: what is kept arrives, and twice only what was never answered.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Send(u32),
    Write,
    Accept,
    PutOff,
    Crash,
    Drop,
    Back,
    After(u64),
    Disk(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..4_u32).prop_map(Step::Send),
        8 => Just(Step::Write),
        4 => Just(Step::Accept),
        1 => Just(Step::PutOff),
        1 => Just(Step::Crash),
        1 => Just(Step::Drop),
        1 => Just(Step::Back),
        1 => (1..5_u64).prop_map(Step::After),
        1 => any::<bool>().prop_map(Step::Disk),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// C-7, whatever happens: what was kept is delivered, in order; twice only what was unanswered at a break, with the same reference.
    #[test]
    fn c7_what_is_kept_arrives_and_twice_only_what_was_unanswered(steps in proptest::collection::vec(step(), 1..120)) {
        let mut world = World::new(OnUnknown::Resend, true);
        let mut texts = 0;
        // What may have been with the provider at a break; what the provider has said it has not got.
        let (mut unanswered, mut put_off) = (Vec::new(), Vec::new());
        let mut kept = BTreeSet::new();
        for step in steps {
            match step {
                Step::Send(to) => {
                    texts += 1;
                    world.sends(number(to), &format!("{to}-{texts:04}"));
                }
                Step::Write => drop(world.write()),
                Step::Accept => drop(world.accepts()),
                Step::PutOff => {
                    put_off.extend(world.out.front().map(|sms| sms.reference.clone()));
                    world.answers(|_| SubmitOutcome::Later);
                }
                Step::Crash => {
                    let window = world.crashes();
                    prop_assert!(window.len() <= 2, "more than a window is unanswered");
                    unanswered.extend(window);
                }
                Step::Drop => {
                    world.input(OutboxInput::Takes(0));
                    while let Some(sms) = world.out.pop_front() {
                        unanswered.push(sms.reference.clone());
                        world.input(OutboxInput::Outcome { id: sms.id, outcome: SubmitOutcome::Unknown });
                    }
                }
                Step::Back => world.input(OutboxInput::Takes(2)),
                Step::After(seconds) => world.after(seconds),
                Step::Disk(works) => world.writes = works,
            }
            prop_assert!(world.out.len() <= 2, "more than its window");
            kept.extend(world.disk.values().map(|row| row.sms.text.expose().clone()).filter(|text| !text.is_empty()));
        }
        world.input(OutboxInput::Takes(2));
        world.ends();
        let mut times: HashMap<&str, usize> = HashMap::new();
        for (reference, _) in &world.submitted {
            *times.entry(reference).or_default() += 1;
        }
        for (reference, times) in times {
            let of = |list: &[String]| list.iter().filter(|known| *known == reference).count();
            prop_assert!(times <= 1 + of(&unanswered) + of(&put_off), "{} was sent {} times", reference, times);
        }
        for text in &kept {
            prop_assert!(world.texts().contains(&text.as_str()), "{} was lost", text);
        }
        prop_assert!(world.disk.values().all(|row| row.sms.text.expose().is_empty()));
        for to in 1..4 {
            let own = world.texts().into_iter().filter(|text| text.starts_with(&format!("{to}-"))).map(str::to_owned);
            let mut own: Vec<_> = own.collect();
            own.dedup();
            let mut sorted = own.clone();
            sorted.sort();
            prop_assert_eq!(own, sorted, "out of order");
        }
    }
}
