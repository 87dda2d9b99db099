//! Instruments: what a recording holds. Every participant of a scenario sends a tone of its own, and these say who hears whom,
//! how loud, and with what holes.
//!
//! Levels are in dBov: 0 is a square wave at full scale, so a sine at full scale is −3.01.
//! Tones lie 200 Hz apart from 611 Hz up: seen through windows of 10 ms each is then in the zeros of all the others; and no
//! packet length is a whole number of their periods, so a lost packet cannot go unnoticed (at 1000 Hz it would).

use std::f64::consts::TAU;
use std::path::Path;

/// What is heard where nothing is.
pub(crate) const SILENCE: f64 = -120.0;

/// What codecs leave beside a tone is below this, in dBov; the prompts lie at -25.
const CLEAR: f64 = -40.0;

/// A mono recording.
#[derive(Debug, Clone)]
pub(crate) struct Sound {
    /// Samples a second.
    pub(crate) rate: u32,
    /// −1 to 1.
    pub(crate) samples: Vec<f64>,
}

/// What [`Sound::tone`] found.
#[derive(Debug, Clone)]
pub(crate) struct Tone {
    /// Where the tone really is, in Hz (seen up to 40 Hz beside the place looked at).
    pub(crate) hertz: f64,
    /// Its level over the middle half of all windows, in dBov.
    pub(crate) level: f64,
    /// Holes longer than 20 ms: (start in s, length in ms).
    pub(crate) gaps: Vec<(f64, f64)>,
    /// Places where the phase jumps: audio was cut out or put in there without a hole.
    pub(crate) jumps: usize,
}

/// A stretch of time, in seconds from the recording's start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    /// First moment.
    pub(crate) start: f64,
    /// Last moment.
    pub(crate) end: f64,
}

impl Span {
    /// In seconds.
    pub(crate) fn length(self) -> f64 {
        self.end - self.start
    }
}

/// The level of an RMS value.
pub(crate) fn dbov(rms: f64) -> f64 {
    if rms > 1e-6 { 20.0 * rms.log10() } else { SILENCE }
}

