//! The mix of all listeners: encoded at most once a tick for each codec.
//!
//! A leg that is audible needs a mix without its own voice, and so an encoder of its own; all others are sent the same payload under
//! RTP headers of their own. Encoders and decoders have state, so an encoder that takes over from another one is first
//! given the last few frames of the common mix ([`SharedMix::history`]), after which its state is nearly the other one's. A codec
//! for which that is not near enough is not shared ([`crate::codec::CodecRow::takes_over_after`]).

use std::collections::VecDeque;

use crate::codec::{CodecError, CodecKind, Encoder, EncoderSettings};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::resample::{Resampler, between};

/// Frames kept for encoders that take over: as many as the codec with the longest memory needs.
const REMEMBERED: usize = 3;

/// The sum of all audible legs, for those that are not part of it.
pub struct SharedMix {
    frame: Frame,
    history: VecDeque<Frame>,
    tick: u64,
    encodings: Vec<Encoding>,
}

/// The mix that a leg is sent in one tick.
pub enum TickSound<'a> {
    /// Its gate is shut.
    Nothing,
    /// A mix for this leg alone: it is audible itself, or its gate is fading. With it goes the common mix, where there is one,
    /// for its history.
    Own(&'a Frame, Option<&'a SharedMix>),
    /// The mix that all inaudible legs share.
    Common(&'a mut SharedMix),
}

/// The common mix in one codec.
struct Encoding {
    codec: CodecKind,
    encoder: Box<dyn Encoder>,
    resampler: Option<Resampler>,
    samples: Vec<i16>,
    payload: Vec<u8>,
    /// The highest loss, in percent, of its listeners since the last frame.
    expected_loss: u8,
    /// The tick whose frame was encoded last.
    encoded: u64,
}

// === impl SharedMix ===

impl Default for SharedMix {
    fn default() -> Self {
        Self { frame: Frame::silence(Hz::FULL), history: VecDeque::new(), tick: 0, encodings: Vec::new() }
    }
}

impl SharedMix {
    /// Begins the next tick, and gives the frame to be filled.
    pub fn advance(&mut self) -> &mut Frame {
        self.tick += 1;
        let oldest = if self.history.len() < REMEMBERED { None } else { self.history.pop_front() };
        let next = oldest.unwrap_or_else(|| Frame::silence(Hz::FULL));
        self.history.push_back(std::mem::replace(&mut self.frame, next));
        &mut self.frame
    }

    /// This tick's frame, at 48 kHz.
    #[must_use]
    pub const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The frames before this tick's that an encoder must have encoded to take over, oldest first.
    pub fn history(&self, codec: CodecKind) -> impl Iterator<Item = &Frame> {
        newest(&self.history, codec.row().takes_over_after.unwrap_or(0))
    }

    /// A listener of the shared payloads does not get this share of them, in percent; `None`: it has not reported yet, and is taken for one with
    /// some loss. The worst of a tick's listeners counts for the next tick.
    pub fn expect_loss(&mut self, codec: CodecKind, percent: Option<u8>) {
        if let Some(encoding) = self.encodings.iter_mut().find(|encoding| encoding.codec == codec) {
            encoding.expected_loss = encoding.expected_loss.max(percent.unwrap_or(EncoderSettings::default().expected_loss));
        }
    }

    /// This tick's frame as a payload of 20 ms; `None` where the codec is not shared, or fails: every leg then encodes
    /// for itself.
    pub fn payload(&mut self, codec: CodecKind) -> Option<&[u8]> {
        let after = codec.row().takes_over_after?;
        let place = match self.encodings.iter().position(|encoding| encoding.codec == codec) {
            Some(place) => place,
            None => {
                self.encodings.push(Encoding::new(codec).ok()?);
                self.encodings.len() - 1
            }
        };
        let encoding = self.encodings.get_mut(place)?;
        if encoding.encoded != self.tick {
            if encoding.encoded + 1 != self.tick {
                newest(&self.history, after).for_each(|frame| encoding.encode(frame));
            }
            encoding.encoder.expect_loss(std::mem::take(&mut encoding.expected_loss));
            encoding.encode(&self.frame);
            encoding.encoded = self.tick;
        }
        (!encoding.payload.is_empty()).then_some(encoding.payload.as_slice())
    }
}

/// The newest of these frames, oldest first.
fn newest(history: &VecDeque<Frame>, wanted: usize) -> impl Iterator<Item = &Frame> {
    history.iter().skip(history.len().saturating_sub(wanted))
}

// === impl Encoding ===

impl Encoding {
    fn new(codec: CodecKind) -> Result<Self, CodecError> {
        Ok(Self {
            codec,
            encoder: codec.encoder(EncoderSettings::default())?,
            resampler: between(Hz::FULL, codec.row().sample_rate),
            samples: Vec::new(),
            payload: Vec::with_capacity(400),
            expected_loss: EncoderSettings::default().expected_loss,
            encoded: 0,
        })
    }

    /// Makes the next payload; an empty one if the encoder fails.
    fn encode(&mut self, frame: &Frame) {
        let samples = match &mut self.resampler {
            Some(resampler) => {
                self.samples.clear();
                resampler.process(frame.samples(), &mut self.samples);
                &self.samples
            }
            None => frame.samples(),
        };
        self.payload.clear();
        if self.encoder.encode(samples, &mut self.payload).is_err() {
            self.payload.clear();
        }
    }
}
