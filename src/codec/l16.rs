//! L16 (RFC 3551 section 4.5.11): samples as they are, 16 bits each in network order.

use super::coding::check_length;
use super::{CodecError, Decoder, Encoder};
use crate::common::units::Hz;
use crate::dsp::conceal::Concealer;

/// PCM to L16.
pub(super) struct L16Encoder {
    rate: Hz,
}

/// L16 to PCM, with waveform concealment.
pub(super) struct L16Decoder {
    concealer: Concealer,
}

impl L16Encoder {
    pub(super) const fn new(rate: Hz) -> Self {
        Self { rate }
    }
}

impl Encoder for L16Encoder {
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<(), CodecError> {
        check_length(pcm, self.rate)?;
        out.extend(pcm.iter().flat_map(|sample| sample.to_be_bytes()));
        Ok(())
    }
}

impl L16Decoder {
    pub(super) fn new(rate: Hz) -> Self {
        Self { concealer: Concealer::new(rate) }
    }
}

impl Decoder for L16Decoder {
    fn samples(&self, payload: &[u8]) -> Option<usize> {
        (!payload.is_empty() && payload.len().is_multiple_of(2)).then_some(payload.len() / 2)
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<(), CodecError> {
        self.samples(payload).ok_or(CodecError::Payload)?;
        let start = out.len();
        out.extend(expand(payload));
        self.concealer.good(&mut out[start..]);
        Ok(())
    }

    fn conceals_what_precedes(&self, _payload: &[u8]) -> bool {
        true
    }

    fn conceal(&mut self, lost_samples: usize, next_payload: Option<&[u8]>, out: &mut Vec<i16>) -> usize {
        let next: Vec<i16> = next_payload.map_or_else(Vec::new, |payload| expand(payload).collect());
        self.concealer.bridge(lost_samples, &next, out);
        0
    }
}

/// The samples of a payload.
fn expand(payload: &[u8]) -> impl Iterator<Item = i16> {
    payload.as_chunks::<2>().0.iter().map(|sample| i16::from_be_bytes(*sample))
}
