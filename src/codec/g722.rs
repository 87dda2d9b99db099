//! ITU-T G.722 at 64 kbit/s: two sub-bands by a 24-tap QMF, each with its own ADPCM, 6 bits for the low and 2 for the high one.
//!
//! Fixed-point arithmetic and state names follow clause 3 and 4 of the Recommendation, because the result must agree with
//! it bit by bit. A payload byte stands for two samples at 16 kHz: high band in the two upper bits.

use std::any::Any;

use super::coding::check_length;
use super::{CodecError, Decoder, Encoder};
use crate::common::units::Hz;
use crate::dsp::conceal::Concealer;

/// One half of the symmetric QMF (Table 11).
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Decision levels of the 60-level low-band quantizer (Table 14); index 0 is never compared.
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458,
    1612, 1765, 1980, 2195, 2557, 2919,
];
/// Low-band codes for negative differences, by quantizer interval.
const LOW_NEGATIVE: [u8; 31] =
    [0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4];
/// Low-band codes for positive differences, by quantizer interval.
const LOW_POSITIVE: [u8; 31] =
    [0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32];
/// Logarithmic scale factor multipliers of the low band, by the 4-bit code.
const LOW_STEP: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// Logarithmic scale factor multipliers of the high band, by code.
const HIGH_STEP: [i32; 4] = [798, -214, 798, -214];
/// The mantissa of the inverse logarithm, 32 steps an octave.
const EXP2: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158,
    3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/// Output levels of the 4-bit inverse quantizer, which steers adaptation on both ends.
