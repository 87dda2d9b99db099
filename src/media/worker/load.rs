//! [`LoadMeter`]: which share of a core a worker takes, and how much effort its encoders may therefore make.
//!
//! Opus sounds better with more effort, and a late packet sounds worse than any effort can mend. So effort goes down before ticks come late, and
//! up again only when there is room for it: what a step costs is less than what lies between the two limits. What other programs take of the
//! machine is no load of ours: less effort would not give it back, and a call that is refused for it would have been carried a moment later.

use std::time::{Duration, Instant};

/// Complexities of Opus, the best first. More than the first one adds nothing to the score that passes its spread (docs/QUALITY.md), and from 7 on
/// libopus analyses the signal as well; below the last one the score falls faster than the cost.
const COMPLEXITIES: [u8; 3] = [5, 3, 2];
/// Load in percent from which on encoders make less effort.
const HIGH: u8 = 55;
/// Load in percent below which they may make more.
const LOW: u8 = 25;
/// So many periods of low load in a row: a pause between two sentences is none.
const CALM_PERIODS: u8 = 5;
/// Load in percent from which on no further call is taken: a tick that takes this much longer than the average still ends in time.
pub const FULL_LOAD_PERCENT: u8 = 85;

/// See the file's paragraph.
#[derive(Debug)]
pub(super) struct LoadMeter {
    since: Instant,
    /// CPU time of the thread until then.
    used: Duration,
    effort: usize,
    calm: u8,
    last_percent: u8,
}

/// What a period of about a second has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Share of a core, in percent: of this period or the one before, the lesser, since a burst of set-ups is no lasting load.
    pub(super) percent: u8,
    /// Complexity for the Opus encoders from now on, 0 to 10.
    pub(super) complexity: u8,
}

impl LoadMeter {
    /// Of a thread that has used so much CPU time until now.
    pub(super) const fn new(now: Instant, used: Duration) -> Self {
        Self { since: now, used, effort: 0, calm: 0, last_percent: 0 }
    }

    /// Complexity for the Opus encoders.
    pub(super) fn complexity(&self) -> u8 {
        COMPLEXITIES.get(self.effort).copied().unwrap_or(0)
    }

    /// Ends a period. `used`: CPU time of the thread until now.
    pub(super) fn end_period(&mut self, now: Instant, used: Duration) -> Load {
        let whole = now.saturating_duration_since(self.since).max(Duration::from_millis(1));
        let share = (used.saturating_sub(self.used).as_secs_f64() / whole.as_secs_f64()).min(1.0);
        let percent = (share * 100.0).round() as u8;
        (self.since, self.used) = (now, used);
        self.calm = if percent < LOW { self.calm.saturating_add(1) } else { 0 };
        if percent >= HIGH {
            self.effort = (self.effort + 1).min(COMPLEXITIES.len() - 1);
        } else if self.calm >= CALM_PERIODS {
            self.effort = self.effort.saturating_sub(1);
            self.calm = 0;
        }
        let lasting = percent.min(std::mem::replace(&mut self.last_percent, percent));
        Load { percent: lasting, complexity: self.complexity() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an instant to count from")]
    fn periods(loads: &[u64]) -> Vec<Load> {
        let (mut now, mut used) = (Instant::now(), Duration::from_secs(7));
        let mut meter = LoadMeter::new(now, used);
        let mut end = |percent: u64| {
            now += Duration::from_secs(1);
            used += Duration::from_millis(10 * percent);
            meter.end_period(now, used)
        };
        loads.iter().copied().map(&mut end).collect()
    }

    /// Effort falls with each second of high load and rises again after seconds of low load, one step at a time.
    #[test]
    fn a5_effort_falls_with_load_and_rises_when_it_has_gone() {
        let complexities = |loads: &[u64]| periods(loads).iter().map(|load| load.complexity).collect::<Vec<_>>();
        assert_eq!(complexities(&[10, 60, 70, 90]), [5, 3, 2, 2]);
        assert_eq!(complexities(&[60, 40, 30, 50]), [3; 4], "in between it stays");
        let calm = [60, 60].into_iter().chain([20; 10]).collect::<Vec<_>>();
        assert_eq!(complexities(&calm), [3, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 5]);
    }

    /// A second of full load is a burst, two are full load.
    #[test]
    fn a5_a_worker_is_full_when_its_load_lasts() {
        let percents = periods(&[20, 95, 20, 95, 90, 30]).iter().map(|load| load.percent).collect::<Vec<_>>();
        assert_eq!(percents, [0, 20, 20, 20, 90, 30]);
    }
}
