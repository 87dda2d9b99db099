//! What a participant has heard: which prompt, to its last word, and whose tone.
//!
//! A prompt is recognised by its own samples: a tenth of a second of it finds the place, and then every part of it must be there. Only
//! the audio that reached the device counts, never what the gateway says of it.

use std::time::Instant;

use crate::common::units::Hz;
use crate::dsp::{Resampler, tone_detector};
use crate::prompt::Clip;

/// Everything is heard at this rate.
pub(super) const RATE: Hz = Hz::NARROW;
/// The part of a prompt that is looked for: its loudest tenth of a second.
const PROBE: usize = 800;
/// A prompt begins with a packet or within it, but for what codec and resampler delay it or the fingerprint: so many samples earlier…
const EARLIER: usize = 24;
/// …or later.
const LATER: usize = 160;
/// Places are first looked at with every fourth sample of the probe, and closely only where so alike. None is left out: one sample's
/// shift is all to a hiss.
const COARSE: usize = 4;
const MAYBE: f32 = 0.35;
/// The waveform is compared in parts of a quarter of a second…
const PART: usize = 2_000;
/// …each of which must be so alike, but for pauses between words: under the first the meeting is only being turned down.
const PART_ALIKE: f32 = 0.5;
/// So alike must be the whole.
const ALIKE: f32 = 0.8;

/// The samples by which a prompt is recognised.
pub(super) struct Fingerprint {
    samples: Vec<i16>,
    /// Where its loudest tenth of a second begins.
    probe: usize,
}

/// What has been heard, since the beginning.
pub(super) struct Listener {
    resampler: Resampler,
    samples: Vec<i16>,
    /// Before each sample, the energy of every fourth one, counted back from it: that of any stretch by fours is a difference.
    energies: Vec<f64>,
    /// With which sample each packet began, and when it came.
    packets: Vec<(usize, Instant)>,
}

fn resampled(samples: &[i16], from: Hz) -> Vec<i16> {
    let mut out = Vec::new();
    Resampler::new(from, RATE).process(samples, &mut out);
    out
}

fn energy(samples: &[i16]) -> f32 {
    samples.iter().map(|sample| f32::from(*sample).powi(2)).sum()
}

fn correlation(left: &[i16], right: &[i16]) -> f32 {
    let both: f32 = left.iter().zip(right).map(|(left, right)| f32::from(*left) * f32::from(*right)).sum();
    let scale = (energy(left) * energy(right)).sqrt();
    if scale > 0.0 { both / scale } else { 0.0 }
}

impl Fingerprint {
    pub(super) fn of(clip: &Clip) -> Self {
        let samples = resampled(&clip.samples, clip.rate);
        // Of a vowel, of which every codec keeps the waveform: a hiss is gone when neighbouring samples are added up.
        let vowels: Vec<i16> = samples.windows(4).map(|four| four.iter().map(|sample| sample / 4).sum()).collect();
        let loudest = |at: &usize| energy(vowels.get(*at..*at + PROBE).unwrap_or_default()) as u64;
        let probe = (0..samples.len().saturating_sub(PROBE).max(1)).step_by(80).max_by_key(loudest).unwrap_or(0);
        Self { samples, probe }
    }

    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }
}

impl Listener {
    /// For a codec that decodes to `rate`.
    pub(super) fn new(rate: Hz) -> Self {
        Self { resampler: Resampler::new(rate, RATE), samples: Vec::new(), energies: vec![0.0; COARSE], packets: Vec::new() }
    }

    pub(super) fn hear(&mut self, at: Instant, samples: &[i16]) {
        self.packets.push((self.samples.len(), at));
        let known = self.samples.len();
        self.resampler.process(samples, &mut self.samples);
        for at in known..self.samples.len() {
            self.energies.push(self.energies[at] + f64::from(self.samples[at]).powi(2));
        }
    }

    /// How much was heard so far.
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// When the packet with this sample came.
    pub(super) fn when(&self, sample: usize) -> Instant {
        let after = self.packets.partition_point(|(first, _)| *first <= sample);
        self.packets[after.saturating_sub(1)].1
    }

    /// The first sample of what came at `at` or later.
    pub(super) fn since(&self, at: Instant) -> usize {
        self.packets.get(self.packets.partition_point(|(_, came)| *came < at)).map_or(self.samples.len(), |(first, _)| *first)
    }

