//! [`Clip`]: samples of a prompt (K-5).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::common::units::Hz;

/// Mono sound at its file's rate, cheap to clone. Whoever plays it resamples.
#[derive(Clone, PartialEq, Eq)]
pub struct Clip {
    /// Samples a second: 8 to 48 kHz.
    pub rate: Hz,
    /// At least one sample, at most a minute.
    pub samples: Arc<[i16]>,
}

impl Clip {
    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.rate.duration(self.samples.len())
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({:?} at {})", self.duration(), self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_knows_how_long_it_plays() {
        let clip = Clip { rate: Hz::WIDE, samples: vec![0; 24_000].into() };
        assert_eq!(clip.duration(), Duration::from_millis(1500));
    }
}
