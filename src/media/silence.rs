//! [`SilenceWatch`]: how long a device has sent nothing.

use std::time::{Duration, Instant};

/// Watches for packets of a device: RTP of whatever payload type, and RTCP.
#[derive(Debug)]
pub(super) struct SilenceWatch {
    period: Duration,
    /// When the last packet came, or the device was last allowed to send none.
    last: Instant,
    reported: Option<Instant>,
}

impl SilenceWatch {
    /// Begins now; silence is reported after each `period` of it.
    pub(super) const fn new(now: Instant, period: Duration) -> Self {
        Self { period, last: now, reported: None }
    }

    /// A sign of life.
    pub(super) const fn restart(&mut self, now: Instant) {
        (self.last, self.reported) = (now, None);
    }

    /// How long the device has been silent, once each period.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Duration> {
        let since = self.reported.unwrap_or(self.last);
        if now.saturating_duration_since(since) < self.period {
            return None;
        }
        self.reported = Some(now);
        Some(now.saturating_duration_since(self.last))
    }
}
