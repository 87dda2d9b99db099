//! How often something may happen: [`TokenBucket`] for one source, [`RateLimiter`] for many. Pure; time is an input.

use std::fmt;
use std::hash::Hash;
use std::time::{Duration, Instant};

use hashlink::LruCache;

/// How much is allowed: `burst` at once, and one more every `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// At once, after a long rest.
    pub burst: u32,
    /// The time after which one more is allowed.
    pub every: Duration,
}

/// What one source has left. Kept as the instant at which everything is allowed again (the generic cell rate
/// algorithm, ITU-T I.371), so there is nothing to refill and nothing to round.
#[derive(Debug, Clone, Copy)]
pub struct TokenBucket {
    allowance: RateLimit,
    full_at: Instant,
}

impl TokenBucket {
    /// A full budget.
    #[must_use]
    pub const fn new(allowance: RateLimit, now: Instant) -> Self {
        Self { allowance, full_at: now }
    }

    /// Whether [`TokenBucket::take`] would succeed.
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

    /// When [`TokenBucket::take_all`] would succeed. More than the burst is never there; it counts as the burst.
    #[must_use]
    pub fn ready_at(&self, number: u32) -> Instant {
        let kept = self.allowance.burst.saturating_sub(number);
        // A full budget has been full for long: an instant that is not there has passed.
        self.full_at.checked_sub(self.allowance.every * kept).unwrap_or(self.full_at)
    }

    /// How long until [`TokenBucket::take`] would succeed; zero if it would now.
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

/// Lines of the log about one cause, however often a stranger brings it about: by default ten at once, then one in ten seconds.
#[derive(Debug)]
pub struct LogBudget {
    limit: RateLimit,
    left: Option<TokenBucket>,
    unlogged: u64,
}

impl Default for LogBudget {
    fn default() -> Self {
        Self::new(RateLimit { burst: 10, every: Duration::from_secs(10) })
    }
}

impl LogBudget {
    /// As many lines as that.
    #[must_use]
    pub const fn new(limit: RateLimit) -> Self {
        Self { limit, left: None, unlogged: 0 }
    }

    /// Whether one is written now, and how many were not since the last one.
    pub fn say(&mut self, now: Instant) -> Option<u64> {
        let limit = self.limit;
        if self.left.get_or_insert_with(|| TokenBucket::new(limit, now)).take(now) {
            return Some(std::mem::take(&mut self.unlogged));
        }
        self.unlogged = self.unlogged.saturating_add(1);
        None
    }
}

/// One [`TokenBucket`] for each source, for at most `capacity` sources.
///
/// When there are more, the one that has spent nothing for the longest time is forgotten: memory stays bounded, and however many others
/// there are, whoever is not remembered has a full budget and never pays for them.
pub struct RateLimiter<K> {
    /// What whoever is not remembered has.
    full: TokenBucket,
    known: LruCache<K, TokenBucket>,
}

impl<K: Eq + Hash> fmt::Debug for RateLimiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets").field("allowance", &self.full.allowance).field("known", &self.known.len()).finish()
    }
}

impl<K: Eq + Hash> RateLimiter<K> {
    /// An empty table.
    #[must_use]
    pub fn new(allowance: RateLimit, capacity: usize, now: Instant) -> Self {
        Self { full: TokenBucket::new(allowance, now), known: LruCache::new(capacity) }
    }

    /// How long `source` has to wait for its next one; zero if it need not.
    #[must_use]
    pub fn wait(&self, now: Instant, source: &K) -> Duration {
        self.known.peek(source).map_or(Duration::ZERO, |budget| budget.wait(now))
    }

    /// Gives `source` everything back.
    pub fn forget(&mut self, source: &K) {
        self.known.remove(source);
    }

    /// Spends one for `source`; `false` when it has none left.
    pub fn take(&mut self, now: Instant, source: K) -> bool {
        let mut budget = self.known.peek(&source).copied().unwrap_or(self.full);
        let granted = budget.take(now);
        self.known.insert(source, budget);
        granted
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
        let mut budget = TokenBucket::new(RateLimit { burst: 3, every: SECOND }, t0);
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
        let mut budget = TokenBucket::new(RateLimit { burst: 5, every: SECOND }, t0);
        assert!(budget.take_all(t0, 4));
        assert!(!budget.take_all(t0, 2));
        assert_eq!(budget.ready_at(2), t0 + SECOND);
        assert!(budget.take_all(t0 + SECOND, 2));
        assert!(!budget.take_all(t0 + SECOND, 1));
        assert!(budget.take_all(t0 + 20 * SECOND, 5));
    }

    /// The log has a few lines of one cause and says how many it has not.
    #[test]
    fn x2_the_log_has_a_few_lines_of_one_cause_and_says_how_many() {
        let (t0, mut lines) = (start(), LogBudget::default());
        assert_eq!((0..1000).filter_map(|_| lines.say(t0)).collect::<Vec<_>>(), [0; 10]);
        assert_eq!(lines.say(t0 + 10 * SECOND), Some(990));
        assert_eq!(lines.say(t0 + 10 * SECOND), None);
        assert_eq!(lines.say(t0 + 200 * SECOND), Some(1));
    }

    #[test]
    fn a_refused_take_spends_nothing() {
        let t0 = start();
        let mut budget = TokenBucket::new(RateLimit { burst: 1, every: SECOND }, t0);
        assert!(budget.take(t0));
        assert!((0..1000).all(|_| !budget.take(t0)));
        assert!(budget.take(t0 + SECOND));
    }

    #[test]
    fn sources_do_not_spend_each_others_budget() {
        let t0 = start();
        let mut budgets = RateLimiter::new(RateLimit { burst: 1, every: SECOND }, 10, t0);
        assert!(budgets.take(t0, 'a'));
        assert!(!budgets.take(t0, 'a'));
        assert!(budgets.take(t0, 'b'));
        assert_eq!(budgets.wait(t0, &'a'), SECOND);
        assert_eq!(budgets.wait(t0, &'c'), Duration::ZERO);
    }

    #[test]
    fn x2_a_full_table_stays_bounded_and_keeps_nobody_out() {
        let t0 = start();
        let mut budgets = RateLimiter::new(RateLimit { burst: 1, every: SECOND }, 100, t0);
        assert!((0..10_000).all(|n| budgets.take(t0, n)), "whoever is new has a full budget");
        assert_eq!(budgets.known.len(), 100);
        assert!(!budgets.take(t0, 9_999) && budgets.wait(t0, &9_999) == SECOND, "who is remembered has spent it");
        assert!(budgets.wait(t0, &0).is_zero() && budgets.take(t0, 0), "the oldest are forgotten");
        for n in 0..99 {
            assert!(!budgets.take(t0, 9_999));
            budgets.take(t0, n);
        }
        assert!(!budgets.take(t0, 9_999), "who goes on is not");
    }
}
