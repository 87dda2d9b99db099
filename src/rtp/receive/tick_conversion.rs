//! The two clocks of a stream: RTP ticks of the codec, samples of its decoder; and microseconds between them.

use std::time::{Duration, Instant};

use crate::common::units::Hz;

/// How often a frame is pulled.
pub(super) const PULL: Duration = Duration::from_millis(20);

/// Converts between RTP ticks, samples and time.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickConversion {
    /// RTP clock of the payload type.
    pub(super) clock: Hz,
    /// Rate of the decoder.
    pub(super) rate: Hz,
}

impl TickConversion {
    /// RTP ticks in `time`.
    pub(super) fn ticks(self, time: Duration) -> u32 {
        u32::try_from(self.clock.samples(time)).unwrap_or(u32::MAX / 4)
    }

    /// RTP ticks that `samples` last.
    pub(super) fn ticks_of(self, samples: usize) -> u32 {
        u32::try_from(samples as u64 * u64::from(self.clock.0) / u64::from(self.rate.0)).unwrap_or(u32::MAX / 4)
    }

    /// Samples that `ticks` last.
    pub(super) fn samples_of(self, ticks: u32) -> usize {
        ticks as usize * self.rate.0 as usize / self.clock.0 as usize
    }

    /// A distance in RTP ticks as one in samples.
    pub(super) fn distance(self, ticks: i32) -> i64 {
        i64::from(ticks) * i64::from(self.rate.0) / i64::from(self.clock.0)
    }

    /// Microseconds that `samples` last.
    pub(super) fn micros_of(self, samples: i64) -> i64 {
        samples * 1_000_000 / i64::from(self.rate.0)
    }

    /// Samples of a frame.
    pub(super) fn frame(self) -> usize {
        self.rate.samples(PULL)
    }

    /// How long after the next pull the sample at `position` behind it is pulled, in microseconds.
    pub(super) fn pulled_after(self, position: i64) -> i64 {
        position.div_euclid(self.frame() as i64) * micros_in(PULL)
    }
}

/// Microseconds in `time`.
pub(super) fn micros_in(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// `later - earlier` in microseconds, negative when they are the other way round.
pub(super) fn micros_between(earlier: Instant, later: Instant) -> i64 {
    micros_in(later.saturating_duration_since(earlier)) - micros_in(earlier.saturating_duration_since(later))
}
