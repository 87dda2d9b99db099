//! [`Concealer`]: hides lost packets of codecs that have no concealment of their own, in the manner of G.711 Appendix I:
//! the last pitch period is repeated while it fades, and the first good packet is blended in.

use std::time::Duration;

use crate::common::units::Hz;

/// Repeated at full level this long; a repeat does not begin to buzz earlier.
const FULL_FOR: Duration = Duration::from_millis(10);
/// Silent from here on.
const SILENT_AFTER: Duration = Duration::from_millis(60);
/// The pitch looked for: 66 to 400 Hz.
const SHORTEST_PERIOD: Duration = Duration::from_micros(2500);
const LONGEST_PERIOD: Duration = Duration::from_millis(15);
/// What two periods are compared over.
const TEMPLATE: Duration = Duration::from_millis(20);
/// How long concealment and the next good packet overlap.
const BLEND: Duration = Duration::from_millis(5);
/// How fast a step between the last good sample and the repeated period dies away.
const SEAM: Duration = Duration::from_millis(2);

/// Keeps the latest samples and synthesises what is missing.
#[derive(Clone, Debug)]
pub struct Concealer {
    rate: Hz,
    /// The newest good samples, at most template + twice the longest period.
    history: Vec<i16>,
    /// The period that is repeated, while concealing.
    period: Vec<f32>,
    /// The step at the seam, to be faded out.
    seam: f32,
    /// How many samples have been made up since the last good one.
    made_up: usize,
}

impl Concealer {
    /// A concealer without history: it synthesises silence.
    #[must_use]
    pub fn new(rate: Hz) -> Self {
        Self { rate, history: Vec::new(), period: Vec::new(), seam: 0.0, made_up: 0 }
    }

    /// Takes samples that were received, blending their beginning with what was being made up.
    pub fn good(&mut self, samples: &mut [i16]) {
        if self.made_up > 0 {
            let blend = self.rate.samples(BLEND).min(samples.len());
            for (i, sample) in samples.iter_mut().take(blend).enumerate() {
                let share = (i + 1) as f32 / (blend + 1) as f32;
                *sample = (self.next() * (1.0 - share) + f32::from(*sample) * share) as i16;
            }
            self.made_up = 0;
            self.period.clear();
        }
        let keep = self.rate.samples(TEMPLATE + 2 * LONGEST_PERIOD);
        self.history.extend_from_slice(samples);
        let surplus = self.history.len().saturating_sub(keep);
        self.history.drain(..surplus);
    }

    /// Appends `lost` made-up samples.
    pub fn conceal(&mut self, lost: usize, out: &mut Vec<i16>) {
        if lost == 0 {
            return;
        }
        if self.made_up == 0 {
            self.begin();
        }
        for _ in 0..lost {
            let sample = self.next();
            out.push(sample as i16);
        }
    }

    fn begin(&mut self) {
        self.period.clear();
        self.seam = 0.0;
        let length = self.history.len();
        let lag = self.pitch();
        if lag == 0 || length < lag + lag / 4 + 1 {
            return;
        }
        self.period.extend(self.history[length - lag..].iter().map(|&sample| f32::from(sample)));
        // The end of the period becomes what came before its beginning, so that a repeat has no edge.
        let overlap = lag / 4;
        for i in 0..overlap {
            let share = (i + 1) as f32 / (overlap + 1) as f32;
            let earlier = f32::from(self.history[length - lag - overlap + i]);
            let at = lag - overlap + i;
            self.period[at] = self.period[at] * (1.0 - share) + earlier * share;
        }
        self.seam = f32::from(self.history[length - 1]) - f32::from(self.history[length - lag - 1]);
    }

    /// The lag at which the newest samples resemble earlier ones most; 0 when there is too little history.
    fn pitch(&self) -> usize {
        let template = self.rate.samples(TEMPLATE);
        let (shortest, longest) = (self.rate.samples(SHORTEST_PERIOD), self.rate.samples(LONGEST_PERIOD));
        let length = self.history.len();
        if length < template + longest {
            return if length > 2 * shortest { shortest } else { 0 };
        }
        // Every other sample at 16 kHz is enough to find a period.
        let stride = (self.rate.0 as usize / 8_000).max(1);
        let newest = &self.history[length - template..];
        let resemblance = |lag: usize| {
            let earlier = &self.history[length - template - lag..length - lag];
            let (mut cross, mut energy) = (0f32, 1f32);
            for (&a, &b) in newest.iter().zip(earlier).step_by(stride) {
                cross += f32::from(a) * f32::from(b);
                energy += f32::from(b) * f32::from(b);
            }
            if cross > 0.0 { cross * cross / energy } else { 0.0 }
        };
        let (best, score) = (shortest..=longest)
            .map(|lag| (lag, resemblance(lag)))
            .fold((longest, -1.0), |best, candidate| if candidate.1 > best.1 { candidate } else { best });
        if score > 0.0 { best } else { longest }
    }

    fn next(&mut self) -> f32 {
        let at = self.made_up;
        self.made_up += 1;
        let (full, silent) = (self.rate.samples(FULL_FOR), self.rate.samples(SILENT_AFTER));
        if self.period.is_empty() || at >= silent {
            return 0.0;
        }
        let gain = if at <= full { 1.0 } else { (silent - at) as f32 / (silent - full) as f32 };
        let seam_length = self.rate.samples(SEAM);
        let seam = if at < seam_length { self.seam * (seam_length - at) as f32 / seam_length as f32 } else { 0.0 };
        ((self.period[at % self.period.len()] + seam) * gain).clamp(-32_768.0, 32_767.0)
    }
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
        assert_eq!(out, [0; 200]);
    }
}
