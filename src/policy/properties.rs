//! Random histories against an independent watcher, and planted faults that it must catch.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::tests::start;
use super::*;

/// A fault planted to see the properties catch it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    AdmitWithoutMember,
    HearWithoutNotice,
    SpeakWithoutSeat,
    SwallowStart,
}

/// (what, who, other, pause before)
type Step = (u8, u8, u8, u8);

const PAUSES: [u64; 10] = [0, 0, 1, 100, 300, 600, 1_100, 4_000, 16_000, 61_000];

/// Two members, four devices, two externals in a browser.
fn cast(n: u8) -> (ParticipantId, Role, Via) {
    let n = n % 8;
    let (role, via) = match n {
        0 | 1 => (Role::Member, Via::Browser),
        2..=5 => (Role::External, Via::Phone),
        _ => (Role::External, Via::Browser),
    };
    (ParticipantId::from_number(u64::from(n) + 1), role, via)
}

#[derive(Default)]
struct Watch {
    here: BTreeSet<ParticipantId>,
    members: BTreeMap<ParticipantId, Option<Instant>>,
    seated: BTreeSet<ParticipantId>,
    gates: BTreeMap<ParticipantId, (bool, bool)>,
    captures: BTreeMap<CaptureKind, (Capture, u64)>,
    /// Before any audio.
    first: BTreeMap<ParticipantId, BTreeSet<(CaptureKind, u64)>>,
    owed: BTreeMap<ParticipantId, BTreeSet<(CaptureKind, u64)>>,
    heard: BTreeSet<(ParticipantId, CaptureKind, u64)>,
    alarmed: BTreeSet<ParticipantId>,
    playing: VecDeque<(NoticeId, ParticipantId, Vec<Change>)>,
    ended: bool,
}

fn fail<T>(what: String) -> Result<T, String> {
    Err(what)
}

impl Watch {
    fn fact(&mut self, now: Instant, fact: &Fact) {
        match fact {
            Fact::Joined { who, role, .. } => {
                self.here.insert(*who);
                if *role == Role::Member {
                    self.members.entry(*who).or_insert(None);
                }
            }
            Fact::Alive { who, alive } => {
                if let Some(lost) = self.members.get_mut(who) {
                    *lost = if *alive { None } else { lost.or(Some(now)) };
                }
            }
            Fact::CaptureIs { what, state } => {
                let known = self.captures.entry(*what).or_default();
                if known.0 != *state {
                    *known = (*state, known.1 + 1);
                    for who in self.seated.iter().filter(|who| cast(who.number() as u8 - 1).2 == Via::Phone) {
                        self.owed.entry(*who).or_default().insert((*what, known.1));
                    }
                }
            }
            Fact::Told { notice, outcome: Outcome::Completed, .. } => {
                if let Some((_, who, changes)) = self.playing.iter().find(|(n, ..)| n == notice) {
                    for change in changes {
                        self.first.entry(*who).or_default().remove(&(change.what, change.epoch));
                    }
                }
            }
            _ => {}
        }
    }

    fn member_present(&self, now: Instant) -> bool {
        self.members.values().any(|lost| lost.is_none_or(|at| now < at + STILL_PRESENT))
    }

    fn forget(&mut self, who: ParticipantId) {
        self.here.remove(&who);
        self.members.remove(&who);
        self.first.remove(&who);
        self.owed.remove(&who);
        self.alarmed.remove(&who);
        self.heard.retain(|(id, ..)| *id != who);
        self.playing.retain(|(_, id, _)| *id != who);
    }

    fn effect(&mut self, now: Instant, effect: &Effect) -> Result<(), String> {
        let here = |who: &ParticipantId| {
            if self.here.contains(who) { Ok(()) } else { fail(format!("addressed after leaving: {effect:?}")) }
        };
        match effect {
            Effect::Seat { who, admission } => {
                here(who)?;
                let (_, role, via) = cast(who.number() as u8 - 1);
                if admission.participant() != *who || !self.seated.insert(*who) {
                    return fail(format!("a wrong seat: {effect:?}"));
                }
                if role == Role::External && !self.member_present(now) {
                    return fail(format!("M-5: {who} seated with no member present"));
                }
                if via == Via::Phone {
                    for (what, (state, epoch)) in &self.captures {
                        if *state != Capture::Off {
                            self.first.entry(*who).or_default().insert((*what, *epoch));
                            self.owed.entry(*who).or_default().insert((*what, *epoch));
                        }
                    }
                }
            }
            Effect::Unseat { who } => {
                if !self.seated.remove(who) || self.gates.remove(who).is_some_and(|gate| gate != (false, false)) {
                    return fail(format!("unseated with an open gate, or not seated: {who}"));
                }
                self.forget(*who);
            }
            Effect::Gate { who, hear, speak } => {
                if !self.seated.contains(who) {
                    return fail(format!("M-8: gate of one who is not inside: {effect:?}"));
                }
                if (*hear || *speak) && self.first.get(who).is_some_and(|owed| !owed.is_empty()) {
                    return fail(format!("N-2: audio before the notice: {effect:?}"));
                }
                if self.gates.insert(*who, (*hear, *speak)) == Some((*hear, *speak)) {
                    return fail(format!("said twice: {effect:?}"));
                }
            }
            Effect::Tell { who, notice, phrases, changes } => {
                here(who)?;
                if !self.seated.contains(who) || self.playing.iter().any(|(_, id, _)| id == who) {
                    return fail(format!("told while not inside or while another plays: {effect:?}"));
                }
                if let Some(again) = changes.iter().find(|c| self.heard.contains(&(*who, c.what, c.epoch))) {
                    return fail(format!("told twice: {who} {again:?}"));
                }
                for (what, phrase) in [
                    (CaptureKind::Recording, Phrase::RecordingStarted),
                    (CaptureKind::Transcription, Phrase::TranscriptionStarted),
                ] {
                    let started = changes.iter().any(|c| c.what == what && c.news == News::Started);
                    if started != phrases.contains(&phrase) {
                        return fail(format!("N-4: a start was swallowed: {effect:?}"));
                    }
                }
                self.playing.push_back((*notice, *who, changes.clone()));
            }
            Effect::Ledger(entry) => {
                self.playing.retain(|(notice, ..)| *notice != entry.notice);
                if entry.outcome == Outcome::Completed {
                    for change in &entry.what {
                        self.heard.insert((entry.who, change.what, change.epoch));
                    }
                }
            }
            Effect::Alarm { who, .. } => {
                here(who)?;
                self.alarmed.insert(*who);
            }
            Effect::Say { who, .. } => here(who)?,
            Effect::Dismiss { who, .. } => self.forget(*who),
            Effect::Ended { .. } => self.ended = true,
            Effect::Capture { .. } | Effect::Changed | Effect::Refused { .. } => {}
        }
        Ok(())
    }
}

