//! Random histories against an independent watcher (M-5, M-8, M-18, N-2, N-4, N-6, N-8), and planted faults that it must catch.

mod mutant;
mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::tests::start;
use super::timer::Touched;
use super::*;
use crate::common::ids::{NoticeId, ParticipantId};
use crate::common::machine::Machine as _;
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;
use mutant::{Mutant, Subject};
use watch::{CAST, Watch, fail, role_of, slot_of};

/// (what, who, other, pause before)
type Step = (u8, u8, u8, u8);

const PAUSES: [u64; 10] = [0, 0, 1, 100, 300, 600, 1_100, 4_000, 16_000, 61_000];

struct Run {
    policy: Subject,
    watch: Watch,
    now: Instant,
    transcript: Vec<String>,
}

impl Run {
    fn drain(&mut self) -> Result<usize, String> {
        let mut count = 0;
        while let Some(effect) = self.policy.poll() {
            self.transcript.push(format!("{effect:?}"));
            self.watch.effect(self.now, &effect)?;
            count += usize::from(!matches!(effect, Effect::Refused { .. } | Effect::Say { .. } | Effect::AskedToUnmute { .. }));
        }
        if !self.watch.ended {
            self.watch.settled(self.now, &self.policy)?;
            if !self.policy.is_settled(self.now) {
                return fail("M-14: something that was not looked at has changed".to_owned());
            }
        }
        Ok(count)
    }

    fn pass(&mut self, pause: Duration) -> Result<(), String> {
        let end = self.now + pause;
        let mut wakes = 0;
        while let Some(at) = self.policy.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.policy.wake(self.now);
            self.drain()?;
            wakes += 1;
            if wakes > 10_000 {
                return fail("deadlines without end".to_owned());
            }
        }
        self.now = end;
        if self.watch.ended { Ok(()) } else { self.watch.settled(end, &self.policy) }
    }

    fn handle(&mut self, fact: Fact) -> Result<usize, String> {
        let lost = self.watch.lost_twice_by(&fact);
        self.watch.fact(self.now, &fact);
        let leaves = if let Fact::Left { who } = &fact { Some(*who) } else { None };
        self.policy.handle(self.now, fact.clone());
        if let Some(who) = leaves
            && !self.watch.seated.contains(&who)
        {
            self.watch.forget(who);
        }
        // Behind a closed microphone it is told again: it is still not received.
        let unreported = !lost && matches!(&fact, Fact::Reported { received_permille: None, .. });
        let followed = self.drain();
        if unreported && followed != Ok(0) {
            return fail("N-8: a notice that is not reported on had consequences".to_owned());
        }
        followed
    }
}

/// One of the cast comes, under its own name each time.
fn joined(n: u8, who: ParticipantId, other: u8) -> Fact {
    let (role, via) = role_of(u64::from(n));
    let muted = Muted { own: other.is_multiple_of(5), host: other.is_multiple_of(11) };
    Fact::Joined { who, role, via, organiser: other.is_multiple_of(2), name: format!("n{}", u64::from(n) % CAST).into(), muted }
}

