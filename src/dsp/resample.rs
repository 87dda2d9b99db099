//! [`Resampler`]: a streaming polyphase FIR between any two rates.
//!
//! The filter is a Kaiser-windowed sinc, 24 samples of the *lower* rate long: flat to 0.85 of the lower Nyquist frequency,
//! 60 dB down from 1.18 of it on; what lies between folds back only into the band above 0.85. Its delay is 12 samples of the
//! lower rate: 1.5 ms where 8 kHz is involved, 0.75 ms between 16 and 48 kHz.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::common::units::Hz;

/// Half the filter's length in samples of the lower rate.
const HALF: usize = 12;
/// The Kaiser window's shape for 61 dB (0.1102 (A - 8.7)).
const BETA: f64 = 5.8;

/// A stream of samples changed from one rate to another.
pub struct Resampler {
    /// Phases of the prototype, each `taps` long and turned round: oldest sample first, as the history lies.
    phases: Arc<[f32]>,
    taps: usize,
    /// Rates divided by their common divisor: `up` phases, `down` phase steps an output sample.
    up: usize,
    down: usize,
    /// The `taps - 1` input samples before the next one, oldest first; new input is appended while it is worked on.
    history: Vec<f32>,
    /// Where the next output lies, in phase steps after the next input sample.
    position: usize,
    delay: std::time::Duration,
}

impl Resampler {
    /// A resampler at rest. Equal rates pass samples through untouched. A rate of 0 is taken as 1 Hz.
    #[must_use]
    pub fn new(from: Hz, to: Hz) -> Self {
        let (from, to) = (from.0.max(1), to.0.max(1));
        let divisor = greatest_common_divisor(from, to);
        let (up, down) = ((to / divisor) as usize, (from / divisor) as usize);
        if up == down {
            let delay = std::time::Duration::ZERO;
            return Self { phases: Arc::default(), taps: 0, up, down, history: Vec::new(), position: 0, delay };
        }
        // Going down, the filter is as much longer in input samples as the rates differ.
        let half = if down > up { HALF * down / up } else { HALF };
        let taps = 2 * half;
        let phases = filter(up, down, half);
        let delay = Hz(from).duration(half);
        Self { phases, taps, up, down, history: vec![0.0; taps - 1], position: 0, delay }
    }

    /// How much later a sound comes out than it went in.
    #[must_use]
    pub fn delay(&self) -> std::time::Duration {
        self.delay
    }

    /// Appends what `input` gives at the other rate. Over time exactly `input.len() * to / from` samples come out;
    /// for whole multiples of that ratio, already in this call.
    pub fn process(&mut self, input: &[i16], out: &mut Vec<i16>) {
        if self.taps == 0 {
            out.extend_from_slice(input);
            return;
        }
        self.history.extend(input.iter().map(|&sample| f32::from(sample)));
        out.reserve(input.len() * self.up / self.down + 1);
        while self.position < input.len() * self.up {
            let (at, phase) = (self.position / self.up, self.position % self.up);
            let filter = &self.phases[phase * self.taps..][..self.taps];
            let window = &self.history[at..][..self.taps];
            out.push(nearest(dot(filter, window)));
            self.position += self.down;
        }
        self.position -= input.len() * self.up;
        let surplus = self.history.len() - (self.taps - 1);
        self.history.drain(..surplus);
    }
}

/// The phases of a filter, by its steps up and down: designed once for all resamplers of two rates, because that is a good part of what the
/// set-up of a call costs. There are as many as the codecs, and the sounds that are configured, have rates.
fn filter(up: usize, down: usize, half: usize) -> Arc<[f32]> {
    type Designed = BTreeMap<(usize, usize), Arc<[f32]>>;
    static DESIGNED: Mutex<Designed> = Mutex::new(Designed::new());
    let mut designed = DESIGNED.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(designed.entry((up, down)).or_insert_with(|| design(up, down, half).into()))
}

fn design(up: usize, down: usize, half: usize) -> Vec<f32> {
    let taps = 2 * half;
    let cutoff = up.min(down) as f64 / down as f64;
    let mut phases = Vec::with_capacity(up * taps);
    for phase in 0..up {
        let centre = phase as f64 / up as f64 - half as f64;
        let values: Vec<f64> =
            (0..taps).map(|tap| tap as f64 + centre).map(|at| sinc(at * cutoff) * kaiser(at / half as f64)).collect();
        // Each phase sums to one, or a constant would come out with a ripple at the rate of the phases.
        let sum: f64 = values.iter().sum();
        phases.extend(values.iter().rev().map(|value| (value / sum) as f32));
    }
    phases
}

