//! How loud, and whether somebody speaks.

use std::time::Duration;

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

/// Nothing quieter than this is speech, however quiet the room.
const QUIETEST_SPEECH: f32 = -52.0;
/// Speech stands out from the noise by this much.
const ABOVE_NOISE: f32 = 9.0;
/// A steady sound is taken for noise up to this level only: a loud hum is a signal.
const LOUDEST_NOISE: f32 = -42.0;
/// How fast the noise floor may rise, in dB a second; slow enough that a long sentence does not become noise.
const NOISE_RISE: f32 = 3.0;
/// Speech ends when it has been quiet this long: a pause between syllables is no end.
const HANGOVER: Duration = Duration::from_millis(300);
/// One click is no speech: this long above the threshold is.
const ONSET: Duration = Duration::from_millis(40);

/// Says whether a stream is speech just now, by level against an adaptive noise floor.
#[derive(Clone, Debug)]
pub struct SpeakingDetector {
    floor: f32,
    loud_for: Duration,
    quiet_for: Duration,
    speaking: bool,
}

impl Default for SpeakingDetector {
    fn default() -> Self {
        Self { floor: -70.0, loud_for: Duration::ZERO, quiet_for: Duration::ZERO, speaking: false }
    }
}

impl SpeakingDetector {
    /// A detector without history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether it is speech now.
    #[must_use]
    pub fn speaking(&self) -> bool {
        self.speaking
    }

    /// Takes the next frame and says whether it belongs to speech. `length` is how long the frame lasts.
    pub fn hear(&mut self, samples: &[i16], length: Duration) -> bool {
        self.hear_level(dbov(samples), length)
    }

    /// The same, for a frame whose level in dBov is known.
    pub fn hear_level(&mut self, level: f32, length: Duration) -> bool {
        let loud = level > (self.floor + ABOVE_NOISE).max(QUIETEST_SPEECH);
        if level < self.floor {
            self.floor += (level - self.floor) * 0.3;
        } else {
            self.floor = (self.floor + NOISE_RISE * length.as_secs_f32()).min(level);
        }
        self.floor = self.floor.clamp(-90.0, LOUDEST_NOISE);
        if loud {
            self.loud_for += length;
            self.quiet_for = Duration::ZERO;
            self.speaking |= self.loud_for >= ONSET;
        } else {
            self.loud_for = Duration::ZERO;
            self.quiet_for += length;
            self.speaking &= self.quiet_for < HANGOVER;
        }
        self.speaking
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::units::Hz;
    use crate::dsp::tone::Sine;

    const FRAME: Duration = Duration::from_millis(20);

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

    /// Speech begins within 40 ms and lasts through a pause of 280 ms.
    #[test]
    fn speech_begins_within_40_ms_and_lasts_through_a_pause_of_280() {
        let mut detector = SpeakingDetector::new();
        for _ in 0..100 {
            assert!(!detector.hear(&hum(20.0), FRAME));
        }
        assert!(!detector.hear(&hum(3000.0), FRAME));
        assert!(detector.hear(&hum(3000.0), FRAME));
        for _ in 0..14 {
            assert!(detector.hear(&hum(20.0), FRAME));
        }
        assert!(!detector.hear(&hum(20.0), FRAME));
    }

    #[test]
    fn a_click_is_no_speech_and_a_fan_becomes_noise() {
        let mut detector = SpeakingDetector::new();
        assert!(!detector.hear(&hum(20_000.0), FRAME));
        assert!(!detector.hear(&hum(0.0), FRAME));
        let fan = (0..1500).map(|_| detector.hear(&hum(150.0), FRAME)).last();
        assert_eq!(fan, Some(false));
        assert!(!detector.hear(&hum(2000.0), FRAME));
        assert!(detector.hear(&hum(2000.0), FRAME));
    }

    #[test]
    fn a_loud_hum_is_heard_for_ever() {
        let mut detector = SpeakingDetector::new();
        detector.hear(&hum(3000.0), FRAME);
        assert!((0..3000).all(|_| detector.hear(&hum(3000.0), FRAME)));
    }
}
