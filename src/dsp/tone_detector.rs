//! A detector of tones: which participants are in a mix, when each of them hums its own frequency.

use crate::common::units::Hz;
use crate::dsp::tone;

/// The level of each of `freqs` in `samples`, in dBov (0 is a full-scale square wave, a full-scale sine is -3),
/// on the scale of [`crate::dsp::level::dbov`]. -127 for silence. Two tones are distinguished when they differ by
/// more than four times the reciprocal of the time listened to.
#[must_use]
pub fn heard(samples: &[i16], rate: Hz, freqs: &[f32]) -> Vec<f32> {
    freqs.iter().map(|&freq| crate::dsp::level::decibels(tone::windowed_power(samples, rate, freq))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::Sine;

    #[test]
    fn an_ear_tells_who_hums() {
        let mut samples = vec![0i16; 8000];
        Sine::new(Hz::NARROW, 440.0, 8_000.0).add(&mut samples);
        Sine::new(Hz::NARROW, 613.0, 800.0).add(&mut samples);
        let levels = heard(&samples, Hz::NARROW, &[440.0, 613.0, 530.0]);
        assert!((levels[0] + 15.26).abs() < 0.1, "{levels:?}");
        assert!((levels[1] + 35.26).abs() < 0.2, "{levels:?}");
        assert!(levels[2] < -80.0, "{levels:?}");
        assert_eq!(heard(&[], Hz::NARROW, &[440.0]), [-127.0]);
    }
}