struct Run {
    policy: Policy,
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
            count += usize::from(!matches!(effect, Effect::Refused { .. } | Effect::Say { .. }));
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
        Ok(())
    }

    fn handle(&mut self, fact: Fact) -> Result<usize, String> {
        self.watch.fact(self.now, &fact);
        let leaves = if let Fact::Left { who } = &fact { Some(*who) } else { None };
        self.policy.handle(self.now, fact);
        if let Some(who) = leaves
            && !self.watch.seated.contains(&who)
        {
            self.watch.forget(who);
        }
        self.drain()
    }
}

fn fact(step: Step, watch: &Watch) -> Option<(Fact, bool)> {
    let (kind, who, other, _) = step;
    let (who, role, via) = cast(who);
    let by = Asker::from(cast(other).0);
    let on = other % 2 == 0;
    let what = if other % 4 < 3 { CaptureKind::Recording } else { CaptureKind::Transcription };
    let told = |outcome| {
        let (notice, ..) = watch.playing.get(usize::from(other) % watch.playing.len().max(1))?;
        Some(Fact::Told { notice: *notice, outcome, first_seq: Some(1), last_seq: Some(9) })
    };
    // (fact, is a state: the same again has no effect)
    Some(match kind % 24 {
        0..=4 => (Fact::Joined { who, role, via, organiser: on, name: "n".to_owned().into() }, true),
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
            let (notice, ..) = watch.playing.front()?;
            (Fact::NoticeBegan { notice: *notice, length: Duration::from_millis(1_500) }, true)
        }
        20 | 21 => (told(Outcome::Completed)?, true),
        22 => (told(if on { Outcome::Failed } else { Outcome::Interrupted })?, true),
        _ => {
            let bypass = if on { Bypass::Everyone } else { Bypass::Organisers };
            (Fact::Settings(PolicySettings { bypass, devices_bypass: other % 3 == 0, ..PolicySettings::default() }), true)
        }
    })
}

/// Plays a history and says what rule it broke.
fn play(steps: &[Step], mutant: Option<Mutant>) -> Result<Vec<String>, String> {
    let mut policy = Policy::new(PolicySettings { bypass: Bypass::Everyone, ..PolicySettings::default() });
    policy.mutant = mutant;
    let mut run = Run { policy, watch: Watch::default(), now: start(), transcript: Vec::new() };
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
    // Everybody picks up and listens to the end: nothing stays owed without an alarm.
    for n in 0..8 {
        run.handle(Fact::Hold { who: cast(n).0, on: false })?;
    }
    for _ in 0..8 {
        while let Some((notice, ..)) = run.watch.playing.front().cloned() {
            run.handle(Fact::Told { notice, outcome: Outcome::Completed, first_seq: None, last_seq: None })?;
        }
        run.pass(MERGE_WINDOW)?;
    }
    for (who, owed) in &run.watch.owed {
        if let Some((what, epoch)) = owed.iter().find(|(what, epoch)| !run.watch.heard.contains(&(*who, *what, *epoch)))
            && !run.watch.alarmed.contains(who)
        {
            return fail(format!("{who} never heard of {what:?} {epoch}, and no alarm"));
        }
    }
    for n in 0..8 {
        run.handle(Fact::Left { who: cast(n).0 })?;
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

fn find(mutant: Option<Mutant>, cases: u32) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        .run(&histories(), |steps| play(&steps, mutant).map(drop).map_err(TestCaseError::fail))
        .map_err(|error| error.to_string())
}

#[test]
fn random_histories_keep_every_rule() {
    find(None, 5_000).unwrap();
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
fn planted_faults_are_caught() {
    for mutant in [Mutant::AdmitWithoutMember, Mutant::HearWithoutNotice, Mutant::SpeakWithoutSeat, Mutant::SwallowStart] {
        assert!(find(Some(mutant), 5_000).is_err(), "{mutant:?} was not caught");
    }
}
