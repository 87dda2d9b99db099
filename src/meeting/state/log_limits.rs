//! Lines of the log that people from outside cause: one of each kind in an interval, whatever they do. Those of members and known
//! devices are all written; what is not written is there at the level `debug`.

use std::time::Instant;

use crate::common::log_limit::LogLimit;

/// One limit for each kind.
#[derive(Debug, Default)]
pub(super) struct StrangerLogLimits {
    refused: LogLimit,
    came: LogLimit,
    left: LogLimit,
}

/// What somebody from outside causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StrangerLog {
    /// A request was refused.
    Refused,
    /// They have come.
    Came,
    /// They are gone.
    Left,
}

impl StrangerLogLimits {
    /// Whether a line of this kind is written now; then how many were not since the last one.
    pub(super) fn allows(&mut self, now: Instant, cause: StrangerLog) -> Option<u64> {
        let limit = match cause {
            StrangerLog::Refused => &mut self.refused,
            StrangerLog::Came => &mut self.came,
            StrangerLog::Left => &mut self.left,
        };
        limit.admit(now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Whatever somebody from outside asks for, the log has one line of each cause a minute.
    #[test]
    fn x2_a_flood_of_refused_requests_is_one_line_a_minute() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let mut lines = StrangerLogLimits::default();
        let says = |lines: &mut StrangerLogLimits, n: u32, cause| lines.allows(start + Duration::from_millis(500) * n, cause);
        let refused: Vec<_> = (0..600).filter_map(|n| says(&mut lines, n, StrangerLog::Refused)).collect();
        assert_eq!(refused, [0, 119, 119, 119, 119]);
        assert_eq!(says(&mut lines, 599, StrangerLog::Came), Some(0), "another cause has its own");
        assert_eq!(says(&mut lines, 599, StrangerLog::Left), Some(0));
    }
}
