//! How often something may happen: [`TokenBucket`] for one source, [`RateLimiter`] for many. Pure; time is an input.
//!
//! Every limit on events a time is one of these. Other things are counted elsewhere: what lasts (calls and connections at once), what begins anew at midnight
//! (`relay::daily_limits`), and wrong codes, which lock for a time of their own (`menu::lockout`). The `governor` crate has the same algorithm, but reads a
//! clock that it is given when it is made, where a machine is given the time with each input, and its tables by key grow until they are swept.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// Spends `number`, or all that is left: the price of what is refused, where going on must not pay.
    pub fn drain(&mut self, now: Instant, number: u32) {
        let empty = now + self.allowance.every * self.allowance.burst;
        self.full_at = (self.full_at.max(now) + self.allowance.every * number).min(empty);
    }

    /// The same budget under another allowance: full again at the same time, and with no more spent than there is.
    #[must_use]
    pub fn under(self, allowance: RateLimit, now: Instant) -> Self {
        Self { allowance, full_at: self.full_at.min(now + allowance.every * allowance.burst) }
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
        f.debug_struct("RateLimiter").field("allowance", &self.full.allowance).field("known", &self.known.len()).finish()
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

    #[test]
    fn a_drained_budget_owes_nothing() {
        let t0 = start();
        let mut budget = TokenBucket::new(RateLimit { burst: 3, every: SECOND }, t0);
        budget.drain(t0, 2);
        assert_eq!(budget.ready_at(2), t0 + SECOND);
        budget.drain(t0, 100);
        assert!(!budget.take(t0) && budget.take_all(t0 + 2 * SECOND, 2) && budget.is_full(t0 + 5 * SECOND));
    }

    #[test]
    fn another_allowance_holds_for_what_is_remembered() {
        let t0 = start();
        let mut budget = TokenBucket::new(RateLimit { burst: 10, every: SECOND }, t0);
        budget.drain(t0, 10);
        let mut less = budget.under(RateLimit { burst: 2, every: SECOND }, t0);
        assert!(!less.take(t0) && less.take(t0 + SECOND));
        let mut more = budget.under(RateLimit { burst: 20, every: SECOND }, t0);
        assert!(more.take_all(t0, 10) && !more.take(t0));
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
