//! Quantities with their unit in the type.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A sampling rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hz(pub u32);

impl Hz {
    /// 8 kHz, narrow band.
    pub const NARROW: Self = Self(8_000);
    /// 16 kHz, wide band.
    pub const WIDE: Self = Self(16_000);
    /// 48 kHz, full band.
    pub const FULL: Self = Self(48_000);

    /// Samples that last `time` at this rate, rounded down.
    #[must_use]
    pub fn samples(self, time: Duration) -> usize {
        usize::try_from(time.as_micros() * u128::from(self.0) / 1_000_000).unwrap_or(usize::MAX)
    }

    /// How long `samples` last at this rate.
    #[must_use]
    pub fn duration(self, samples: usize) -> Duration {
        Duration::from_nanos(samples as u64 * 1_000_000_000 / u64::from(self.0))
    }
}

impl fmt::Display for Hz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// The world's time as stores and pages count it: milliseconds since 1970; 0 for what lies before.
#[must_use]
pub fn unix_millis(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
