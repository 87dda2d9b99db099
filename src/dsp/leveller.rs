//! [`Leveller`]: speech of loud and quiet rooms brought towards one level.

use std::time::Duration;

use super::frame::Frame;
use super::gain::Gain;
use super::level::SILENCE;
use super::limiter::Limiter;
use super::voice_activity::VoiceActivityDetector;

/// Active speech levels, in dBov, between which nothing is changed.
const QUIETEST: f32 = -32.0;
const LOUDEST: f32 = -20.0;
/// The largest gain and the largest attenuation, in dB.
const MOST: f32 = 12.0;
/// How fast the gain changes while somebody speaks, in dB a second.
const SLEW: f32 = 2.0;
/// How long a frame lasts, in seconds.
const FRAME: f32 = 0.02;
/// Speech over which the level is measured, in seconds.
const WINDOW: f32 = 5.0;
/// Speech before the level is relied on, in seconds.
const AT_LEAST: f32 = 1.0;
/// A frame that is further below the active level, in dB, is a pause (ITU-T P.56 section 6.2).
const MARGIN: f32 = 15.9;
/// Ramp of a step of the gain, and of its return when somebody begins to speak.
const STEP_RAMP: Duration = Duration::from_millis(20);
/// Ramp down to 0 dB when nobody speaks.
const REST_RAMP: Duration = Duration::from_millis(500);
/// Samples of the longest frame.
const LONGEST: usize = 960;

/// The active speech level of a stream, after the manner of ITU-T P.56: the power of frames with speech alone, over a window that slides.
#[derive(Clone, Debug, Default)]
struct SpeechLevel {
    /// Mean square, 1.0 is full scale.
    power: f32,
    /// Speech measured, in seconds, up to the window.
    measured: f32,
}

/// The gain of one seat: 0 dB for speech between -32 and -20 dBov, otherwise towards the nearer of the two, at most 12 dB, at 2 dB a second.
/// What is amplified is limited. Where nobody speaks there is no amplification.
#[derive(Clone, Debug)]
pub struct Leveller {
    speech: SpeechLevel,
    /// What the gain is while somebody speaks, in dB.
    wanted: f32,
    gain: Gain,
    limiter: Limiter,
}

impl SpeechLevel {
    /// Counts a frame that may be speech, of this level in dBov.
    fn add(&mut self, level: f32) {
        if self.measured > 0.0 && level < self.dbov() - MARGIN {
            return;
        }
        self.measured = (self.measured + FRAME).min(WINDOW);
        self.power += (10_f32.powf(level / 10.0) - self.power) * FRAME / self.measured;
    }

    fn dbov(&self) -> f32 {
        if self.power > 0.0 { 10.0 * self.power.log10() } else { SILENCE }
    }

    /// The level, once enough speech was measured.
    fn reliable(&self) -> Option<f32> {
        (self.measured >= AT_LEAST).then(|| self.dbov())
    }
}

impl Default for Leveller {
    fn default() -> Self {
        Self { speech: SpeechLevel::default(), wanted: 0.0, gain: Gain::new(1.0), limiter: Limiter::new() }
    }
}

impl Leveller {
    /// A leveller at 0 dB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the level, in dBov, of the next frame, which `activity` has judged.
    pub fn measure(&mut self, level: f32, activity: &VoiceActivityDetector) {
        if activity.is_voiced() && activity.is_modulated() {
            self.speech.add(level);
            if let Some(level) = self.speech.reliable() {
                let target = (level.clamp(QUIETEST, LOUDEST) - level).clamp(-MOST, MOST);
                self.wanted += (target - self.wanted).clamp(-SLEW * FRAME, SLEW * FRAME);
            }
        }
        if self.wanted > 0.0 && !activity.is_active() {
            self.gain.set(1.0, REST_RAMP);
        } else {
            // At 0 dB this is exactly 1.0, which leaves every sample as it is.
            self.gain.set(10_f32.powf(self.wanted / 20.0), STEP_RAMP);
        }
    }

    /// The gain in dB while somebody speaks.
    #[must_use]
    pub const fn gain(&self) -> f32 {
        self.wanted
    }