    /// The levels of these tones in what came between two instants, in dBov; -127 where nothing came.
    pub(super) fn tones(&self, from: Instant, to: Instant, freqs: &[f32]) -> Vec<f32> {
        tone_detector::heard(&self.samples[self.since(from)..self.since(to)], RATE, freqs)
    }

    /// Where the whole of a prompt was heard, at or after `from`.
    pub(super) fn find(&self, fingerprint: &Fingerprint, from: usize) -> Option<usize> {
        let first = self.packets.partition_point(|(first, _)| *first < from);
        self.packets[first..].iter().find_map(|(packet, _)| self.matches(fingerprint, *packet))
    }

    /// The exact place near `packet` at which the prompt was heard, if it was.
    fn matches(&self, fingerprint: &Fingerprint, packet: usize) -> Option<usize> {
        // Not before the whole of it can be there.
        let last = self.samples.len().checked_sub(fingerprint.len()).filter(|last| *last >= packet)?;
        let places = packet.saturating_sub(EARLIER)..(packet + LATER).min(last + 1);
        let coarse = self.nearest(fingerprint, places, COARSE).filter(|(_, alike)| *alike > MAYBE)?.0;
        let (at, alike) = self.nearest(fingerprint, coarse.saturating_sub(1)..coarse + 2, 1)?;
        let heard = self.samples.get(at..at + fingerprint.len()).filter(|_| alike > MAYBE)?;
        let loud = energy(&fingerprint.samples) / fingerprint.len() as f32 / 4.0;
        let parts = fingerprint.samples.chunks(PART).zip(heard.chunks(PART));
        let mut spoken = parts.filter(|(part, _)| energy(part) / part.len() as f32 > loud);
        let all =
            correlation(heard, &fingerprint.samples) > ALIKE && spoken.all(|(part, heard)| correlation(part, heard) > PART_ALIKE);
        all.then_some(at)
    }

    /// Of these places the one most like the probe, by every `step`th sample of it, and how like it is.
    fn nearest(&self, fingerprint: &Fingerprint, places: impl Iterator<Item = usize>, step: usize) -> Option<(usize, f32)> {
        let probe: Vec<f32> =
            fingerprint.samples[fingerprint.probe..].iter().take(PROBE).step_by(step).copied().map(f32::from).collect();
        let of_probe: f32 = probe.iter().map(|sample| sample * sample).sum();
        let alike = |at: usize| {
            let from = at + fingerprint.probe;
            let heard = || self.samples[from..].iter().step_by(step).map(|sample| f32::from(*sample)).zip(&probe);
            let both: f32 = heard().map(|(sample, probe)| sample * probe).sum();
            let own = match self.energies.get(from + step * probe.len()) {
                Some(end) if step == COARSE => (end - self.energies[from]) as f32,
                _ => heard().map(|(sample, _)| sample * sample).sum(),
            };
            (at, both / (own.max(f32::MIN_POSITIVE) * of_probe).sqrt())
        };
        places.map(alike).max_by(|(_, one), (_, two)| one.total_cmp(two))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::machine;
    use crate::common::phrase::Phrase;
    use crate::scenario::world::voices;

    /// Silence, this, and silence, in packets of 20 ms.
    fn listener_of(clip: &Clip, samples: &[i16]) -> Listener {
        let second = clip.rate.0 as usize;
        let all = [&vec![0; second / 5], samples, &vec![0; clip.samples.len() + second / 5 - samples.len()]].concat();
        let mut listener = Listener::new(clip.rate);
        all.chunks(second / 50).for_each(|packet| listener.hear(machine::now(), packet));
        listener
    }

    /// An instrument must be known before it is believed.
    #[test]
    fn every_prompt_is_told_from_every_other() {
        let library = voices();
        let clips: Vec<Clip> = Phrase::ALL.iter().map(|phrase| library.clip("en", *phrase)).collect();
        let fingerprints: Vec<Fingerprint> = clips.iter().map(Fingerprint::of).collect();
        for ((clip, fingerprint), phrase) in clips.iter().zip(&fingerprints).zip(Phrase::ALL) {
            let listener = listener_of(clip, &clip.samples);
            let known = Phrase::ALL.iter().zip(&fingerprints).filter(|(_, fingerprint)| listener.find(fingerprint, 0).is_some());
            assert_eq!(known.map(|(known, _)| *known).collect::<Vec<_>>(), [*phrase]);
            let half = listener_of(clip, &clip.samples[..clip.samples.len() / 2]);
            assert_eq!(half.find(fingerprint, 0), None, "half of {phrase:?}");
        }
    }
}
