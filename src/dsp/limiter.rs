//! [`Limiter`]: brings a sum of many voices back into 16 bits without clipping.

/// Peaks are held below this, a little under full scale so that a codec behind it does not clip either.
const CEILING: f32 = 32_000.0;
/// The gain is planned in this many steps a block (1 ms each for a block of 20 ms).
const STEPS: usize = 20;
/// How much the gain may recover in one step: full recovery from -12 dB takes a quarter of a second.
const RELEASE: f32 = 0.003;

/// A gain that gives way to peaks at once and comes back slowly. No look-ahead beyond the block, so no delay.
#[derive(Clone, Debug)]
pub struct Limiter {
    gain: f32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { gain: 1.0 }
    }
}

impl Limiter {
    /// A limiter at unity gain.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the gain is 1.0: no peak is being recovered from.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.gain >= 1.0
    }

    /// Writes the limited `sum` to `out`; as many samples as both have.
    pub fn process(&mut self, sum: &[i32], out: &mut [i16]) {
        let length = sum.len().min(out.len());
        let (sum, out) = (&sum[..length], &mut out[..length]);
        if self.gain >= 1.0 && peak(sum) <= CEILING {
            for (out, sample) in out.iter_mut().zip(sum) {
                *out = *sample as i16;
            }
            return;
        }
        let step = length.div_ceil(STEPS).max(1);
        let allowed = |part: &[i32]| (CEILING / peak(part).max(CEILING)).min(1.0);
        for (at, part) in sum.chunks(step).enumerate() {
            let here = allowed(part);
            let next = sum.chunks(step).nth(at + 1).map_or(1.0, allowed);
            // Down in time for the next step's peaks; up no faster than the release.
            let end = here.min(next).min(self.gain + RELEASE);
            let slope = (end - self.gain) / part.len() as f32;
            for (i, &sample) in part.iter().enumerate() {
                let value = sample as f32 * (self.gain + slope * i as f32);
                // Only the first step of a block can meet a peak unprepared.
                out[at * step + i] = value.clamp(-CEILING, CEILING) as i16;
            }
            self.gain = end;
        }
    }
}

/// The largest deviation from silence.
fn peak(samples: &[i32]) -> f32 {
    let (least, most) = samples.iter().fold((0, 0), |(least, most): (i32, i32), &sample| (least.min(sample), most.max(sample)));
    most.unsigned_abs().max(least.unsigned_abs()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::units::Hz;
    use crate::dsp::tone::Sine;

    #[test]
    fn a_quiet_sum_passes_untouched() {
        let sum: Vec<i32> = (-480..480).map(|i| i * 60).collect();
        let mut out = vec![0; 960];
        Limiter::new().process(&sum, &mut out);
        assert!(sum.iter().zip(&out).all(|(&a, &b)| a == i32::from(b)));
    }

    #[test]
    fn five_full_voices_never_clip_and_stay_a_sine() {
        let mut sine = Sine::new(Hz::FULL, 997.0, 150_000.0);
        let mut limiter = Limiter::new();
        let mut out = vec![0; 960];
        for block in 0..50 {
            let sum: Vec<i32> = (0..960).map(|_| sine.sample() as i32).collect();
            limiter.process(&sum, &mut out);
            if block > 0 {
                let power = crate::dsp::tone::windowed_power(&out, Hz::FULL, 997.0);
                let (level, whole) = (10.0 * power.log10(), f64::from(crate::dsp::level::dbov(&out)));
                assert!((level - whole).abs() < 0.1, "{level} {whole}");
            }
        }
    }

    #[test]
    fn the_gain_comes_back_after_a_shout() {
        let mut limiter = Limiter::new();
        let mut out = vec![0; 160];
        limiter.process(&[200_000; 160], &mut out);
        assert!(out.iter().all(|&sample| sample <= 32_000));
        for _ in 0..20 {
            limiter.process(&[1000; 160], &mut out);
        }
        assert_eq!(out[159], 1000);
        limiter.process(&[i32::MIN, i32::MAX], &mut out[..2]);
        limiter.process(&[], &mut []);
    }
}
