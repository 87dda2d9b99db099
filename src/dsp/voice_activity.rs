//! [`VoiceActivityDetector`]: speech against an adaptive noise floor.
//!
//! Levels are compared in the speech band: rumble and mains hum below 300 Hz move by several decibels from frame to frame, so that a margin
//! above them would be either too wide for a soft onset or too narrow for the noise.

use std::time::Duration;

use super::frame::Frame;
use super::level::{SILENCE, decibels};
use crate::common::units::Hz;

/// How long a frame lasts.
const FRAME: Duration = Duration::from_millis(20);

/// Speech stands out from the noise floor by this many decibels. Noise of a room never did in five minutes (white, pink, brown); the first
/// 20 ms of a soft onset do.
const ACTIVE_ABOVE_FLOOR: f32 = 6.0;
/// A frame above this level, in dBov, is active whatever it is: music on hold and tones are to be audible.
const ALWAYS_ACTIVE: f32 = -42.0;
/// A frame up to this level, in dBov, is not active: below the background noise of a room, above the idle noise of every codec.
const NEVER_ACTIVE: f32 = -65.0;
/// Activity lasts for this long after the last active frame, over the soft end of a word and the pause before the next one.
const HANGOVER: Duration = Duration::from_millis(500);

/// Nobody is reported as speaking for a sound up to this level, in dBov, however quiet the room.
const QUIETEST_SPEECH: f32 = -52.0;
/// A speaker who is reported stands out from the noise floor by this many decibels.
const SPEAKING_ABOVE_FLOOR: f32 = 9.0;
/// A speaker is reported after this long above the threshold: a click is no speech.
const ONSET: Duration = Duration::from_millis(40);
/// A speaker is reported until this long after the last frame above the threshold.
const SPEAKING_HANGOVER: Duration = Duration::from_millis(300);

/// The floor where nothing has been measured, and its bounds, in dBov. A steady sound above the upper bound is a signal and no noise.
const FIRST_FLOOR: f32 = -70.0;
const LEAST_FLOOR: f32 = -90.0;
const GREATEST_FLOOR: f32 = -42.0;
/// Part of the way down to a lower level that the floor goes in a frame.
const FLOOR_FALL: f32 = 0.1;
/// Rise of the floor under a steady sound and under one that may be speech, in dB a second: a fan is known within a second or two, and a long
/// sentence does not become noise.
const STEADY_RISE: f32 = 10.0;
const MODULATED_RISE: f32 = 1.0;
/// Mean step between the levels of neighbouring frames, in dB, that speech exceeds (3 to 6 while somebody speaks) and steady sounds do not
/// reach (a tone 0, noise of a room 0.4 to 1).
const SPEECH_MODULATION: f32 = 1.5;
/// A larger step counts as this one, in dB.
const GREATEST_STEP: f32 = 10.0;
/// Weight of a frame in the mean step: a time constant of 400 ms.
const STEP_WEIGHT: f32 = 0.05;
/// A level up to this one, in dBov, is digital silence (a muted microphone, a gap): it says nothing of the room.
const DIGITAL_SILENCE: f32 = -85.0;

/// Says of each frame of a stream whether it belongs to speech.
#[derive(Clone, Debug)]
pub struct VoiceActivityDetector {
    band: SpeechBand,
    /// Noise floor in the speech band, in dBov.
    floor: f32,
    /// Mean step between the levels of neighbouring frames, in dB.
    modulation: f32,
    /// Level of the frame before in the speech band, unless it was digital silence.
    previous: Option<f32>,
    voiced: bool,
    quiet_for: Duration,
    loud_for: Duration,
    not_loud_for: Duration,
    speaking: bool,
}

impl Default for VoiceActivityDetector {
    fn default() -> Self {
        Self {
            band: SpeechBand::default(),
            floor: FIRST_FLOOR,
            modulation: 2.0 * SPEECH_MODULATION,
            previous: None,
            voiced: false,
            quiet_for: HANGOVER,
            loud_for: Duration::ZERO,
            not_loud_for: Duration::ZERO,
            speaking: false,
        }
    }
}

