//! Tones: a sine that keeps its phase, a beep without clicks, and the power of one frequency.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::common::units::Hz;

/// A sine whose phase goes on from call to call.
#[derive(Clone, Debug)]
pub struct Sine {
    phase: f64,
    step: f64,
    amplitude: f64,
}

impl Sine {
    /// A sine of `freq` hertz and `amplitude` (0 to 32767), beginning at zero.
    #[must_use]
    pub fn new(rate: Hz, freq: f32, amplitude: f32) -> Self {
        Self { phase: 0.0, step: TAU * f64::from(freq) / f64::from(rate.0.max(1)), amplitude: amplitude.into() }
    }

    /// The next sample.
    pub fn sample(&mut self) -> f32 {
        let value = self.phase.sin() * self.amplitude;
        self.phase = (self.phase + self.step) % TAU;
        value as f32
    }

    /// Replaces `out` by the next samples.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = self.sample().round() as i16;
        }
    }

    /// Adds the next samples to `out`, saturating.
    pub fn add(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = sample.saturating_add(self.sample().round() as i16);
        }
    }
}

/// A tone of `length` with 5 ms slopes, so that neither end clicks (N-5: 1400 Hz, 0.5 s).
#[must_use]
pub fn beep(rate: Hz, freq: f32, amplitude: f32, length: Duration) -> Vec<i16> {
    let mut samples = vec![0; rate.samples(length)];
    Sine::new(rate, freq, amplitude).fill(&mut samples);
    let slope = rate.samples(Duration::from_millis(5)).min(samples.len() / 2);
    for i in 0..slope {
        let gain = i as f32 / slope as f32;
        let last = samples.len() - 1 - i;
        samples[i] = (f32::from(samples[i]) * gain) as i16;
        samples[last] = (f32::from(samples[last]) * gain) as i16;
    }
    samples
}

/// The mean square of the part of `samples` that is a tone of `freq` (Goertzel), 1.0 being full scale squared.
/// Exact for a whole number of periods.
#[must_use]
pub fn power(samples: &[i16], rate: Hz, freq: f32) -> f64 {
    goertzel(samples.iter().map(|&sample| f64::from(sample)), rate, freq) / (samples.len().max(1) as f64).powi(2)
}

/// As [`power`], through a Hann window: slower, but blind to loud tones elsewhere and to cut-off periods.
#[must_use]
pub fn windowed_power(samples: &[i16], rate: Hz, freq: f32) -> f64 {
    let turn = TAU / samples.len().max(1) as f64;
    let windowed = samples.iter().enumerate().map(|(i, &sample)| f64::from(sample) * (1.0 - (turn * i as f64).cos()) / 2.0);
    // The window's mean is one half.
    goertzel(windowed, rate, freq) / (samples.len().max(1) as f64 / 2.0).powi(2)
}

/// Half the squared magnitude of twice the transform at `freq`, on a scale where full scale is 1.
fn goertzel(samples: impl Iterator<Item = f64>, rate: Hz, freq: f32) -> f64 {
    let coefficient = 2.0 * (TAU * f64::from(freq) / f64::from(rate.0.max(1))).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for sample in samples {
        let next = sample + coefficient * one - two;
        two = one;
        one = next;
    }
    2.0 * (one * one + two * two - coefficient * one * two) / (32_768.0 * 32_768.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_goes_on_where_it_was() {
        let mut whole = vec![0; 320];
        Sine::new(Hz::WIDE, 441.0, 12_000.0).fill(&mut whole);
        let mut parts = vec![0; 320];
        let mut sine = Sine::new(Hz::WIDE, 441.0, 12_000.0);
        parts.chunks_mut(7).for_each(|part| sine.fill(part));
        assert_eq!(whole, parts);
    }

    #[test]
    fn a_beep_begins_and_ends_softly_and_has_its_power() {
        let samples = beep(Hz::NARROW, 1400.0, 10_000.0, Duration::from_millis(500));
        assert_eq!(samples.len(), 4000);
        assert!(samples[..4].iter().chain(&samples[3996..]).all(|sample| sample.abs() < 1000));
        let level = 10.0 * power(&samples, Hz::NARROW, 1400.0).log10();
        assert!((level + 13.4).abs() < 0.3, "{level}");
        assert!(power(&samples, Hz::NARROW, 1000.0) < 1e-6);
        assert!(beep(Hz::NARROW, 1400.0, 10_000.0, Duration::ZERO).is_empty());
    }
}
