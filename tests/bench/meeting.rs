//! What a crowd costs the rules of its meeting (M-14): one ask among a hundred who wait and a hundred inside, and among ten times as many.

use std::time::{Duration, Instant};

use criterion::Criterion;
use roomgate::common::ids::ParticipantId;
use roomgate::common::machine::Machine as _;
use roomgate::policy::{Fact, MeetingLimits, Muted, Policy, PolicySettings, Role, Switch, Via};

/// A member, and so many externals inside and in the lobby.
struct Crowd {
    policy: Policy,
    now: Instant,
    asked: u64,
    size: u64,
}

impl Crowd {
    fn new(size: u64) -> Self {
        let limits = MeetingLimits { participants: 10_000, externals: 10_000, in_chat: 10_000 };
        let policy = Policy::new(PolicySettings { limits, ..PolicySettings::default() });
        let mut crowd = Self { policy, now: Instant::now(), asked: 0, size };
        let joined = |number: u64, role| {
            let (who, name) = (ParticipantId::from_number(number), format!("Somebody {number}").into());
            Fact::Joined { who, role, via: Via::Browser, organiser: role == Role::Member, name, muted: Muted::default() }
        };
        crowd.takes(joined(1, Role::Member));
        for number in 0..size {
            crowd.takes(joined(2 + number, Role::External));
        }
        crowd.takes(Fact::AdmitAll { by: ParticipantId::from_number(1).into() });
        for number in 0..size {
            crowd.takes(joined(2 + size + number, Role::External));
        }
        crowd
    }

    fn takes(&mut self, fact: Fact) -> usize {
        self.now += Duration::from_millis(1);
        self.policy.handle(self.now, fact);
        let effects = std::iter::from_fn(|| self.policy.poll()).count();
        effects + self.policy.changes().rows.len()
    }

    /// The next one inside (or in the lobby) opens or closes its microphone.
    fn toggles(&mut self, first: u64) -> usize {
        self.asked += 1;
        let who = ParticipantId::from_number(first + self.asked % self.size);
        self.takes(Fact::MuteSelf { who, to: Switch::Toggle })
    }
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("crowd");
    for size in [100, 1000] {
        let mut crowd = Crowd::new(size);
        group.bench_function(format!("ask-of-one-who-waits-among-{size}"), |bencher| bencher.iter(|| crowd.toggles(2 + size)));
        group.bench_function(format!("ask-of-one-inside-among-{size}"), |bencher| bencher.iter(|| crowd.toggles(2)));
    }
    group.finish();
}
