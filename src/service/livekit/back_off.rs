//! When a session that was lost is tried again: every second for two minutes, then more slowly, each time with jitter, so that the sessions
//! of a gateway do not come back to a server that starts all in one moment.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// Between two attempts at first.
const EVERY: Duration = Duration::from_secs(1);
/// For so long.
const EAGER_FOR: Duration = Duration::from_secs(120);
/// Between two attempts after that.
const SLOWLY: Duration = Duration::from_secs(15);
/// Jitter of the first attempt, in milliseconds; later ones have as much of their time.
const FIRST: u64 = 200;

/// Attempts since the last success.
#[derive(Debug)]
pub(super) struct BackOff {
    rng: ChaCha8Rng,
    since: Option<Instant>,
}

impl BackOff {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), since: None }
    }

    /// When the next attempt is due.
    pub(super) fn next(&mut self, now: Instant) -> Instant {
        let pause = match self.since {
            None => Duration::ZERO,
            Some(since) if now.saturating_duration_since(since) < EAGER_FOR => EVERY,
            Some(_) => SLOWLY,
        };
        self.since.get_or_insert(now);
        let spread = u64::try_from(pause.as_millis() / 5).unwrap_or(0).max(FIRST);
        now + pause + Duration::from_millis(self.rng.next_u64() % spread)
    }

    /// The next loss is a first one.
    pub(super) const fn succeeded(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_each_second_for_two_minutes_then_rarely() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let (mut back_off, mut now, mut attempts) = (BackOff::new(7), start, Vec::new());
        while now < start + Duration::from_secs(300) {
            now = back_off.next(now);
            attempts.push(now.saturating_duration_since(start));
        }
        assert!(attempts[0] < Duration::from_millis(200), "{:?}", attempts[0]);
        let in_two_minutes = attempts.iter().filter(|at| **at < EAGER_FOR).count();
        assert!((95..=120).contains(&in_two_minutes), "{in_two_minutes}");
        assert!((9..=14).contains(&(attempts.len() - in_two_minutes)), "{}", attempts.len());
        back_off.succeeded();
        assert!(back_off.next(now) < now + Duration::from_millis(200));
    }
}
