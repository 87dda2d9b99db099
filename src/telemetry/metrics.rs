//! What is counted where it happens, for `/metrics` (O-5, U-5). What can be read off when it is asked for is not counted here.
//!
//! Labels come from our own tables, never from a peer: no scanner can make more of them.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::common::cause::Cause;

/// What every metric of ours begins with.
pub const PREFIX: &str = "roomgate";

/// Upper ends of the buckets for the time to an answer, in s: N-1's and U-1's half second among them.
const ANSWER: [f64; 9] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
/// Upper ends of the buckets for mean opinion scores: below 3.6 many people complain, below 3.1 nearly all (ITU-T G.107 annex B).
const SCORES: [f64; 7] = [1.5, 2.6, 3.1, 3.6, 4.0, 4.3, 4.5];

/// Causes of calls that failed, of which the shipped alerts want the first one, too.
const FAULTS: [Cause; 7] =
    [Cause::NoAck, Cause::PeerGone, Cause::MediaTimeout, Cause::SessionExpired, Cause::NoPorts, Cause::Stalled, Cause::Fault];

type Label = [(&'static str, &'static str); 1];

/// The counters. Cheap to clone: clones count together.
#[derive(Debug, Clone)]
pub struct Counted {
    calls: Family<Label, Counter>,
    answer: Histogram,
    scores: Histogram,
    received: Counter,
    lost: Counter,
    notices: Family<Label, Counter>,
    alarms: Counter,
    store: Family<Label, Counter>,
    reloads: Family<Label, Counter>,
    last_reload: Gauge,
}

impl Default for Counted {
    fn default() -> Self {
        let last_reload = Gauge::default();
        last_reload.set(1);
        // From the start on: the first of them is an increase, too.
        let family = |label: &'static str, values: &[&'static str]| {
            let family = Family::<Label, Counter>::default();
            values.iter().for_each(|value| drop(family.get_or_create(&[(label, value)])));
            family
        };
        Self {
            calls: family("cause", &FAULTS.map(|cause| cause.verdict().label)),
            answer: Histogram::new(ANSWER),
            scores: Histogram::new(SCORES),
            received: Counter::default(),
            lost: Counter::default(),
            notices: family("outcome", &["completed", "interrupted", "failed"]),
            alarms: Counter::default(),
            store: family("what", &[Unwritten::Record.word(), Unwritten::Ledger.word()]),
            reloads: family("outcome", &["taken", "refused"]),
            last_reload,
        }
    }
}

/// What could not be written to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unwritten {
    /// A call record (M-16).
    Record,
    /// A line of the ledger of notices (N-8).
    Ledger,
}

impl Unwritten {
    const fn word(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Ledger => "ledger",
        }
    }
}

impl Counted {
    /// A call has ended, or was refused; `cause` is the label of its [`crate::common::cause::Cause`].
    pub fn call_ended(&self, cause: &'static str) {
        self.calls.get_or_create(&[("cause", cause)]).inc();
    }

    /// From the INVITE to sound both ways.
    pub fn answered_after(&self, time: Duration) {
        self.answer.observe(time.as_secs_f64());
    }

    /// What a call that was heard sounded like: its mean opinion score (1 to 4.5), packets that came, and packets that did not.
    pub fn heard(&self, score: f32, received: u64, lost: i64) {
        self.scores.observe(f64::from(score));
        self.received.inc_by(received);
        self.lost.inc_by(u64::try_from(lost).unwrap_or(0));
    }

    /// A notice has come to its end; `outcome` is `completed`, `interrupted` or `failed` (N-8).
    pub fn notice(&self, outcome: &'static str) {
        self.notices.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// N-6: a notice was not heard as it must be, and the microphone stays closed.
    pub fn alarm(&self) {
        self.alarms.inc();
    }

    /// Something is not in the store that should be.
    pub fn unwritten(&self, what: Unwritten) {
        self.store.get_or_create(&[("what", what.word())]).inc();
    }

    /// A configuration was taken, or refused (O-2).
    pub fn reloaded(&self, taken: bool) {
        self.reloads.get_or_create(&[("outcome", if taken { "taken" } else { "refused" })]).inc();
        self.last_reload.set(taken.into());
    }

    /// Puts all of them into a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix(PREFIX);
        registry.register(
            "calls_ended",
            "Calls that have ended or were refused, by the label of their cause",
            self.calls.clone(),
        );
        registry.register("call_answer_seconds", "From the INVITE to sound both ways", self.answer.clone());
        registry.register(
            "call_mos",
            "Listening quality of calls at their end: mean opinion score by the E-model",
            self.scores.clone(),
        );
        registry.register("call_packets_received", "RTP packets of calls that have ended", self.received.clone());
        registry.register("call_packets_lost", "RTP packets that never came, of calls that have ended", self.lost.clone());
        registry.register("notices", "Notices that were due, by what became of them", self.notices.clone());
        registry.register(
            "notice_alarms",
            "Notices that were not heard as they must be: a microphone stayed closed",
            self.alarms.clone(),
        );
        registry.register("store_failures", "What could not be written to the store", self.store.clone());
        registry.register("config_reloads", "Reloads of the configuration, by outcome", self.reloads.clone());
        registry.register("config_last_reload_successful", "1 unless the last reload was refused", self.last_reload.clone());
    }
}
