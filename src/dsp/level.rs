//! Levels in dBov.

/// What silence measures, in dBov (RFC 6464 §3).
pub const SILENCE: f32 = -127.0;

/// The level of `samples` in dBov: 0 is a full-scale square wave, -127 silence.
#[must_use]
pub fn dbov(samples: &[i16]) -> f32 {
    let squares: u64 = samples.iter().map(|&sample| u64::from(i32::from(sample).pow(2).unsigned_abs())).sum();
    decibels(squares as f64 / (samples.len().max(1) as f64 * 32_768.0 * 32_768.0))
}

/// A mean square (1.0 is full scale) in dBov.
pub(crate) fn decibels(mean_square: f64) -> f32 {
    if mean_square > 0.0 { (10.0 * mean_square.log10()).max(SILENCE.into()) as f32 } else { SILENCE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::units::Hz;
    use crate::dsp::tone::Sine;

    fn hum(amplitude: f32) -> Vec<i16> {
        let mut samples = vec![0; 160];
        Sine::new(Hz::NARROW, 300.0, amplitude).fill(&mut samples);
        samples
    }

    #[test]
    fn levels_are_counted_from_the_overload_point() {
        assert_eq!(dbov(&[i16::MIN; 100]), 0.0);
        assert_eq!(dbov(&[0; 100]), -127.0);
        assert_eq!(dbov(&[]), -127.0);
        assert!((dbov(&hum(32_767.0)) + 3.0).abs() < 0.2);
    }
}
