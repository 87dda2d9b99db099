//! [`LoadMeter`]: which share of its time a worker works, and how much effort its encoders may therefore make.
//!
//! Opus sounds better with more effort, and a late packet sounds worse than any effort can mend. So effort goes down before ticks come late, and
//! up again only when there is room for it: what a step costs is less than what lies between the two limits.

use std::time::{Duration, Instant};

/// Complexities of Opus, the best first. Below the last one the score falls faster than the cost.
const COMPLEXITIES: [u8; 3] = [9, 5, 2];
/// Load in percent from which on encoders make less effort.
const HIGH: u8 = 55;
/// Load in percent below which they may make more.
const LOW: u8 = 25;
/// So many periods of low load in a row: a pause between two sentences is none.
const CALM_PERIODS: u8 = 5;
/// Load in percent from which on no further call is taken: a tick that takes this much longer than the average still ends in time.
pub const FULL_LOAD_PERCENT: u8 = 85;

/// Measures by wall-clock time: where the machine gives the thread no CPU while it works, that counts as load too.
#[derive(Debug)]
pub(super) struct LoadMeter {
    since: Instant,
    busy: Duration,
    effort: usize,
    calm: u8,
}

/// What a period of about a second has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Share of the time that was spent working, in percent.
    pub(super) percent: u8,
    /// Complexity for the Opus encoders from now on, 0 to 10.
    pub(super) complexity: u8,
}

impl LoadMeter {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, busy: Duration::ZERO, effort: 0, calm: 0 }
    }

    /// Complexity for the Opus encoders.
    pub(super) fn complexity(&self) -> u8 {
        COMPLEXITIES.get(self.effort).copied().unwrap_or(0)
    }

    /// Something took that long.
    pub(super) fn worked(&mut self, time: Duration) {
        self.busy += time;
    }

    /// Ends a period. `late`: steps were skipped in it, so there was more to do than it had time for.
    pub(super) fn end_period(&mut self, now: Instant, late: bool) -> Load {
        let whole = now.saturating_duration_since(self.since).max(Duration::from_millis(1));
        let share = (self.busy.as_secs_f64() / whole.as_secs_f64()).min(1.0);
        let percent = if late { 100 } else { (share * 100.0) as u8 };
        (self.since, self.busy) = (now, Duration::ZERO);
        self.calm = if percent < LOW { self.calm.saturating_add(1) } else { 0 };
        if percent >= HIGH {
            self.effort = (self.effort + 1).min(COMPLEXITIES.len() - 1);
        } else if self.calm >= CALM_PERIODS {
            self.effort = self.effort.saturating_sub(1);
            self.calm = 0;
        }
        Load { percent, complexity: self.complexity() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an instant to count from")]
    fn periods(loads: &[(u64, bool)]) -> Vec<Load> {
        let mut now = Instant::now();
        let mut meter = LoadMeter::new(now);
        let mut end = |(busy, late)| {
            now += Duration::from_secs(1);
            meter.worked(Duration::from_millis(busy));
            meter.end_period(now, late)
        };
        loads.iter().copied().map(&mut end).collect()
    }

    /// Effort falls with each second of high load and rises again after seconds of low load, one step at a time.
    #[test]
    fn a5_effort_falls_with_load_and_rises_when_it_has_gone() {
        let complexities = |loads: &[(u64, bool)]| periods(loads).iter().map(|load| load.complexity).collect::<Vec<_>>();
        assert_eq!(complexities(&[(100, false), (600, false), (700, false), (900, false)]), [9, 5, 2, 2]);
        assert_eq!(complexities(&[(600, false), (400, false), (300, false), (500, false)]), [5; 4], "in between it stays");
        let calm = [(600, false), (600, false)].into_iter().chain([(200, false); 10]).collect::<Vec<_>>();
        assert_eq!(complexities(&calm), [5, 2, 2, 2, 2, 2, 5, 5, 5, 5, 5, 9]);
    }

    /// A second in which steps were skipped is one of full load.
    #[test]
    fn a5_a_late_worker_is_under_full_load() {
        assert_eq!(periods(&[(200, true)]), [Load { percent: 100, complexity: 5 }]);
        assert_eq!(periods(&[(200, false)])[0].percent, 20);
    }
}
