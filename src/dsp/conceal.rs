//! [`Concealer`]: packet-loss concealment of waveform codecs that have none of their own (G.711, G.722, L16).
//!
//! A gap whose next packet is not here yet is filled by extending what came before it: voiced sound by its last pitch periods, as in ITU-T G.711
//! Appendix I, sound without a pitch by a stretch too long to repeat audibly. Where the packet behind the gap is already in the jitter buffer, the
//! gap is bridged: the extension of what precedes is cross-faded with a backward extension of what follows. Rule: A-4.

use std::time::Duration;

use crate::common::units::Hz;

/// An extension keeps its level this long: most gaps are one packet.
const FULL_FOR: Duration = Duration::from_millis(20);
/// Silent from here on.
const SILENT_AFTER: Duration = Duration::from_millis(60);
/// The pitch looked for: 66 to 400 Hz.
const SHORTEST_PERIOD: Duration = Duration::from_micros(2500);
const LONGEST_PERIOD: Duration = Duration::from_millis(15);
/// At least so much is repeated as a whole: several periods of a high voice, which differ a little, buzz less than one.
const REPEATED: Duration = Duration::from_millis(5);
/// What two periods are compared over.
const TEMPLATE: Duration = Duration::from_millis(10);
/// Normalised correlation from which sound counts as voiced.
const VOICED: f32 = 0.5;
/// How long an extension and the first packet after it overlap.
const MERGED: Duration = Duration::from_millis(5);
/// How fast a step between the last sample and the first repeated one decays.
const SEAM: Duration = Duration::from_millis(2);
/// What of a short history is compared at least.
const LEAST_TEMPLATE: Duration = Duration::from_millis(5);
/// So much of sound without a pitch is repeated as a whole.
const UNVOICED: Duration = Duration::from_millis(20);
/// The longest gap that is bridged: beyond, a voice is another one.
const LONGEST_BRIDGE: Duration = Duration::from_millis(60);

/// Keeps the newest samples of a stream and synthesises what is missing behind them.
#[derive(Clone, Debug)]
pub struct Concealer {
    rate: Hz,
    /// The newest samples, received or synthesised: as many as comparing the longest periods takes.
    history: Vec<i16>,
    /// The gap that is being concealed.
    gap: Option<Gap>,
}

/// A gap, and how what was synthesised for it would go on.
#[derive(Clone, Debug)]
struct Gap {
    extension: Extension,
    /// How many samples have been synthesised.
    length: usize,
    /// The beginning of the packet behind the gap, as it was decoded for the bridge; empty where there was none.
    bridged_to: Vec<f32>,
}

/// A signal as it goes on beyond its end.
#[derive(Clone, Debug, Default)]
struct Extension {
    /// What is repeated: whole pitch periods, or a stretch of sound without a pitch.
    repeated: Vec<f32>,
    /// The step between the last sample and the first repeated one, which decays over `seam_length` samples.
    seam: f32,
    seam_length: usize,
}

// === impl Concealer ===

impl Concealer {
    /// A concealer without history: it synthesises silence.
    #[must_use]
    pub fn new(rate: Hz) -> Self {
        Self { rate, history: Vec::new(), gap: None }
    }

    /// Takes samples that were received, and merges their beginning with what was synthesised before them.
    pub fn good(&mut self, samples: &mut [i16]) {
        if let Some(gap) = self.gap.take() {
            let merged = self.rate.samples(MERGED).min(samples.len());
            for (i, sample) in samples.iter_mut().take(merged).enumerate() {
                let share = (i + 1) as f32 / (merged + 1) as f32;
                *sample = (self.continued(&gap, i) * (1.0 - share) + f32::from(*sample) * share) as i16;
            }
        }
        self.remember(samples);
    }

    /// Appends `lost` synthesised samples to `out`.
    pub fn conceal(&mut self, lost: usize, out: &mut Vec<i16>) {
        if lost == 0 {
            return;
        }
        let mut gap = self.take_gap();
        let start = out.len();
        out.extend((0..lost).map(|i| self.continued(&gap, i) as i16));
        gap.length += lost;
        self.gap = Some(gap);
        self.remember(&out[start..]);
    }