impl VoiceActivityDetector {
    /// A detector without history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next 20 ms, whose level in dBov is known.
    pub fn process(&mut self, frame: &Frame, level: f32) {
        let band = if level > DIGITAL_SILENCE { self.band.level(frame) } else { self.band.skip() };
        let above = band - self.floor;
        self.voiced = level > ALWAYS_ACTIVE || (level > NEVER_ACTIVE && above > ACTIVE_ABOVE_FLOOR);
        self.quiet_for = if self.voiced { Duration::ZERO } else { self.quiet_for.saturating_add(FRAME) };
        self.report(level > QUIETEST_SPEECH && above > SPEAKING_ABOVE_FLOOR);
        self.adapt(band, level);
    }

    /// Follows the noise of the room.
    fn adapt(&mut self, band: f32, level: f32) {
        if level <= DIGITAL_SILENCE {
            self.previous = None;
            return;
        }
        if let Some(previous) = self.previous.replace(band) {
            let step = (band - previous).abs().min(GREATEST_STEP);
            self.modulation += STEP_WEIGHT * (step - self.modulation);
        }
        if band < self.floor {
            self.floor += FLOOR_FALL * (band - self.floor);
        } else {
            let rise = if self.is_modulated() { MODULATED_RISE } else { STEADY_RISE };
            self.floor = (self.floor + rise * FRAME.as_secs_f32()).min(band);
        }
        self.floor = self.floor.clamp(LEAST_FLOOR, GREATEST_FLOOR);
    }

    fn report(&mut self, loud: bool) {
        if loud {
            self.loud_for += FRAME;
            self.not_loud_for = Duration::ZERO;
            self.speaking |= self.loud_for >= ONSET;
        } else {
            self.loud_for = Duration::ZERO;
            self.not_loud_for = self.not_loud_for.saturating_add(FRAME);
            self.speaking &= self.not_loud_for < SPEAKING_HANGOVER;
        }
    }

    /// The last frame stands out from the noise.
    #[must_use]
    pub const fn is_voiced(&self) -> bool {
        self.voiced
    }

    /// The last frame stands out, or one within the hangover (500 ms) did.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.quiet_for < HANGOVER
    }

    /// The sound is as uneven as speech is: no tone, hum or steady noise.
    #[must_use]
    pub fn is_modulated(&self) -> bool {
        self.modulation > SPEECH_MODULATION
    }

    /// Somebody speaks, as it is reported to people: surer than [`VoiceActivityDetector::is_active`], and 20 ms later.
    #[must_use]
    pub const fn is_speaking(&self) -> bool {
        self.speaking
    }
}

/// Blocks in 2 ms at 16 kHz and above.
const WINDOW: usize = 32;
/// Blocks of a frame: 20 ms at 16 kHz.
const BLOCKS: usize = 320;

/// Measures the level above about 300 Hz (6 dB down there, 24 at 100 Hz): a sample less the mean of the 2 ms around it. Where the rate is
/// above 16 kHz, a block of samples counts as one.
#[derive(Clone, Debug)]
struct SpeechBand {
    /// Sums of the last blocks, oldest first, before those of the next frame.
    sums: [i32; WINDOW + BLOCKS],
}

impl Default for SpeechBand {
    fn default() -> Self {
        Self { sums: [0; WINDOW + BLOCKS] }
    }
}