fn fact(step: Step, watch: &Watch) -> Option<(Fact, bool)> {
    let (kind, n, other, _) = step;
    let who = watch.presence(n);
    let by = Asker::from(watch.presence(other));
    let on = other % 2 == 0;
    let what = if other % 4 < 3 { CaptureKind::Recording } else { CaptureKind::Transcription };
    let told = |outcome| {
        let notice = watch.playing.get(usize::from(other) % watch.playing.len().max(1))?.notice;
        Some(Fact::Told { notice, outcome, carried: Some(SentPackets { ssrc: 7, first: 1, last: 9 }) })
    };
    // (fact, is a state: the same again has no effect)
    Some(match kind % 27 {
        0..=4 => (joined(n, who, other), true),
        5 => (Fact::Left { who }, true),
        6 => (Fact::Alive { who, alive: on }, true),
        7 | 8 => (Fact::Admit { by, who }, true),
        9 => (Fact::AdmitAll { by }, true),
        10 => (Fact::Deny { by, who }, true),
        11 => (Fact::Remove { by, who }, true),
        12 => (Fact::Mute { by, who, on }, true),
        13 => (Fact::MuteSelf { who, to: Switch::To(on) }, true),
        14 => (Fact::Hold { who, on }, true),
        15 => (Fact::OrganiserPin { who }, true),
        16..=18 => {
            let state = [Capture::Off, Capture::On, Capture::Paused, Capture::On][usize::from(step.1) % 4];
            (Fact::CaptureIs { what, state }, true)
        }
        19 => {
            let notice = watch.playing.front()?.notice;
            (Fact::NoticeBegan { notice, length: Duration::from_millis(1_500) }, true)
        }
        20 | 21 => (told(PlayOutcome::Completed)?, true),
        22 => (told(if on { PlayOutcome::Failed } else { PlayOutcome::Interrupted })?, true),
        23..=25 => {
            let notice = watch.awaited(usize::from(other))?;
            let received_permille = [None, Some(0), Some(900), Some(901), Some(0), Some(1_000)][usize::from(n) % 6];
            (Fact::Reported { notice, received_permille }, true)
        }
        _ => {
            let bypass = if on { Bypass::Everyone } else { Bypass::Organisers };
            (Fact::Settings(PolicySettings { bypass, devices_bypass: other % 3 == 0, ..PolicySettings::default() }), true)
        }
    })
}

/// Plays a history and says what rule it broke.
fn play(steps: &[Step], mutant: Option<Mutant>) -> Result<Vec<String>, String> {
    let settings = PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() };
    let policy = Subject::new(settings.clone(), mutant, start());
    let mut run = Run { policy, watch: Watch::new(settings), now: start(), transcript: Vec::new() };
    for step in steps {
        run.pass(Duration::from_millis(PAUSES[usize::from(step.3) % PAUSES.len()]))?;
        let Some((fact, is_state)) = fact(*step, &run.watch) else { continue };
        run.handle(fact.clone())?;
        if is_state && !run.watch.ended && run.handle(fact.clone())? > 0 {
            return fail(format!("the same fact twice had an effect: {fact:?}"));
        }
        if run.watch.ended {
            break;
        }
    }
    // Everybody picks up and listens to the end.
    for n in 0..CAST as u8 {
        run.handle(Fact::Hold { who: run.watch.presence(n), on: false })?;
    }
    for _ in 0..8 {
        while let Some(notice) = run.watch.playing.front().map(|playing| playing.notice) {
            run.handle(Fact::Told { notice, outcome: PlayOutcome::Completed, carried: None })?;
        }
        run.pass(MERGE_WINDOW)?;
    }
    run.watch.all_told()?;
    for n in 0..CAST as u8 {
        run.handle(Fact::Left { who: run.watch.presence(n) })?;
    }
    run.pass(PolicySettings::default().empty_timeout)?;
    match run.policy.deadline() {
        Some(at) => fail(format!("all gone, and still a deadline: {at:?}")),
        None if !run.watch.seated.is_empty() => fail("a seat is left".to_owned()),
        None => Ok(run.transcript),
    }
}

fn histories() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(any::<Step>(), 1..60)
}

/// What went wrong in one of so many histories, if anything, and the shortest one found in which it does.
fn find(mutant: Option<Mutant>, cases: u32) -> Option<(String, Vec<Step>)> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    let run = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .run(&histories(), |steps| play(&steps, mutant).map(drop).map_err(TestCaseError::fail));
    match run.err()? {
        TestError::Fail(reason, steps) => Some((reason.message().to_owned(), steps)),
        TestError::Abort(reason) => Some((reason.message().to_owned(), Vec::new())),
    }
}

#[test]
fn random_histories_keep_every_rule() {
    assert_eq!(find(None, 5_000), None);
}

#[test]
fn a_history_played_twice_gives_the_same_effects() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..300 {
        let steps = histories().new_tree(&mut runner).unwrap().current();
        assert_eq!(play(&steps, None), play(&steps, None));
    }
}

#[test]
fn a_fault_planted_in_each_rule_is_caught_by_that_rule() {
    for (mutant, rule) in mutant::ALL {
        let Some((broken, steps)) = find(Some(mutant), 5_000) else { panic!("{mutant:?} was not caught") };
        assert!(broken.starts_with(&format!("{rule}: ")), "{mutant:?}, a fault in {rule}, was caught as {broken:?} by {steps:?}");
    }
}