    /// Appends `lost` synthesised samples to `out`, of which the last meet `next`: the samples of the packet behind the gap.
    pub fn bridge(&mut self, lost: usize, next: &[i16], out: &mut Vec<i16>) {
        let is_long = self.gap.as_ref().map_or(0, |gap| gap.length) + lost > self.rate.samples(LONGEST_BRIDGE);
        if lost == 0 || is_long || next.len() < self.rate.samples(MERGED) {
            return self.conceal(lost, out);
        }
        let mut gap = self.take_gap();
        let reversed: Vec<i16> = next.iter().rev().copied().collect();
        let backward = Extension::of(&reversed, self.rate);
        let start = out.len();
        out.extend((0..lost).map(|i| {
            let share = (i as f32 + 0.5) / lost as f32;
            let sample = gap.extension.at(gap.length + i) * (1.0 - share) + backward.at(lost - 1 - i) * share;
            sample.clamp(-32_768.0, 32_767.0) as i16
        }));
        gap.length += lost;
        gap.bridged_to.extend(next.iter().take(self.rate.samples(MERGED)).map(|&sample| f32::from(sample)));
        self.gap = Some(gap);
        self.remember(&out[start..]);
    }

    /// Appends `samples` of how the sound would go on behind the gap.
    pub fn continuation(&self, samples: usize, out: &mut Vec<i16>) {
        if let Some(gap) = &self.gap {
            out.extend((0..samples).map(|i| self.continued(gap, i) as i16));
        }
    }

    /// The gap that is being concealed, or else one that begins here.
    fn take_gap(&mut self) -> Gap {
        let begin = || Gap { extension: Extension::of(&self.history, self.rate), length: 0, bridged_to: Vec::new() };
        let mut gap = self.gap.take().unwrap_or_else(begin);
        gap.bridged_to.clear();
        gap
    }

    /// The sample that lies `ahead` of the last synthesised one.
    fn continued(&self, gap: &Gap, ahead: usize) -> f32 {
        if let Some(sample) = gap.bridged_to.get(ahead) {
            return *sample;
        }
        let at = gap.length + ahead;
        let (full, silent) = (self.rate.samples(FULL_FOR), self.rate.samples(SILENT_AFTER));
        let gain = if at <= full { 1.0 } else { silent.saturating_sub(at) as f32 / (silent - full) as f32 };
        (gap.extension.at(at) * gain).clamp(-32_768.0, 32_767.0)
    }

    fn remember(&mut self, samples: &[i16]) {
        let kept = self.rate.samples(TEMPLATE + 3 * LONGEST_PERIOD);
        self.history.extend_from_slice(samples);
        let surplus = self.history.len().saturating_sub(kept);
        self.history.drain(..surplus);
    }
}

// === impl Extension ===

impl Extension {
    /// How the newest samples of `history` go on; silence where there are too few.
    fn of(history: &[i16], rate: Hz) -> Self {
        let length = history.len();
        let Some((lag, correlation)) = pitch(history, rate) else { return Self::default() };
        let is_voiced = correlation >= VOICED;
        // One sample of step, and a quarter of a period as overlap, lie before what is repeated.
        let most = (length - 1).saturating_sub(lag / 4);
        let periods = rate.samples(REPEATED).div_ceil(lag).min(most / lag).max(1);
        let repeated = if is_voiced { lag * periods } else { rate.samples(UNVOICED).min(most) };
        let overlap = (lag / 4).min((length - 1).saturating_sub(repeated));
        if overlap == 0 {
            return Self::default();
        }
        let mut period: Vec<f32> = history[length - repeated..].iter().map(|&sample| f32::from(sample)).collect();
        // The end of what is repeated becomes what came before its beginning, so that a repeat has no edge.
        for i in 0..overlap {
            let share = (i + 1) as f32 / (overlap + 1) as f32;
            let earlier = f32::from(history[length - repeated - overlap + i]);
            let at = repeated - overlap + i;
            period[at] = period[at] * (1.0 - share) + earlier * share;
        }
        let seam = f32::from(history[length - 1]) - f32::from(history[length - repeated - 1]);
        Self { repeated: period, seam, seam_length: rate.samples(SEAM) }
    }

    /// The sample at `position` behind the end.
    fn at(&self, position: usize) -> f32 {
        if self.repeated.is_empty() {
            return 0.0;
        }
        let decay = self.seam_length.saturating_sub(position) as f32 / self.seam_length as f32;
        self.repeated[position % self.repeated.len()] + self.seam * decay
    }
}