const QM4: [i32; 16] = [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// Output levels of the 6-bit inverse quantizer.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856, -7192,
    -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008,
    16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400,
    2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
/// Output levels of the high-band inverse quantizer.
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
/// The one decision level of the high-band quantizer.
const HIGH_DECISION: i32 = 564;

/// Samples by which analysis and synthesis QMF together delay.
const QMF_DELAY: usize = 22;
/// Samples below this are the codec's own idle noise.
const AUDIBLE: u16 = 50;

/// A signal below this value in both bands counts as it: errors under idle noise are not heard.
const FAINTEST: i32 = 8;

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

fn limit_band(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

/// Adaptive predictor and quantizer scale of one sub-band: the part that encoder and decoder run alike.
#[derive(Clone)]
struct Band {
    /// Predicted value and its zero section part.
    s: i32,
    sz: i32,
    /// Reconstructed signal, one and two steps ago.
    r: [i32; 2],
    /// Signs' sources of the pole update: partially reconstructed signal, one and two steps ago.
    p: [i32; 2],
    /// Pole and zero coefficients.
    a: [i32; 2],
    b: [i32; 6],
    /// Quantized differences, newest first.
    d: [i32; 6],
    /// Logarithmic and linear scale factor.
    nb: i32,
    det: i32,
}

impl Band {
    fn new(det: i32) -> Self {
        Self { s: 0, sz: 0, r: [0; 2], p: [0; 2], a: [0; 2], b: [0; 6], d: [0; 6], nb: 0, det }
    }

    /// The code of the low band for `value`.
    fn low_code(&self, value: i32) -> u8 {
        let difference = saturate(value - self.s);
        let magnitude = if difference < 0 { !difference } else { difference };
        let interval = (1..30).find(|&i| magnitude < (Q6[i] * self.det) >> 12).unwrap_or(30);
        if difference < 0 { LOW_NEGATIVE[interval] } else { LOW_POSITIVE[interval] }
    }

    /// The code of the high band for `value`.
    fn high_code(&self, value: i32) -> u8 {
        let difference = saturate(value - self.s);
        let magnitude = if difference < 0 { !difference } else { difference };
        let inner = magnitude < (HIGH_DECISION * self.det) >> 12;
        match (difference < 0, inner) {
            (true, true) => 1,
            (true, false) => 0,
            (false, true) => 3,
            (false, false) => 2,
        }
    }

    /// The low band after code `code` (6 bits).
    fn adapt_low(&mut self, code: u8) {
        let index = usize::from(code >> 2 & 0x0f);
        let difference = (self.det * QM4[index]) >> 15;
        self.scale(LOW_STEP[index], 18_432, 8);
        self.predict(difference);
    }

    /// The high band after code `code` (2 bits); gives the quantized difference.
    fn adapt_high(&mut self, code: u8) -> i32 {
        let index = usize::from(code & 3);
        let difference = (self.det * QM2[index]) >> 15;
        self.scale(HIGH_STEP[index], 22_528, 10);
        self.predict(difference);
        difference
    }

    /// Takes the coefficients of an earlier state, and a scale factor half way between.
    fn keep_adaptation(&mut self, earlier: &Self, octaves: i32) {
        (self.a, self.b) = (earlier.a, earlier.b);
        self.nb = (self.nb + earlier.nb) / 2;
        self.scale_linearly(octaves);
    }

    /// LOGSCL/LOGSCH, and what follows from them.
    fn scale(&mut self, step: i32, top: i32, octaves: i32) {
        self.nb = (((self.nb * 127) >> 7) + step).clamp(0, top);
        self.scale_linearly(octaves);
    }

    /// SCALEL/SCALEH.
    fn scale_linearly(&mut self, octaves: i32) {
        let mantissa = EXP2[(self.nb >> 6 & 31) as usize];
        let shift = octaves - (self.nb >> 11);
        self.det = if shift < 0 { mantissa << -shift } else { mantissa >> shift } << 2;
    }

    /// Block 4: adapts the two poles and six zeros to `difference` and predicts the next value.
    fn predict(&mut self, difference: i32) {
        let r = saturate(self.s + difference);
        let p = saturate(self.sz + difference);
        let same_sign = |other: i32| (p < 0) == (other < 0);

        // UPPOL2, UPPOL1
        let tilt = saturate(self.a[0] << 2);
        let tilt = if same_sign(self.p[0]) { -tilt } else { tilt }.min(32_767);
        let lean = if same_sign(self.p[1]) { 128 } else { -128 };
        let a2 = (lean + (tilt >> 7) + ((self.a[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        let lean = if same_sign(self.p[0]) { 192 } else { -192 };
        let bound = saturate(15_360 - a2);
        let a1 = saturate(lean + ((self.a[0] * 32_640) >> 15)).clamp(-bound, bound);

        // UPZERO, against the differences before this one
        let push = if difference == 0 { 0 } else { 128 };
        for (b, d) in self.b.iter_mut().zip(self.d) {
            let lean = if (d < 0) == (difference < 0) { push } else { -push };
            *b = saturate(lean + ((*b * 32_640) >> 15));
        }

        // DELAYA
        self.d.rotate_right(1);
        self.d[0] = difference;
        self.r = [r, self.r[0]];
        self.p = [p, self.p[0]];
        self.a = [a1, a2];

        // FILTEP, FILTEZ, PREDIC
        let pole = |a: i32, r: i32| (a * saturate(r + r)) >> 15;
        let sp = saturate(pole(a1, self.r[0]) + pole(a2, self.r[1]));
        self.sz = saturate(self.b.iter().zip(self.d).map(|(&b, d)| (b * saturate(d + d)) >> 15).sum());
        self.s = saturate(sp + self.sz);
    }
}

/// What a decoder makes of a byte: the next value of the low and of the high band.
fn reconstruct(low: &mut Band, high: &mut Band, byte: u8) -> [i32; 2] {
    let code = byte & 0x3f;
    let value = limit_band(low.s + ((low.det * QM6[usize::from(code)]) >> 15));
    low.adapt_low(code);
    let predicted = high.s;
    [value, limit_band(predicted + high.adapt_high(byte >> 6))]
}

/// The 24 newest values of a QMF, oldest first.
#[derive(Clone)]
struct Qmf([i32; 24]);

impl Qmf {
    fn push(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.0.copy_within(2.., 0);
        self.0[22] = first;
        self.0[23] = second;
        let mut even = 0;
        let mut odd = 0;
        for (i, pair) in self.0.chunks_exact(2).enumerate() {
            even += pair[0] * QMF[i];
            odd += pair[1] * QMF[11 - i];
        }
        (even, odd)
    }
}

/// PCM at 16 kHz to G.722.
#[derive(Clone)]
pub(super) struct G722Encoder {
    qmf: Qmf,
    low: Band,
    high: Band,
}

/// G.722 to PCM at 16 kHz, with waveform concealment.
pub(super) struct G722Decoder {
    synthesis: Synthesis,
    concealer: Concealer,
    scratch: Vec<i16>,
}

/// The decoder of the Recommendation.
#[derive(Clone)]
struct Synthesis {
    qmf: Qmf,
    low: Band,
    high: Band,
}

impl G722Encoder {
    pub(super) fn new() -> Self {
        Self { qmf: Qmf([0; 24]), low: Band::new(32), high: Band::new(8) }
    }

    fn encode_pair(&mut self, first: i16, second: i16) -> u8 {
        let (even, odd) = self.qmf.push(first.into(), second.into());
        let low = self.low.low_code((odd + even) >> 14);
        let high = self.high.high_code((odd - even) >> 14);
        self.low.adapt_low(low);
        self.high.adapt_high(high);
        high << 6 | low
    }
}

impl Encoder for G722Encoder {
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<(), CodecError> {
        check_length(pcm, Hz::WIDE)?;
        out.extend(pcm.chunks_exact(2).map(|pair| self.encode_pair(pair[0], pair[1])));
        Ok(())
    }

    fn adopt(&mut self, other: &dyn Encoder) -> bool {
        let other: &dyn Any = other;
        let Some(other) = other.downcast_ref::<Self>() else { return false };
        self.clone_from(other);
        true
    }

    fn mistracking(&self, other: &dyn Encoder, payload: &[u8]) -> Option<f32> {
        let other: &dyn Any = other;
        let Self { mut low, mut high, .. } = self.clone();
        let Self { low: mut other_low, high: mut other_high, .. } = other.downcast_ref::<Self>()?.clone();
        let (mut error, mut signal) = (0.0, f64::from(FAINTEST).powi(2) * payload.len() as f64);
        for byte in payload {
            let tracked = reconstruct(&mut other_low, &mut other_high, *byte);
            let mistracked = reconstruct(&mut low, &mut high, *byte);
            for (tracked, mistracked) in tracked.into_iter().zip(mistracked) {
                error += f64::from(mistracked - tracked).powi(2);
                signal += f64::from(tracked).powi(2);
            }
        }
        Some((10.0 * (error / signal).log10()) as f32)
    }
}

impl Synthesis {
    fn new() -> Self {
        Self { qmf: Qmf([0; 24]), low: Band::new(32), high: Band::new(8) }
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) {
        out.extend(payload.iter().flat_map(|&byte| self.decode_byte(byte)));
    }

    fn decode_byte(&mut self, byte: u8) -> [i16; 2] {
        let [low, high] = reconstruct(&mut self.low, &mut self.high, byte);
        let (even, odd) = self.qmf.push(low + high, low - high);
        [saturate(odd >> 11) as i16, saturate(even >> 11) as i16]
    }

    /// Brings the state across a gap that `pcm` conceals, and whose [`QMF_DELAY`] last samples are how the sound would go on behind it.
    ///
    /// Signals follow what was synthesised, as if it had been sent. The predictors' coefficients stay as the gap found them: those that adapt to
    /// synthesised sound are further from the sender's. The scale factors lie in the middle, which is nearer to the sender's than either.
    fn follow(&mut self, pcm: &[i16]) {
        if pcm.iter().all(|sample| sample.unsigned_abs() < AUDIBLE) {
            // In silence states that differ a little settle into an oscillation of their own.
            return;
        }
        let (low, high) = (self.low.clone(), self.high.clone());
        let mut analysis = Qmf([0; 24]);
        for (at, pair) in pcm.chunks_exact(2).enumerate() {
            let (even, odd) = analysis.push(pair[0].into(), pair[1].into());
            if at >= QMF_DELAY / 2 {
                let code = self.high.high_code((odd - even) >> 14) << 6 | self.low.low_code((odd + even) >> 14);
                let _ = self.decode_byte(code);
            }
        }
        self.low.keep_adaptation(&low, 8);
        self.high.keep_adaptation(&high, 10);
    }
}

impl G722Decoder {
    pub(super) fn new() -> Self {
        Self { synthesis: Synthesis::new(), concealer: Concealer::new(Hz::WIDE), scratch: Vec::new() }
    }

    /// What follows a gap, decoded behind an extension of what precedes it.
    fn decode_ahead(&self, lost_samples: usize, payload: &[u8]) -> Vec<i16> {
        let (mut synthesis, mut concealer) = (self.synthesis.clone(), self.concealer.clone());
        let mut pcm = Vec::with_capacity(lost_samples + QMF_DELAY);
        concealer.conceal(lost_samples, &mut pcm);
        concealer.continuation(QMF_DELAY, &mut pcm);
        synthesis.follow(&pcm);
        let mut next = Vec::with_capacity(2 * payload.len());
        synthesis.decode(payload, &mut next);
        next
    }
}

impl Decoder for G722Decoder {
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        (!payload.is_empty()).then_some(2 * payload.len())
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<(), CodecError> {
        if payload.is_empty() {
            return Err(CodecError::Payload);
        }
        let start = out.len();
        self.synthesis.decode(payload, out);
        self.concealer.good(&mut out[start..]);
        Ok(())
    }

    fn conceals_what_precedes(&self, _payload: &[u8]) -> bool {
        // A little, but what is heard of a loss is mostly the predictors behind it: not worth the delay of waiting.
        false
    }

    fn conceal(&mut self, lost_samples: usize, next_payload: Option<&[u8]>, out: &mut Vec<i16>) -> usize {
        let start = out.len();
        match next_payload {
            // It is decoded anew when its turn comes, behind the bridge that leads to it.
            Some(payload) => self.concealer.bridge(lost_samples, &self.decode_ahead(lost_samples, payload), out),
            None => self.concealer.conceal(lost_samples, out),
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(out.get(start..).unwrap_or_default());
        self.concealer.continuation(QMF_DELAY, &mut self.scratch);
        self.synthesis.follow(&self.scratch);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::level::dbov;

    /// FNV-1a.
    fn digest(bytes: impl Iterator<Item = u8>) -> u64 {
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The digests were taken from what two independent implementations of the Recommendation make of the same input.
    #[test]
    fn encoder_and_decoder_agree_with_other_implementations_bit() {
        let pcm: Vec<i16> = (0..3200u32).map(|i| (i * i * 7 % 30_011) as i16 - 15_005).collect();
        let (mut encoder, mut payload) = (G722Encoder::new(), Vec::new());
        pcm.chunks(320).for_each(|frame| encoder.encode(frame, &mut payload).unwrap());
        assert_eq!((payload.len(), digest(payload.iter().copied())), (1600, 0x19ae_29cb_154d_d1ec));
        let (mut decoder, mut heard) = (G722Decoder::new(), Vec::new());
        payload.chunks(160).for_each(|packet| decoder.decode(packet, &mut heard).unwrap());
        assert_eq!(digest(heard.iter().flat_map(|sample| sample.to_le_bytes())), 0xf49f_28e3_d500_0ba6);
    }

    /// Had the lost sound itself been synthesised, the next packets would be decoded as if nothing had been lost, but for the adaptation.
    #[test]
    fn a4_the_decoder_follows_what_was_synthesised() {
        let pcm: Vec<i16> =
            (0..9_600).map(|i| (6_000.0 * (i as f32 * 0.06).sin() + 2_000.0 * (i as f32 * 0.31).sin()) as i16).collect();
        let mut encoder = G722Encoder::new();
        let payloads = pcm.chunks(320).map(|frame| {
            let mut payload = Vec::new();
            encoder.encode(frame, &mut payload).unwrap();
            payload
        });
        let (mut whole, mut lossy) = (Synthesis::new(), Synthesis::new());
        let (mut expected, mut heard) = (Vec::new(), Vec::new());
        let payloads: Vec<Vec<u8>> = payloads.collect();
        payloads.iter().for_each(|payload| whole.decode(payload, &mut expected));
        for (n, payload) in payloads.iter().enumerate() {
            if n == 15 {
                lossy.follow(&expected[n * 320..(n + 1) * 320 + QMF_DELAY]);
                heard.extend_from_slice(&expected[n * 320..(n + 1) * 320]);
            } else {
                lossy.decode(payload, &mut heard);
            }
        }
        let level = |from: usize, of: &dyn Fn(usize) -> i16| dbov(&(from..from + 640).map(of).collect::<Vec<i16>>());
        let behind = 16 * 320;
        let error = level(behind, &|i| expected[i].saturating_sub(heard[i]));
        let sound = level(behind, &|i| expected[i]);
        assert!(error < sound - 15.0, "{error} dBov of error in {sound}");
    }
}
