//! How often something may happen: [`Budget`] for one source, [`Budgets`] for many. Pure; time is an input.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// How much is allowed: `burst` at once, and one more every `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// At once, after a long rest.
    pub burst: u32,
    /// The time after which one more is allowed.
    pub every: Duration,
}

/// What one source has left. Kept as the instant at which everything is allowed again (the generic cell rate
/// algorithm, ITU-T I.371), so there is nothing to refill and nothing to round.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    allowance: Allowance,
    full_at: Instant,
}

impl Budget {
    /// A full budget.
    #[must_use]
    pub const fn new(allowance: Allowance, now: Instant) -> Self {
        Self { allowance, full_at: now }
    }

    /// Whether [`Budget::take`] would succeed.
    #[must_use]
    pub fn has(&self, now: Instant) -> bool {
        self.wait(now).is_zero()
    }

    /// Spends one; `false` when there is none left, and then nothing is spent.
    pub fn take(&mut self, now: Instant) -> bool {
        if !self.has(now) {
            return false;
        }
        self.full_at = self.full_at.max(now) + self.allowance.every;
        true
    }

    /// Spends `number` at once; `false` when there are not that many left, and then nothing is spent.
    pub fn take_all(&mut self, now: Instant, number: u32) -> bool {
        if self.ready_at(number) > now {
            return false;
        }
        self.full_at = self.full_at.max(now) + self.allowance.every * number;
        true
    }

    /// When [`Budget::take_all`] would succeed. More than the burst is never there; it counts as the burst.
    #[must_use]
    pub fn ready_at(&self, number: u32) -> Instant {
        let kept = self.allowance.burst.saturating_sub(number);
        // A full budget has been full for long: an instant that is not there has passed.
        self.full_at.checked_sub(self.allowance.every * kept).unwrap_or(self.full_at)
    }

    /// How long until [`Budget::take`] would succeed; zero if it would now.
    #[must_use]
    pub fn wait(&self, now: Instant) -> Duration {
        let spent = self.full_at.saturating_duration_since(now) + self.allowance.every;
        spent.saturating_sub(self.allowance.every * self.allowance.burst)
    }

    /// Nothing is spent: the same as a new one.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// One [`Budget`] for each source, for at most `capacity` sources.
///
/// When that many sources have spent something at the same time, the rest share one budget: memory stays bounded, and a
/// flood from many addresses slows the late ones instead of emptying the table.
#[derive(Debug)]
pub struct Budgets<K> {
    allowance: Allowance,
    capacity: usize,
    known: HashMap<K, Budget>,
    shared: Budget,
    /// When those with a full budget were last looked for.
    swept: Option<Instant>,
}

impl<K: Eq + Hash> Budgets<K> {
    /// An empty table.
    #[must_use]
    pub fn new(allowance: Allowance, capacity: usize, now: Instant) -> Self {
        Self { allowance, capacity, known: HashMap::new(), shared: Budget::new(allowance, now), swept: None }
    }

    /// How long `source` has to wait for its next one; zero if it need not.
    #[must_use]
    pub fn wait(&self, now: Instant, source: &K) -> Duration {
        match self.known.get(source) {
            Some(budget) => budget.wait(now),
            None if self.known.len() >= self.capacity => self.shared.wait(now),
            None => Duration::ZERO,
        }
    }

    /// Gives `source` everything back.
    pub fn forget(&mut self, source: &K) {
        self.known.remove(source);
    }

    /// Spends one for `source`; `false` when it has none left.
    pub fn take(&mut self, now: Instant, source: K) -> bool {
        if self.known.len() >= self.capacity && !self.known.contains_key(&source) {
            // A full table must not make every try expensive: nobody's budget is full again much sooner than that.
            if self.swept.is_none_or(|at| now.saturating_duration_since(at) >= self.allowance.every / 8) {
                self.swept = Some(now);
                self.known.retain(|_, budget| !budget.is_full(now));
            }
            if self.known.len() >= self.capacity {
                return self.shared.take(now);
            }
        }
        self.known.entry(source).or_insert_with(|| Budget::new(self.allowance, now)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        Instant::now()
    }

    #[test]
    fn a_burst_is_allowed_and_then_one_each_interval() {
        let t0 = start();
        let mut budget = Budget::new(Allowance { burst: 3, every: SECOND }, t0);
        assert!((0..3).all(|_| budget.take(t0)));
        assert!(!budget.take(t0));
        assert_eq!(budget.wait(t0), SECOND);
        assert!(budget.take(t0 + SECOND));
        assert!(!budget.take(t0 + SECOND));
        assert!(budget.is_full(t0 + 4 * SECOND));
    }

    #[test]
    fn many_are_taken_together_or_not_at_all() {
        let t0 = start();
        let mut budget = Budget::new(Allowance { burst: 5, every: SECOND }, t0);
        assert!(budget.take_all(t0, 4));
        assert!(!budget.take_all(t0, 2));
        assert_eq!(budget.ready_at(2), t0 + SECOND);
        assert!(budget.take_all(t0 + SECOND, 2));
        assert!(!budget.take_all(t0 + SECOND, 1));
        assert!(budget.take_all(t0 + 20 * SECOND, 5));
    }

    #[test]
    fn a_refused_take_spends_nothing() {
        let t0 = start();
        let mut budget = Budget::new(Allowance { burst: 1, every: SECOND }, t0);
        assert!(budget.take(t0));
        assert!((0..1000).all(|_| !budget.take(t0)));
        assert!(budget.take(t0 + SECOND));
    }

    #[test]
    fn sources_do_not_spend_each_others_budget() {
        let t0 = start();
        let mut budgets = Budgets::new(Allowance { burst: 1, every: SECOND }, 10, t0);
        assert!(budgets.take(t0, 'a'));
        assert!(!budgets.take(t0, 'a'));
        assert!(budgets.take(t0, 'b'));
        assert_eq!(budgets.wait(t0, &'a'), SECOND);
        assert_eq!(budgets.wait(t0, &'c'), Duration::ZERO);
    }

    #[test]
    fn a_full_table_stays_bounded_and_recovers() {
        let t0 = start();
        let mut budgets = Budgets::new(Allowance { burst: 2, every: SECOND }, 100, t0);
        let allowed = (0..10_000).filter(|n| budgets.take(t0, *n)).count();
        assert_eq!(allowed, 102, "100 known sources and the shared budget of two");
        assert_eq!(budgets.known.len(), 100);
        assert!(budgets.take(t0 + 10 * SECOND, 10_001), "those who rest make room");
        assert_eq!(budgets.known.len(), 1);
    }
}