/// The lag at which the newest samples resemble earlier ones most, and their normalised correlation; `None` where there is too little history.
fn pitch(history: &[i16], rate: Hz) -> Option<(usize, f32)> {
    let length = history.len();
    let shortest = rate.samples(SHORTEST_PERIOD);
    let template =
        rate.samples(TEMPLATE).min(length.saturating_sub(rate.samples(LONGEST_PERIOD))).max(rate.samples(LEAST_TEMPLATE));
    let longest = rate.samples(LONGEST_PERIOD).min(length.checked_sub(template)?);
    if longest <= shortest {
        return None;
    }
    // A resolution of 8 kHz finds a period; around it every sample counts.
    let stride = (rate.0 as usize / 8_000).max(1);
    let newest = &history[length - template..];
    let correlation = |lag: usize| {
        let earlier = &history[length - template - lag..length - lag];
        let (mut cross, mut here, mut there) = (0f32, 1f32, 1f32);
        for (&a, &b) in newest.iter().zip(earlier).step_by(stride) {
            let (a, b) = (f32::from(a), f32::from(b));
            cross += a * b;
            here += a * a;
            there += b * b;
        }
        cross / (here * there).sqrt()
    };
    let better = |best: (usize, f32), lag: usize| {
        let correlation = correlation(lag);
        if correlation > best.1 { (lag, correlation) } else { best }
    };
    let coarse = (shortest..=longest).step_by(stride).fold((longest, f32::MIN), better);
    let around = coarse.0.saturating_sub(stride).max(shortest)..=(coarse.0 + stride).min(longest);
    Some(around.fold(coarse, better))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::{level::dbov, tone::Sine};

    fn tone(rate: Hz, samples: usize) -> Vec<i16> {
        let mut out = vec![0; samples];
        Sine::new(rate, 150.0, 9_000.0).fill(&mut out);
        out
    }

    #[test]
    fn a_lost_packet_of_a_periodic_sound_is_hardly_missed() {
        for rate in [Hz::NARROW, Hz::WIDE] {
            let packet = rate.0 as usize / 50;
            let original = tone(rate, packet * 20);
            let mut concealer = Concealer::new(rate);
            let mut heard = original.clone();
            concealer.good(&mut heard[..packet * 10]);
            let mut made_up = Vec::new();
            concealer.conceal(packet, &mut made_up);
            heard[packet * 10..packet * 11].copy_from_slice(&made_up);
            concealer.good(&mut heard[packet * 11..]);
            let errors: Vec<i16> =
                original.iter().zip(&heard).skip(packet * 10).take(packet * 2).map(|(a, b)| a.saturating_sub(*b)).collect();
            assert!(dbov(&errors) < dbov(&original) - 12.0, "{rate}: {}", dbov(&errors));
            let step = |samples: &[i16]| samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max();
            assert!(step(&heard) <= step(&original).map(|step| step * 3 / 2));
        }
    }

    /// A gap whose next packet is here is bridged with less error than one that is extended, where the pitch moves.
    #[test]
    fn a4_a_bridge_meets_what_follows() {
        for rate in [Hz::NARROW, Hz::WIDE] {
            let packet = rate.0 as usize / 50;
            let glide = |i: usize| {
                let time = i as f32 / rate.0 as f32;
                (9_000.0 * (std::f32::consts::TAU * (140.0 * time + 60.0 * time * time)).sin()) as i16
            };
            let original: Vec<i16> = (0..packet * 12).map(glide).collect();
            let error = |is_bridged: bool| {
                let (mut concealer, mut out) = (Concealer::new(rate), Vec::new());
                concealer.good(&mut original[..packet * 10].to_vec());
                let next = if is_bridged { &original[packet * 11..] } else { &[] };
                concealer.bridge(packet, next, &mut out);
                let differences = original[packet * 10..].iter().zip(&out).map(|(a, b)| a.saturating_sub(*b));
                dbov(&differences.collect::<Vec<i16>>())
            };
            let (bridged, extended) = (error(true), error(false));
            assert!(bridged < extended - 3.0, "{rate}: {bridged} dBov bridged, {extended} extended");
        }
    }

    #[test]
    fn a_stream_that_stopped_is_silent_after_60_ms() {
        let mut concealer = Concealer::new(Hz::NARROW);
        concealer.good(&mut tone(Hz::NARROW, 800));
        let mut out = Vec::new();
        for _ in 0..10 {
            concealer.conceal(80, &mut out);
        }
        assert!(dbov(&out[..160]) > -16.0);
        assert!(dbov(&out[320..480]) < dbov(&out[..160]) - 5.0);
        assert!(out[480..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn without_history_silence_is_made_up() {
        let mut out = Vec::new();
        let mut concealer = Concealer::new(Hz::NARROW);
        concealer.conceal(100, &mut out);
        concealer.good(&mut [5, 5, 5]);
        concealer.conceal(100, &mut out);
        concealer.conceal(0, &mut out);
        assert!(out[..100].iter().all(|&sample| sample == 0));
        assert!(out[100..].iter().all(|&sample| sample.abs() <= 5), "three samples are no history");
    }
}
