//! [`DelayTarget`]: how long the playout delay must be, from how early the packets of the last seconds have come.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::dsp::stretch::Choice;

/// Arrivals are remembered this long.
const WINDOW: Duration = Duration::from_secs(4);
/// Most arrivals remembered: the window at 20 ms a packet, and more than half of it at 10 ms.
const CAPACITY: usize = 256;
/// Arrivals in a hundred that may come too late: to wait for those too would cost all others more delay than they are worth.
const LATE_PERCENT: usize = 2;
/// A late packet is let go where so many before it were in time.
const IN_TIME: u32 = 100;
/// After a delay step everything has come early for this long, and what was before is no longer looked at.
const STEP: Duration = Duration::from_secs(1);
/// A stream is watched this long before its delay is shortened.
const SETTLED: Duration = Duration::from_secs(3);

/// Headroom (µs) a stream begins with: arrivals may be 3 ms off either way, pulls 1 ms, and the first packet was perhaps early.
const FIRST_HEADROOM: i64 = 8_000;
/// The most headroom that a stream begins with where the network's jitter is known from before.
const MOST_AT_FIRST: i64 = 100_000;
/// Headroom that is left when a quantum is taken out.
const WANTED_HEADROOM: i64 = 5_000;
/// Below this, a quantum is put in where it is inaudible, before a packet comes too late.
pub(super) const LEAST_HEADROOM: i64 = 1_500;
/// Above this, time is taken out even where it may be audible.
const FAR_TOO_LONG: i64 = 60_000;

/// What is to become of the playout delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Correction {
    /// It is right.
    Keep,
    /// A quantum longer, where that is inaudible.
    Lengthen,
    /// Shorter by so many µs at most.
    Shorten(i64, Choice),
}

/// How long before it is needed each packet has arrived, in microseconds: its headroom, negative where it is late. A lost packet has none, so loss
/// never lengthens the delay.
#[derive(Debug, Default)]
pub(super) struct DelayTarget {
    /// When packets came, and their headroom less `moved`; the newest last.
    arrivals: VecDeque<(Instant, i64)>,
    /// By how much playout was moved since the beginning, µs.
    moved: i64,
    /// Packets since the last late one.
    in_time: u32,
    /// How much earlier than the latest packets most have come, as far as known.
    spread: i64,
    /// The network has become faster by a step, and playout follows.
    has_stepped: bool,
    scratch: Vec<i64>,
}

impl DelayTarget {
    /// Takes note of one packet.
    pub(super) fn observe(&mut self, now: Instant, headroom: i64) {
        while self.arrivals.len() >= CAPACITY
            || self.arrivals.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > WINDOW)
        {
            self.arrivals.pop_front();
        }
        self.in_time = self.in_time.saturating_add(1);
        self.arrivals.push_back((now, headroom.saturating_sub(self.moved)));
    }

    /// Packets are needed `by` microseconds later from now on (earlier, when negative).
    pub(super) fn moved(&mut self, by: i64) {
        self.moved = self.moved.saturating_add(by);
    }

    /// A packet came too late; whether the delay must be longer for it, because it is not the only one.
    pub(super) fn packet_was_late(&mut self) -> bool {
        std::mem::take(&mut self.in_time) < IN_TIME
    }

    /// The headroom that all but [`LATE_PERCENT`] of the packets of the window have.
    fn least(&mut self) -> Option<i64> {
        self.scratch.clear();
        self.scratch.extend(self.arrivals.iter().map(|(_, headroom)| *headroom));
        let at = self.scratch.len() * LATE_PERCENT / 100;
        if self.scratch.is_empty() {
            return None;
        }
        let (_, least, _) = self.scratch.select_nth_unstable(at);
        Some((*least).saturating_add(self.moved))
    }

    /// The headroom to begin a stream with: by what was seen of the network before, where it was seen.
    pub(super) fn first_headroom(&self) -> i64 {
        (self.spread + WANTED_HEADROOM).clamp(FIRST_HEADROOM, MOST_AT_FIRST)
    }

    /// What is to become of the delay, where it changes in steps of `quantum` µs and `extra` µs are wanted beside what jitter needs.
    pub(super) fn correction(&mut self, extra: i64, quantum: i64) -> Correction {
        let (Some(least), Some(recent)) = (self.least(), self.least_since(STEP)) else { return Correction::Keep };
        let spare = |least: i64| least - WANTED_HEADROOM - extra;
        let watched = self.watched();
        if watched >= STEP && spare(recent) > FAR_TOO_LONG {
            // The network has become faster by a step: what was before says nothing any more.
            self.forget_before(STEP);
            self.has_stepped = true;
            return Correction::Shorten(spare(recent), Choice::Now);
        }
        if least < LEAST_HEADROOM + extra {
            self.has_stepped = false;
            return Correction::Lengthen;
        }
        // None of the window's packets is to become late by a shorter delay.
        let latest = self.least_since(WINDOW).unwrap_or(least);
        self.has_stepped &= spare(latest) >= quantum;
        let may_shorten = latest >= LEAST_HEADROOM + extra && (watched >= SETTLED || self.has_stepped);
        if may_shorten { Correction::Shorten(spare(latest).max(0), Choice::Inaudible) } else { Correction::Keep }
    }

    /// Begins anew, for a stream that does. What is known of the network's jitter stays.
    pub(super) fn clear(&mut self) {
        if let Some(least) = self.least() {
            let median = self.scratch.len() / 2;
            let (_, median, _) = self.scratch.select_nth_unstable(median);
            self.spread = (*median).saturating_add(self.moved).saturating_sub(least).max(0);
        }
        self.arrivals.clear();
        (self.moved, self.has_stepped) = (0, false);
    }

    /// The least headroom of all packets of the last `time`.
    fn least_since(&self, time: Duration) -> Option<i64> {
        let (now, _) = *self.arrivals.back()?;
        let recent = self.arrivals.iter().rev().take_while(|(at, _)| now.saturating_duration_since(*at) <= time);
        recent.map(|(_, headroom)| headroom.saturating_add(self.moved)).min()
    }

    fn forget_before(&mut self, time: Duration) {
        let Some((now, _)) = self.arrivals.back().copied() else { return };
        self.arrivals.retain(|(at, _)| now.saturating_duration_since(*at) <= time);
    }

    /// From the first packet of the window to the last.
    fn watched(&self) -> Duration {
        let ends = self.arrivals.front().zip(self.arrivals.back());
        ends.map_or(Duration::ZERO, |((first, _), (last, _))| last.saturating_duration_since(*first))
    }
}
