//! [`Gain`]: loudness that changes in a ramp, so that ducking and gates do not click.

use std::time::Duration;

use crate::common::units::Hz;

/// A gain on its way from one value to another.
#[derive(Clone, Debug)]
pub struct Gain {
    current: f32,
    target: f32,
    /// Seconds left until the target is reached.
    left: f32,
}

impl Gain {
    /// A gain at rest; 1.0 passes sound untouched, 0.0 is silence.
    #[must_use]
    pub fn new(gain: f32) -> Self {
        Self { current: gain, target: gain, left: 0.0 }
    }

    /// Goes to `target` within `ramp` (5 to 10 ms for a gate, 100 ms and more for ducking). The same target again does not
    /// restart the ramp.
    pub fn set(&mut self, target: f32, ramp: Duration) {
        if target.to_bits() != self.target.to_bits() {
            self.target = target;
            self.left = ramp.as_secs_f32();
            if self.left <= 0.0 {
                self.current = target;
            }
        }
    }

    /// Where it is going.
    #[must_use]
    pub fn target(&self) -> f32 {
        self.target
    }

    /// Whether it mutes everything now.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.left <= 0.0 && self.target == 0.0
    }

    /// Whether everything passes through it untouched now.
    #[must_use]
    pub fn is_unity(&self) -> bool {
        self.left <= 0.0 && self.target == 1.0
    }

    /// Applies the gain to the next `samples`, saturating.
    pub fn apply(&mut self, samples: &mut [i16], rate: Hz) {
        let mut rest = samples.iter_mut();
        while self.left > 0.0 {
            let Some(sample) = rest.next() else { return };
            *sample = (f32::from(*sample) * self.step(rate)) as i16;
        }
        self.current = self.target;
        if self.current != 1.0 {
            rest.for_each(|sample| *sample = (f32::from(*sample) * self.current) as i16);
        }
    }

    /// Writes the next `samples` with the gain applied to `out`, wide enough for a gain above 1.0; as many as both have.
    pub fn amplify(&mut self, samples: &[i16], out: &mut [i32], rate: Hz) {
        let mut rest = samples.iter().zip(out);
        while self.left > 0.0 {
            let Some((sample, out)) = rest.next() else { return };
            *out = (f32::from(*sample) * self.step(rate)) as i32;
        }
        self.current = self.target;
        rest.for_each(|(sample, out)| *out = (f32::from(*sample) * self.current) as i32);
    }

    /// One sample further on the ramp; the gain there.
    fn step(&mut self, rate: Hz) -> f32 {
        let sample_time = 1.0 / rate.0.max(1) as f32;
        let steps = (self.left / sample_time).max(1.0);
        self.current += (self.target - self.current) / steps;
        self.left -= sample_time;
        self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_opens_and_shuts_without_a_step() {
        let mut gain = Gain::new(0.0);
        let mut samples = [10_000i16; 160];
        gain.apply(&mut samples, Hz::NARROW);
        assert!(gain.is_silent() && samples.iter().all(|&sample| sample == 0));
        gain.set(1.0, Duration::from_millis(10));
        let mut samples = [10_000i16; 160];
        gain.apply(&mut samples, Hz::NARROW);
        assert!(samples.windows(2).all(|pair| (0..=130).contains(&(pair[1] - pair[0]))), "{samples:?}");
        assert_eq!((samples[159], samples[82]), (10_000, 10_000));
        assert!(samples[40] > 4_000 && samples[40] < 6_000);
        gain.set(0.0, Duration::ZERO);
        assert!(gain.is_silent());
    }

    #[test]
    fn a_ramp_spans_frames_and_can_turn_round() {
        let mut gain = Gain::new(1.0);
        gain.set(0.2, Duration::from_millis(30));
        let mut heard = Vec::new();
        for frame in 0..4 {
            if frame == 1 {
                gain.set(1.0, Duration::from_millis(30));
            }
            let mut samples = [10_000i16; 160];
            gain.apply(&mut samples, Hz::NARROW);
            heard.extend(samples);
        }
        assert!(heard.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 60));
        assert_eq!(heard.last(), Some(&10_000));
    }
}
