//! [`LogLimit`]: how often a line is logged that peers can bring about, so that the log stays bounded whatever they send. Pure; time is an input.

use std::time::{Duration, Instant};

use super::rate_limit::{RateLimit, TokenBucket};

/// Time between two lines of one cause, unless another limit is named.
pub const LOG_EVERY: Duration = Duration::from_secs(60);

/// Lines of one cause; by default one each [`LOG_EVERY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimit {
    limit: RateLimit,
    /// Full until the first line.
    left: Option<TokenBucket>,
    suppressed: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self::new(RateLimit { burst: 1, every: LOG_EVERY })
    }
}

impl LogLimit {
    /// As many lines as that.
    #[must_use]
    pub const fn new(limit: RateLimit) -> Self {
        Self { limit, left: None, suppressed: 0 }
    }

    /// Ten lines at once, then one in ten seconds: each names another source.
    #[must_use]
    pub const fn of_sources() -> Self {
        Self::new(RateLimit { burst: 10, every: Duration::from_secs(10) })
    }

    /// Whether a line is logged now; if so, how many were suppressed since the last one.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        let limit = self.limit;
        if self.left.get_or_insert_with(|| TokenBucket::new(limit, now)).take(now) {
            return Some(std::mem::take(&mut self.suppressed));
        }
        self.suppressed = self.suppressed.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        Instant::now()
    }

    #[test]
    fn a_line_is_logged_once_an_interval_with_how_many_were_not() {
        let start = start();
        let mut limit = LogLimit::default();
        let logged: Vec<_> = (0..600).filter_map(|n| limit.admit(start + Duration::from_millis(250) * n)).collect();
        assert_eq!(logged, [0, 239, 239]);
    }

    /// The log has a few lines of one cause and says how many it has not.
    #[test]
    fn x2_the_log_has_a_few_lines_of_one_cause_and_says_how_many() {
        const SECOND: Duration = Duration::from_secs(1);
        let (t0, mut lines) = (start(), LogLimit::of_sources());
        assert_eq!((0..1000).filter_map(|_| lines.admit(t0)).collect::<Vec<_>>(), [0; 10]);
        assert_eq!(lines.admit(t0 + 10 * SECOND), Some(990));
        assert_eq!(lines.admit(t0 + 10 * SECOND), None);
        assert_eq!(lines.admit(t0 + 200 * SECOND), Some(1));
    }
}
