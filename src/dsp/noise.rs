//! [`ComfortNoise`]: the sound of a room in which nobody speaks (RFC 3389).

use super::level::dbov;

/// Nothing louder is the noise of a room, in -dBov: a peer's packet of one octet must not fill a meeting with noise.
const LOUDEST: u8 = 30;

/// White noise of a level that the sender of a stream has measured.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    state: u32,
    /// Samples are spread evenly up to this, either way.
    peak: f32,
}

impl ComfortNoise {
    /// Noise of a level as RFC 3389 section 3 writes it: 0 to 127, in -dBov; the highest bit means nothing.
    #[must_use]
    pub fn new(level: u8) -> Self {
        let mut noise = Self { state: 0x9e37_79b9, peak: 0.0 };
        noise.set_level(level);
        noise
    }

    /// Noise as loud as these samples.
    #[must_use]
    pub fn like(samples: &[i16]) -> Self {
        Self::new((-dbov(samples)).clamp(0.0, 127.0) as u8)
    }

    /// Another level, which counts from the next sample on.
    pub fn set_level(&mut self, level: u8) {
        let level = f32::from((level & 0x7f).max(LOUDEST));
        // The root mean square of an even spread is its peak by the root of three.
        self.peak = 32_768.0 * 10_f32.powf(-level / 20.0) * 3_f32.sqrt();
    }

    /// Appends so many samples.
    pub fn append(&mut self, samples: usize, out: &mut Vec<i16>) {
        out.extend((0..samples).map(|_| {
            // Xorshift: no pattern that anybody could notice, at the cost of three shifts.
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            (self.state.cast_signed() as f32 / 2_147_483_648.0 * self.peak).round() as i16
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a1_noise_has_its_level_and_is_never_loud() {
        for (level, measured) in [(40, -40.0), (60, -60.0), (70, -70.0), (128 + 50, -50.0), (0, -30.0)] {
            let (mut noise, mut out) = (ComfortNoise::new(level), Vec::new());
            noise.append(16_000, &mut out);
            assert!((dbov(&out) - measured).abs() < 0.5, "{level}: {}", dbov(&out));
        }
        let mut out = Vec::new();
        ComfortNoise::new(127).append(1_000, &mut out);
        assert!(out.iter().all(|sample| *sample == 0), "below one step of 16 bits");
    }
}
