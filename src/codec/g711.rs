//! ITU-T G.711: A-law and µ-law, one byte a sample. A byte is sign, segment (3 bits) and step (4 bits), inverted on the wire.

use super::coding::check_length;
use super::{CodecError, Decoder, Encoder};
use crate::common::units::Hz;
use crate::dsp::conceal::Concealer;

/// Which of the two laws.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Law {
    A,
    Mu,
}

impl Law {
    /// The samples of a payload.
    fn expand(self, payload: &[u8]) -> impl Iterator<Item = i16> {
        let values = match self {
            Self::Mu => &MU_VALUES,
            Self::A => &A_VALUES,
        };
        payload.iter().map(|&byte| values[usize::from(byte)])
    }
}

/// Half a segment-0 step group on the 16-bit scale: added before finding a µ-law segment (33 on the 14-bit scale).
const MU_BIAS: i32 = 33 << 2;
/// The largest magnitude that µ-law can represent, on the 16-bit scale (8158 on the 14-bit scale).
const MU_CLIP: i32 = 32_635;

const fn mu_expand(byte: u8) -> i16 {
    let byte = !byte;
    let step = ((byte & 0x0f) as i32) << 3;
    let magnitude = ((step + MU_BIAS) << ((byte >> 4) & 7)) - MU_BIAS;
    (if byte & 0x80 != 0 { -magnitude } else { magnitude }) as i16
}

const fn a_expand(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let step = ((byte & 0x0f) as i32) << 4;
    let magnitude = match (byte >> 4) & 7 {
        0 => step + 8,
        segment => (step + 0x108) << (segment - 1),
    };
    (if byte & 0x80 != 0 { magnitude } else { -magnitude }) as i16
}

const fn table(mu: bool) -> [i16; 256] {
    let mut values = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        values[byte] = if mu { mu_expand(byte as u8) } else { a_expand(byte as u8) };
        byte += 1;
    }
    values
}

static MU_VALUES: [i16; 256] = table(true);
static A_VALUES: [i16; 256] = table(false);

fn mu_compress(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0x80, -i32::from(sample)) } else { (0, i32::from(sample)) };
    let biased = magnitude.min(MU_CLIP) + MU_BIAS;
    // `biased` lies in 132..=32767, so its highest bit is 7 to 14.
    let segment = (24 - biased.leading_zeros()) as u8;
    let step = (biased >> (segment + 3)) as u8 & 0x0f;
    !(sign | (segment << 4) | step)
}

fn a_compress(sample: i16) -> u8 {
    // One's complement for negative values, so that -1 falls into the first negative step.
    let (sign, magnitude) = if sample < 0 { (0, i32::from(!sample)) } else { (0x80, i32::from(sample)) };
    let segment = if magnitude < 256 { 0 } else { (24 - magnitude.leading_zeros()) as u8 };
    let step = (magnitude >> if segment == 0 { 4 } else { segment + 3 }) as u8 & 0x0f;
    (sign | (segment << 4) | step) ^ 0x55
}

/// PCM to A-law or µ-law.
pub(super) struct G711Encoder {
    law: Law,
}

/// A-law or µ-law to PCM, with waveform concealment.
pub(super) struct G711Decoder {
    law: Law,
    concealer: Concealer,
}

impl G711Encoder {
    pub(super) fn new(law: Law) -> Self {
        Self { law }
    }
}

impl Encoder for G711Encoder {
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<(), CodecError> {
        check_length(pcm, Hz::NARROW)?;
        match self.law {
            Law::Mu => out.extend(pcm.iter().map(|&sample| mu_compress(sample))),
            Law::A => out.extend(pcm.iter().map(|&sample| a_compress(sample))),
        }
        Ok(())
    }
}

impl G711Decoder {
    pub(super) fn new(law: Law) -> Self {
        Self { law, concealer: Concealer::new(Hz::NARROW) }
    }
}

impl Decoder for G711Decoder {
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        (!payload.is_empty()).then_some(payload.len())
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<(), CodecError> {
        if payload.is_empty() {
            return Err(CodecError::Payload);
        }
        let start = out.len();
        out.extend(self.law.expand(payload));
        self.concealer.good(&mut out[start..]);
        Ok(())
    }

    fn conceals_what_precedes(&self, _payload: &[u8]) -> bool {
        true
    }

    fn conceal(&mut self, lost_samples: usize, next_payload: Option<&[u8]>, out: &mut Vec<i16>) -> usize {
        let next: Vec<i16> = next_payload.map_or_else(Vec::new, |payload| self.law.expand(payload).collect());
        self.concealer.bridge(lost_samples, &next, out);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_survives_expansion_and_compression() {
        for byte in 0..=255u8 {
            assert_eq!(a_compress(a_expand(byte)), byte);
            // µ-law has two zeroes; the negative one (0x7f) comes back as the positive (0xff).
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(mu_compress(mu_expand(byte)), expected);
        }
    }

    #[test]
    fn known_points_of_the_tables() {
        assert_eq!((mu_expand(0x00), mu_expand(0x80), mu_expand(0xff)), (-32_124, 32_124, 0));
        assert_eq!((a_expand(0xd5), a_expand(0x55), a_expand(0xaa), a_expand(0x2a)), (8, -8, 32_256, -32_256));
        assert_eq!((mu_compress(i16::MAX), mu_compress(i16::MIN), mu_compress(0)), (0x80, 0x00, 0xff));
        assert_eq!((a_compress(i16::MAX), a_compress(i16::MIN), a_compress(0), a_compress(-1)), (0xaa, 0x2a, 0xd5, 0x55));
    }

    #[test]
    fn compression_never_reverses_the_order_of_two_samples() {
        for law in [mu_compress as fn(i16) -> u8, a_compress] {
            let expand = if law(0) == 0xff { mu_expand } else { a_expand };
            let mut before = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let heard = expand(law(sample));
                assert!(heard >= before, "{sample}");
                before = heard;
            }
        }
    }
}