    /// Applies the gain to the frame that was measured last.
    pub fn apply(&mut self, frame: &mut Frame) {
        if self.gain.is_unity() && self.limiter.is_at_rest() {
            return;
        }
        let rate = frame.rate();
        let samples = frame.samples_mut();
        let mut amplified = [0_i32; LONGEST];
        let Some(amplified) = amplified.get_mut(..samples.len()) else { return };
        self.gain.amplify(samples, amplified, rate);
        self.limiter.process(amplified, samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::units::Hz;
    use crate::dsp::level::dbov;
    use crate::dsp::noise::ComfortNoise;

    /// Noise as uneven as syllables, for so many frames, of this active level.
    fn speech(level: f32, frames: usize) -> Vec<Frame> {
        let mut noise = ComfortNoise::new(30);
        (0..frames)
            .map(|at| {
                let mut samples = Vec::new();
                noise.append(960, &mut samples);
                // Four syllables a second, 10 dB deep; every third second is a pause.
                let depth = if at % 150 >= 100 { -70.0 } else { 5.0 * (at as f32 * std::f32::consts::TAU / 12.5).sin() };
                let gain = 10_f32.powf((level + 30.0 + depth - 2.0) / 20.0);
                samples.iter_mut().for_each(|sample| *sample = (f32::from(*sample) * gain) as i16);
                Frame::from_samples(Hz::FULL, &samples)
            })
            .collect()
    }

    fn levelled(input: &[Frame]) -> (Leveller, Vec<Frame>) {
        let (mut activity, mut leveller) = (VoiceActivityDetector::new(), Leveller::new());
        let out = input
            .iter()
            .map(|frame| {
                let (mut frame, level) = (frame.clone(), dbov(frame.samples()));
                activity.process(&frame, level);
                leveller.measure(level, &activity);
                leveller.apply(&mut frame);
                frame
            })
            .collect();
        (leveller, out)
    }

    #[test]
    fn a5_speech_of_an_ordinary_level_passes_bit_by_bit() {
        for level in [-31.0, -26.0, -21.0] {
            let input = speech(level, 1_000);
            let (_, out) = levelled(&input);
            assert!(input.iter().zip(&out).all(|(a, b)| a.samples() == b.samples()), "{level} dBov");
        }
    }

    #[test]
    fn a5_loud_and_quiet_speech_comes_to_the_nearer_edge() {
        for (level, wanted) in [(-40.0, 8.0), (-50.0, 12.0), (-12.0, -8.0), (-36.0, 4.0)] {
            let (leveller, _) = levelled(&speech(level, 1_500));
            assert!((leveller.gain() - wanted).abs() < 1.0, "{level} dBov: {} dB", leveller.gain());
        }
    }

    /// The noise of a quiet talker's room is not amplified in the pauses.
    #[test]
    fn a5_noise_is_not_amplified_where_nobody_speaks() {
        let mut input = speech(-42.0, 1_000);
        let mut room = ComfortNoise::new(60);
        for _ in 0..100 {
            let mut samples = Vec::new();
            room.append(960, &mut samples);
            input.push(Frame::from_samples(Hz::FULL, &samples));
        }
        let (leveller, out) = levelled(&input);
        assert!(leveller.gain() > 6.0);
        let tail = input.len() - 40;
        assert!(input[tail..].iter().zip(&out[tail..]).all(|(a, b)| a.samples() == b.samples()));
    }

    /// A shout of a talker who was quiet is limited and not clipped.
    #[test]
    fn a5_a_shout_after_quiet_speech_is_limited() {
        let mut input = speech(-44.0, 1_000);
        input.extend(speech(-12.0, 50));
        let (_, out) = levelled(&input);
        let peak = out.iter().flat_map(|frame| frame.samples()).map(|sample| sample.saturating_abs()).max();
        assert!(peak.is_some_and(|peak| (16_000..=32_000).contains(&peak)), "{peak:?}");
    }

    /// A steady tone is no speech: its level stays.
    #[test]
    fn a5_a_steady_tone_is_not_levelled() {
        let mut sine = crate::dsp::tone::Sine::new(Hz::FULL, 440.0, 20_000.0);
        let input: Vec<Frame> = (0..500)
            .map(|_| {
                let mut frame = Frame::silence(Hz::FULL);
                sine.fill(frame.samples_mut());
                frame
            })
            .collect();
        let (_, out) = levelled(&input);
        assert!(input.iter().zip(&out).all(|(a, b)| a.samples() == b.samples()));
    }
}