/// Σ a[i] · b[i], in eight sums so that the compiler can use vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The nearest sample, saturating. Not by `round`, which is a call into the C library for every sample.
fn nearest(value: f32) -> i16 {
    (value + 0.5_f32.copysign(value)) as i16
}

/// A resampler where the rates differ.
#[must_use]
pub fn between(from: Hz, to: Hz) -> Option<Resampler> {
    (from != to).then(|| Resampler::new(from, to))
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) }
}

fn kaiser(x: f64) -> f64 {
    if x.abs() >= 1.0 { 0.0 } else { bessel(BETA * (1.0 - x * x).sqrt()) / bessel(BETA) }
}

/// The modified Bessel function of the first kind, order 0, by its series.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        let factor = x / (2.0 * f64::from(k));
        term *= factor * factor;
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::Sine;
    use crate::dsp::tone_detector;

    const RATES: [u32; 6] = [8_000, 16_000, 48_000, 22_050, 24_000, 44_100];

    fn through(from: u32, to: u32, freq: f32) -> Vec<i16> {
        let mut input = vec![0i16; from as usize / 2];
        Sine::new(Hz(from), freq, 10_000.0).fill(&mut input);
        let mut resampler = Resampler::new(Hz(from), Hz(to));
        let mut out = Vec::new();
        for part in input.chunks(from as usize / 50) {
            resampler.process(part, &mut out);
        }
        out.drain(..to as usize / 50);
        out
    }

    #[test]
    fn a_passband_tone_keeps_its_level_between_all_rates() {
        for from in RATES {
            for to in RATES {
                let lower = from.min(to) as f32;
                for freq in [300.0, 1011.0, 0.85 * lower / 2.0] {
                    let out = through(from, to, freq);
                    let level = tone_detector::heard(&out, Hz(to), &[freq])[0];
                    let sent = 20.0 * (10_000.0f32 / 32_768.0 / 2f32.sqrt()).log10();
                    assert!((level - sent).abs() < 0.3, "{from} to {to}, {freq} Hz: {level} against {sent}");
                }
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_60_db_down() {
        for (from, to) in [(16_000, 8_000), (48_000, 8_000), (48_000, 16_000), (44_100, 16_000), (22_050, 8_000)] {
            for ratio in [1.18, 1.3, 1.7, 1.9] {
                let freq = ratio * to as f32 / 2.0;
                if freq < from as f32 / 2.0 {
                    let level = crate::dsp::level::dbov(&through(from, to, freq));
                    assert!(level < -13.3 - 60.0, "{from} to {to}, {freq} Hz: {level} dBov");
                }
            }
        }
    }

    #[test]
    fn images_are_60_db_down_when_the_rate_goes_up() {
        for (from, to) in [(8_000, 16_000), (8_000, 48_000), (16_000, 48_000)] {
            let freq = 0.4 * from as f32;
            let out = through(from, to, freq);
            let image = tone_detector::heard(&out, Hz(to), &[from as f32 - freq])[0];
            assert!(image < -13.3 - 60.0, "{from} to {to}: {image}");
        }
    }

    /// Twenty milliseconds in are twenty milliseconds out from the first call.
    #[test]
    fn twenty_milliseconds_in_are_twenty_milliseconds() {
        for from in [8_000u32, 16_000, 48_000] {
            for to in [8_000u32, 16_000, 48_000] {
                let mut resampler = Resampler::new(Hz(from), Hz(to));
                assert!(resampler.delay() <= std::time::Duration::from_micros(1500));
                for _ in 0..5 {
                    let mut out = Vec::new();
                    resampler.process(&vec![100; from as usize / 50], &mut out);
                    assert_eq!(out.len(), to as usize / 50);
                }
            }
        }
    }

    #[test]
    fn the_delay_is_what_is_said() {
        let mut resampler = Resampler::new(Hz(8_000), Hz(48_000));
        let mut pulse = vec![0i16; 160];
        pulse[0] = 20_000;
        let mut out = Vec::new();
        resampler.process(&pulse, &mut out);
        let peak = out.iter().enumerate().max_by_key(|(_, sample)| **sample).unwrap().0;
        assert_eq!(peak, Hz(48_000).samples(resampler.delay()));
    }

    #[test]
    fn pieces_of_any_length_give_the_same_stream() {
        let mut input = vec![0i16; 4410];
        Sine::new(Hz(44_100), 997.0, 9_000.0).fill(&mut input);
        let mut whole = Vec::new();
        Resampler::new(Hz(44_100), Hz(16_000)).process(&input, &mut whole);
        let (mut pieces, mut resampler) = (Vec::new(), Resampler::new(Hz(44_100), Hz(16_000)));
        for part in input.chunks(37) {
            resampler.process(part, &mut pieces);
        }
        assert_eq!(whole, pieces);
        assert_eq!(whole.len(), 1600);
    }
}