impl SpeechBand {
    /// The level of the next frame in dBov.
    fn level(&mut self, frame: &Frame) -> f32 {
        let samples = frame.samples();
        let size = (frame.rate().0 / Hz::WIDE.0).max(1) as usize;
        let (window, blocks) = if frame.rate() < Hz::WIDE { (WINDOW / 2, BLOCKS / 2) } else { (WINDOW, BLOCKS) };
        let Some(sums) = self.sums.get_mut(WINDOW - window..WINDOW + blocks) else { return SILENCE };
        for (sum, block) in sums.iter_mut().skip(window).zip(samples.chunks_exact(size)) {
            *sum = block.iter().map(|sample| i32::from(*sample)).sum();
        }
        let mut around: i32 = sums.iter().take(window).sum();
        let mut squares = 0_i64;
        let width = window as i32;
        for ((new, old), middle) in sums.iter().skip(window).zip(sums.iter()).zip(sums.iter().skip(window / 2)) {
            around += new - old;
            squares += i64::from(width * middle - around).pow(2);
        }
        self.sums.copy_within(blocks..blocks + WINDOW, 0);
        let full_scale = 32_768.0 * (window * size) as f64;
        decibels(squares as f64 / (blocks as f64 * full_scale * full_scale))
    }

    /// Passes over a frame of digital silence.
    fn skip(&mut self) -> f32 {
        self.sums.fill(0);
        SILENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;
    use crate::dsp::tone::Sine;

    fn hum(amplitude: f32) -> Frame {
        let mut frame = Frame::silence(Hz::NARROW);
        Sine::new(Hz::NARROW, 300.0, amplitude).fill(frame.samples_mut());
        frame
    }

    fn speaking(detector: &mut VoiceActivityDetector, frame: &Frame) -> bool {
        detector.process(frame, dbov(frame.samples()));
        detector.is_speaking()
    }

    /// Speech begins within 40 ms and lasts through a pause of 280 ms.
    #[test]
    fn speech_begins_within_40_ms_and_lasts_through_a_pause_of_280() {
        let mut detector = VoiceActivityDetector::new();
        for _ in 0..100 {
            assert!(!speaking(&mut detector, &hum(20.0)));
        }
        assert!(!speaking(&mut detector, &hum(3000.0)));
        assert!(detector.is_active(), "in the very frame");
        assert!(speaking(&mut detector, &hum(3000.0)));
        for _ in 0..14 {
            assert!(speaking(&mut detector, &hum(20.0)));
        }
        assert!(!speaking(&mut detector, &hum(20.0)));
        assert!(detector.is_active(), "for longer than it is reported");
    }

    #[test]
    fn a_click_is_no_speech_and_a_fan_becomes_noise() {
        let mut detector = VoiceActivityDetector::new();
        assert!(!speaking(&mut detector, &hum(20_000.0)));
        assert!(!speaking(&mut detector, &hum(0.0)));
        let fan = (0..150).map(|_| speaking(&mut detector, &hum(150.0))).last();
        assert_eq!(fan, Some(false));
        assert!(!detector.is_active());
        assert!(!speaking(&mut detector, &hum(2000.0)));
        assert!(speaking(&mut detector, &hum(2000.0)));
    }

    #[test]
    fn a_loud_hum_is_active_for_ever() {
        let mut detector = VoiceActivityDetector::new();
        speaking(&mut detector, &hum(3000.0));
        assert!((0..3000).all(|_| speaking(&mut detector, &hum(3000.0)) && detector.is_voiced()));
        assert!(!detector.is_modulated(), "and yet it is no speech whose level could be measured");
    }

    /// A rate that changes leaves the level what it was.
    #[test]
    fn the_level_in_the_speech_band_is_the_same_at_every_rate() {
        for (freq, loss) in [(1_000.0, 0.0), (500.0, 0.0), (300.0, 6.0), (100.0, 24.0)] {
            for rate in [Hz::NARROW, Hz::WIDE, Hz::FULL] {
                let (mut sine, mut band, mut level) = (Sine::new(rate, freq, 8_000.0), SpeechBand::default(), 0.0);
                for _ in 0..3 {
                    let mut frame = Frame::silence(rate);
                    sine.fill(frame.samples_mut());
                    level = band.level(&frame);
                }
                assert!((level - (-15.3 - loss)).abs() < 2.0, "{freq} Hz at {rate:?}: {level} dBov");
            }
        }
    }
}