fn rms(samples: &[f64]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    (samples.iter().map(|s| s * s).sum::<f64>() / samples.len() as f64).sqrt()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

impl Sound {
    /// A tone.
    pub(crate) fn sine(rate: u32, hertz: f64, level: f64, seconds: f64) -> Self {
        let peak = 10f64.powf(level / 20.0) * std::f64::consts::SQRT_2;
        let count = (f64::from(rate) * seconds) as usize;
        let samples = (0..count).map(|n| peak * (TAU * hertz * n as f64 / f64::from(rate)).sin()).collect();
        Self { rate, samples }
    }

    /// Reads a WAV of 16-bit PCM, also one that is still being written (hound refuses those: their header says length 0).
    /// Several channels become their mean.
    ///
    /// # Errors
    /// With a sentence, when it is none.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&bytes).ok_or_else(|| format!("{}: not a WAV of 16-bit PCM", path.display()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        if bytes.get(..4)? != b"RIFF" || bytes.get(8..12)? != b"WAVE" {
            return None;
        }
        let (mut at, mut rate, mut channels) = (12, 0, 0);
        loop {
            let (name, length) = (bytes.get(at..at + 4)?, word(at + 4)? as usize);
            let body = at + 8;
            if name == b"fmt " {
                (channels, rate) = (usize::from(half(body + 2)?), word(body + 4)?);
                if half(body + 14)? != 16 {
                    return None;
                }
            } else if name == b"data" {
                // A writer that has not finished says 0 or the largest number here.
                let end = if length == 0 { bytes.len() } else { bytes.len().min(body.saturating_add(length)) };
                let frames = bytes.get(body..end)?.chunks_exact(2 * channels.max(1));
                let value = |pair: &[u8]| pair.try_into().map_or(0.0, |pair| f64::from(i16::from_le_bytes(pair)) / 32768.0);
                let samples =
                    frames.map(|frame| frame.chunks_exact(2).map(value).sum::<f64>() / channels.max(1) as f64).collect();
                return Some(Self { rate, samples });
            }
            at = body + length + length % 2;
        }
    }

    /// Writes a WAV of 16-bit PCM.
    pub(crate) fn write(&self, path: &Path) {
        let spec =
            hound::WavSpec { channels: 1, sample_rate: self.rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut writer = hound::WavWriter::create(path, spec).expect("a WAV can be created");
        for sample in &self.samples {
            writer.write_sample((sample * 32767.0).round() as i16).expect("a WAV can be written");
        }
        writer.finalize().expect("a WAV can be finished");
    }

    /// In seconds.
    pub(crate) fn length(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate.max(1))
    }

    /// A piece of it, cut to what there is.
    pub(crate) fn part(&self, span: Span) -> Self {
        let index = |time: f64| ((time * f64::from(self.rate)).max(0.0) as usize).min(self.samples.len());
        let (start, end) = (index(span.start), index(span.end));
        Self { rate: self.rate, samples: self.samples[start..end.max(start)].to_vec() }
    }

    /// The last seconds of it.
    pub(crate) fn last(&self, seconds: f64) -> Self {
        self.part(Span { start: self.length() - seconds, end: self.length() })
    }

    /// From a moment on.
    pub(crate) fn since(&self, start: f64) -> Self {
        self.part(Span { start, end: self.length() })
    }

    /// Level of everything, in dBov.
    pub(crate) fn level(&self) -> f64 {
        dbov(rms(&self.samples))
    }

    /// This tone is there, and nothing else: no speech, no music. The first tenth of a second is that of the filter.
    pub(crate) fn is_clear(&self, hertz: f64) -> bool {
        self.tone(hertz).is_some() && self.without(&[hertz]).since(0.1).level() < CLEAR
    }

    fn windows(&self, milliseconds: f64) -> usize {
        (f64::from(self.rate) * milliseconds / 1000.0).round().max(1.0) as usize
    }

    /// Amplitude and phase at `hertz` through Hann windows of `window` samples, one every `hop` samples.
    fn demodulate(&self, hertz: f64, window: usize, hop: usize) -> Vec<(f64, f64)> {
        let shape: Vec<f64> = (0..window).map(|n| 1.0 - (TAU * n as f64 / window as f64).cos()).collect();
        let step = TAU * hertz / f64::from(self.rate);
        let mixed: Vec<(f64, f64)> =
            self.samples.iter().enumerate().map(|(n, s)| (s * (step * n as f64).cos(), -s * (step * n as f64).sin())).collect();
        mixed
            .windows(window)
            .step_by(hop)
            .map(|part| {
                let (re, im) = part.iter().zip(&shape).fold((0.0, 0.0), |(re, im), ((x, y), w)| (re + w * x, im + w * y));
                (2.0 * f64::hypot(re, im) / window as f64, im.atan2(re))
            })
            .collect()
    }

    /// Measures one participant's tone; `None` where there is none above −60 dBov for at least half of the time.
    pub(crate) fn tone(&self, hertz: f64) -> Option<Tone> {
        let (window, hop) = (self.windows(10.0), self.windows(2.0));
        let envelope: Vec<f64> = self.demodulate(hertz, window, hop).into_iter().map(|(amplitude, _)| amplitude).collect();
        let usual = median(envelope.clone());
        let level = dbov(usual / std::f64::consts::SQRT_2);
        if level < -60.0 {
            return None;
        }
        let hop_ms = 1000.0 * hop as f64 / f64::from(self.rate);
        let gaps = runs(&envelope.iter().map(|a| *a < 0.25 * usual).collect::<Vec<_>>())
            .into_iter()
            // A window counts as empty once a quarter or less of its weight is tone: 2.6 ms of a hole are eaten at its two ends.
            .map(|(from, to)| (from as f64 * hop_ms / 1000.0, (to - from) as f64 * hop_ms + 2.6))
            .filter(|(_, length)| *length > 20.0)
            .collect();
        let blocks = self.demodulate(hertz, window, window);
        let turn = |angle: f64| (angle + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0;
        let turns: Vec<f64> = blocks.windows(2).map(|pair| turn(pair[1].1 - pair[0].1)).collect();
        let drift = median(turns.clone());
        let odd: Vec<bool> = blocks
            .windows(2)
            .zip(&turns)
            .map(|(pair, angle)| turn(angle - drift).abs() > 0.6 && pair.iter().all(|(a, _)| *a > 0.3 * usual))
            .collect();
        let hertz = hertz + drift / TAU * f64::from(self.rate) / window as f64;
        // A short window also sees what is not quite a tone there: a long one must agree.
        (self.trace_of(hertz) > -60.0).then(|| Tone { hertz, level, gaps, jumps: runs(&odd).len() })
    }

    /// When a tone is first louder than `level` for 200 ms on end, in seconds.
    pub(crate) fn onset(&self, hertz: f64, level: f64) -> Option<f64> {
        let hop = self.windows(10.0);
        let loud: Vec<bool> = self
            .demodulate(hertz, self.windows(40.0), hop)
            .into_iter()
            .map(|(amplitude, _)| dbov(amplitude / std::f64::consts::SQRT_2) > level)
            .collect();
        let (first, _) = runs(&loud).into_iter().find(|(from, to)| to - from >= 20)?;
        Some((first * hop) as f64 / f64::from(self.rate))
    }

    /// The loudest trace of a steady tone at `hertz` in any half second, in dBov: what leaks from somebody who must not be heard,
    /// also under speech or music. Speech spreads its energy; a tone stands 10 dB above its neighbours or is not one.
    pub(crate) fn trace_of(&self, hertz: f64) -> f64 {
        let window = self.windows(500.0);
        let near = [0.0, -14.0, -9.0, 9.0, 14.0].map(|off| self.demodulate(hertz + off, window, window / 2));
        let [tone, beside @ ..] = &near;
        let heard = tone.iter().enumerate().map(|(n, (amplitude, _))| {
            let around = beside.iter().filter_map(|each| each.get(n)).map(|(amplitude, _)| *amplitude).fold(0.0, f64::max);
            if *amplitude > 3.16 * around { dbov(amplitude / std::f64::consts::SQRT_2) } else { SILENCE }
        });
        heard.fold(SILENCE, f64::max)
    }

    /// The level of a tone that lasts all through, whatever is said over it: the median over windows of 100 ms, in dBov.
    pub(crate) fn steady(&self, hertz: f64) -> f64 {
        let window = self.windows(100.0);
        let mut levels: Vec<f64> = self
            .demodulate(hertz, window, window / 2)
            .into_iter()
            .map(|(amplitude, _)| dbov(amplitude / std::f64::consts::SQRT_2))
            .collect();
        levels.sort_by(f64::total_cmp);
        levels.get(levels.len() / 2).copied().unwrap_or(SILENCE)
    }

    /// The same without these tones: what is left is speech, music, beeps and noise.
    pub(crate) fn without(&self, tones: &[f64]) -> Self {
        let mut samples = self.samples.clone();
        for hertz in tones {
            // Two notches of 60 Hz in a row (the usual biquad): a codec's noise clings to the tone.
            let omega = TAU * hertz / f64::from(self.rate);
            let alpha = omega.sin() * 60.0 / (2.0 * hertz);
            let (cos2, a0, a2) = (2.0 * omega.cos(), 1.0 + alpha, 1.0 - alpha);
            for _ in 0..2 {
                let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
                for sample in &mut samples {
                    let x = *sample;
                    let y = (x - cos2 * x1 + x2 + cos2 * y1 - a2 * y2) / a0;
                    (x2, x1, y2, y1) = (x1, x, y1, y);
                    *sample = y;
                }
            }
        }
        Self { rate: self.rate, samples }
    }

    /// Stretches louder than `level`: at least 120 ms long after joining those with less than 400 ms between them, so that a
    /// sentence is one and a click is none.
    pub(crate) fn louder_than(&self, level: f64) -> Vec<Span> {
        let frame = self.windows(20.0);
        let loud: Vec<bool> = self.samples.chunks_exact(frame).map(|chunk| dbov(rms(chunk)) > level).collect();
        let mut spans: Vec<Span> = Vec::new();
        for (from, to) in runs(&loud) {
            let span = Span { start: from as f64 * 0.02, end: to as f64 * 0.02 };
            match spans.last_mut() {
                Some(last) if span.start - last.end < 0.4 => last.end = span.end,
                _ => spans.push(span),
            }
        }
        spans.retain(|span| {
            let (from, to) = ((span.start * 50.0).round() as usize, (span.end * 50.0).round() as usize);
            loud[from..to].iter().filter(|loud| **loud).count() >= 6
        });
        spans
    }
}

