//! [`LogLimit`]: a line of the log that somebody else can bring about is said once an interval, whatever they send. Pure; time is an input.

use std::time::{Duration, Instant};

/// Between two lines of one cause.
pub const LOG_EVERY: Duration = Duration::from_secs(60);

/// One cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogLimit {
    quiet_until: Option<Instant>,
    unsaid: u64,
}

impl LogLimit {
    /// Whether it is said now; then how often it happened unsaid since it was said last.
    pub fn says(&mut self, now: Instant) -> Option<u64> {
        if self.quiet_until.is_some_and(|until| now < until) {
            self.unsaid += 1;
            return None;
        }
        self.quiet_until = now.checked_add(LOG_EVERY);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once_an_interval_with_how_often_it_was_not() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let mut limit = LogLimit::default();
        let said: Vec<_> = (0..600).filter_map(|n| limit.says(start + Duration::from_millis(250) * n)).collect();
        assert_eq!(said, [0, 239, 239]);
    }
}
