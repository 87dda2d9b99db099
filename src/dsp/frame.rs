//! [`Frame`]: 20 ms of mono sound, the unit in which everything is mixed.

use crate::common::units::Hz;

/// Samples of 20 ms at the highest rate, 48 kHz.
const LONGEST: usize = 960;

/// 20 ms of mono PCM at 8, 16 or 48 kHz. No allocation; cloned on purpose only.
#[derive(Clone)]
pub struct Frame {
    rate: Hz,
    length: usize,
    storage: [i16; LONGEST],
}

impl Frame {
    /// 20 ms of silence. A rate above 48 kHz is taken as 48 kHz.
    #[must_use]
    pub fn silence(rate: Hz) -> Self {
        let rate = rate.min(Hz::FULL);
        Self { rate, length: rate.0 as usize / 50, storage: [0; LONGEST] }
    }

    /// A frame of these samples; missing ones are silence, surplus ones are left out.
    #[must_use]
    pub fn from_samples(rate: Hz, samples: &[i16]) -> Self {
        let mut frame = Self::silence(rate);
        let length = frame.length.min(samples.len());
        frame.storage[..length].copy_from_slice(&samples[..length]);
        frame
    }

    /// The sampling rate.
    #[must_use]
    pub fn rate(&self) -> Hz {
        self.rate
    }

    /// The 20 ms.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.storage[..self.length]
    }

    /// The 20 ms, to be changed in place.
    pub fn samples_mut(&mut self) -> &mut [i16] {
        &mut self.storage[..self.length]
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Audio never reaches a log.
        f.debug_struct("Frame").field("rate", &self.rate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_20_ms_at_every_rate() {
        for (rate, length) in [(Hz::NARROW, 160), (Hz::WIDE, 320), (Hz::FULL, 960), (Hz(96_000), 960)] {
            assert_eq!(Frame::silence(rate).samples().len(), length);
        }
        assert_eq!(Frame::from_samples(Hz::NARROW, &[7; 1000]).samples(), &[7; 160]);
        assert_eq!(&Frame::from_samples(Hz::NARROW, &[7, 8]).samples()[..3], &[7, 8, 0]);
    }
}