/// Where `flags` is true: (first, one past the last).
fn runs(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut open = None;
    for (at, flag) in flags.iter().copied().chain([false]).enumerate() {
        match (flag, open) {
            (true, None) => open = Some(at),
            (false, Some(from)) => {
                found.push((from, at));
                open = None;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(sounds: &[&Sound]) -> Sound {
        let mut sum = sounds[0].clone();
        for sound in &sounds[1..] {
            sum.samples.iter_mut().zip(&sound.samples).for_each(|(a, b)| *a += b);
        }
        sum
    }

    /// Noise that is the same in each run.
    fn noise(rate: u32, level: f64, seconds: f64) -> Sound {
        let (mut state, peak) = (1u64, 10f64.powf(level / 20.0) * 3f64.sqrt());
        let samples = (0..(f64::from(rate) * seconds) as usize).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            peak * ((state >> 33) as f64 / f64::from(1u32 << 30) - 1.0)
        });
        Sound { rate, samples: samples.collect() }
    }

    #[test]
    fn a_clean_tone_has_its_level_and_pitch_and_no_fault() {
        for rate in [8000, 16_000, 48_000] {
            let tone = Sound::sine(rate, 1011.0, -15.0, 5.0).tone(1011.0).expect("a tone");
            assert!((tone.level + 15.0).abs() < 0.1 && (tone.hertz - 1011.0).abs() < 0.1, "{rate}: {tone:?}");
            assert!(tone.gaps.is_empty() && tone.jumps == 0, "{rate}: {tone:?}");
        }
    }

    #[test]
    fn four_tones_are_told_apart_even_when_one_of_them_is_missing() {
        let all: Vec<Sound> = [811.0, 1011.0, 1411.0, 1611.0].map(|hertz| Sound::sine(16_000, hertz, -18.0, 4.0)).into();
        let sum = mixed(&all.iter().collect::<Vec<_>>());
        for hertz in [811.0, 1011.0, 1411.0, 1611.0] {
            let tone = sum.tone(hertz).expect("a tone");
            assert!((tone.level + 18.0).abs() < 0.3 && tone.gaps.is_empty() && tone.jumps == 0, "{hertz}: {tone:?}");
        }
        assert!(sum.tone(1211.0).is_none());
        assert_eq!(sum.trace_of(1211.0), SILENCE);
    }

    #[test]
    fn a_hole_is_found_with_its_place_and_length() {
        let mut sound = Sound::sine(16_000, 1011.0, -15.0, 5.0);
        sound.samples[32_000..32_000 + 640].fill(0.0);
        let tone = sound.tone(1011.0).expect("a tone");
        assert_eq!(tone.gaps.len(), 1, "{tone:?}");
        assert!((tone.gaps[0].0 - 2.0).abs() < 0.01 && (tone.gaps[0].1 - 40.0).abs() < 5.0, "{tone:?}");
        sound.samples[48_000..48_000 + 240].fill(0.0);
        assert_eq!(sound.tone(1011.0).expect("a tone").gaps.len(), 1, "15 ms are no gap over 20 ms");
    }

    #[test]
    fn the_moment_a_tone_begins_is_found() {
        let mut sound = Sound::sine(8000, 1011.0, -15.0, 5.0);
        sound.samples[..20_000].fill(0.0);
        assert!((sound.onset(1011.0, -30.0).expect("a tone") - 2.5).abs() < 0.05);
        assert_eq!(sound.onset(611.0, -30.0), None);
    }

    #[test]
    fn a_packet_cut_out_without_a_hole_shows_as_a_jump() {
        let mut sound = Sound::sine(8000, 1011.0, -15.0, 5.0);
        sound.samples.drain(16_000..16_160);
        let tone = sound.tone(1011.0).expect("a tone");
        assert!(tone.gaps.is_empty() && tone.jumps == 1, "{tone:?}");
    }

    #[test]
    fn another_pitch_is_not_taken_for_the_right_one() {
        let sound = Sound::sine(8000, 1027.0, -15.0, 5.0);
        assert!((sound.tone(1011.0).expect("near").hertz - 1027.0).abs() < 0.5);
        assert!(Sound::sine(8000, 1311.0, -15.0, 5.0).tone(1011.0).is_none());
    }

    /// A faint tone is traced under noise and noise alone is no tone.
    #[test]
    fn a_faint_tone_is_traced_under_noise_and_noise_alone() {
        let noise = noise(16_000, -30.0, 6.0);
        assert_eq!(noise.trace_of(1011.0), SILENCE);
        let both = mixed(&[&noise, &Sound::sine(16_000, 1011.0, -45.0, 6.0)]);
        assert!((both.trace_of(1011.0) + 45.0).abs() < 2.0, "{}", both.trace_of(1011.0));
        let faint = Sound::sine(16_000, 1011.0, -75.0, 6.0);
        assert!((faint.trace_of(1011.0) + 75.0).abs() < 1.0);
    }

    #[test]
    fn what_remains_without_the_tones_is_the_speech() {
        let mut speech = noise(16_000, -20.0, 6.0);
        speech.samples[..32_000].fill(0.0);
        speech.samples[64_000..].fill(0.0);
        let sum = mixed(&[&speech, &Sound::sine(16_000, 1011.0, -12.0, 6.0), &Sound::sine(16_000, 611.0, -12.0, 6.0)]);
        let spans = sum.without(&[611.0, 1011.0]).since(0.1).louder_than(-35.0);
        assert_eq!(spans.len(), 1, "{spans:?}");
        assert!((spans[0].start - 1.9).abs() < 0.05 && (spans[0].length() - 2.0).abs() < 0.05, "{spans:?}");
    }

    #[test]
    fn a_tone_is_clear_only_where_nothing_is_beside_it() {
        let tone = Sound::sine(16_000, 1011.0, -18.0, 1.5);
        assert!(tone.is_clear(1011.0) && !tone.is_clear(611.0));
        assert!(mixed(&[&tone, &noise(16_000, -46.0, 1.5)]).is_clear(1011.0));
        assert!(!mixed(&[&tone, &noise(16_000, -30.0, 1.5)]).is_clear(1011.0));
        assert!(!mixed(&[&tone, &Sound::sine(16_000, 611.0, -30.0, 1.5)]).is_clear(1011.0));
    }

    #[test]
    fn a_wav_still_being_written_can_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tone.wav");
        Sound::sine(8000, 1011.0, -15.0, 1.0).write(&path);
        let mut bytes = std::fs::read(&path).expect("bytes");
        bytes[40..44].fill(0);
        std::fs::write(&path, &bytes[..8044]).expect("written");
        let sound = Sound::read(&path).expect("a sound");
        assert_eq!((sound.rate, sound.samples.len()), (8000, 4000));
        for cut in 0..44 {
            assert!(Sound::parse(&bytes[..cut]).is_none());
        }
    }
}
