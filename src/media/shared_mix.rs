//! The mix of all listeners: encoded at most once a tick for each codec.
//!
//! A leg that is mixed needs a mix without its own voice, and so an encoder of its own; all others are sent the same payload under
//! RTP headers of their own. Encoders and decoders have state, so an encoder that takes over from another one is first brought
//! near to the other one's ([`EncoderHandover`]): by the last few frames of the common mix ([`SharedMix::history`]), or by a copy of
//! its state ([`SharedMix::encoder`]).

use std::collections::VecDeque;

use crate::codec::{CodecError, CodecKind, Encoder, EncoderHandover, EncoderSettings};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::dsp::resample::{Resampler, between};

/// Frames kept for encoders that take over: as many as the codec with the longest memory needs.
const REMEMBERED: usize = 3;

/// Error, in dB against the signal, up to which a decoder is given payloads of the shared encoder in place of those of its own: 15 dB below what
/// G.722 adds to speech. It may be greater by [`MISTRACKING_RISE`] for each frame that the leg has waited; the first second is mostly enough.
const MISTRACKING: f32 = -36.0;
const MISTRACKING_RISE: f32 = 0.2;

/// The sum of all legs that are mixed, for those that are not part of it.
pub struct SharedMix {
    frame: Frame,
    history: VecDeque<Frame>,
    tick: u64,
    encodings: Vec<Encoding>,
    /// Effort of the encoders, 0 to 10.
    complexity: u8,
}

/// The mix that a leg is sent in one tick.
pub enum TickSound<'a> {
    /// Its gate is shut.
    Nothing,
    /// A mix for this leg alone: it is part of the mix itself, or its gate is fading. With it goes the common mix, where there is one,
    /// for its history.
    Own(&'a Frame, Option<&'a SharedMix>),
    /// The mix that all legs share that are not part of it.
    Common(&'a mut SharedMix),
}

/// The common mix in one codec.
struct Encoding {
    codec: CodecKind,
    encoder: Box<dyn Encoder>,
    /// The encoder as it was before this tick's frame, where states are copied.
    before: Option<Box<dyn Encoder>>,
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
        Self {
            frame: Frame::silence(Hz::FULL),
            history: VecDeque::new(),
            tick: 0,
            encodings: Vec::new(),
            complexity: EncoderSettings::default().complexity,
        }
    }
}

impl SharedMix {
    /// Effort of the encoders from now on, 0 to 10.
    pub fn set_complexity(&mut self, complexity: u8) {
        self.complexity = complexity;
        self.encodings.iter_mut().for_each(|encoding| encoding.encoder.set_complexity(complexity));
    }

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

    /// The frames before this tick's that an encoder must have encoded to take over, oldest first. Where states are copied, the one that the
    /// resampler before the encoder remembers.
    pub fn history(&self, codec: CodecKind) -> impl Iterator<Item = &Frame> {
        newest(&self.history, replayed(codec))
    }

    /// A listener of the shared payloads does not get this share of them, in percent; `None`: it has not reported yet, and is taken for one with
    /// some loss. The worst of a tick's listeners counts for the next tick.
    pub fn expect_loss(&mut self, codec: CodecKind, percent: Option<u8>) {
        if let Some(encoding) = self.encodings.iter_mut().find(|encoding| encoding.codec == codec) {
            encoding.expected_loss = encoding.expected_loss.max(percent.unwrap_or(EncoderSettings::default().expected_loss));
        }
    }

    /// The shared encoder of a codec as it was before this tick's frame; `None` where it did not encode the last one, or states are not copied.
    #[must_use]
    pub fn encoder(&self, codec: CodecKind) -> Option<&dyn Encoder> {
        let encoding = self.running(codec)?;
        let before = encoding.before.as_deref()?;
        Some(if encoding.encoded == self.tick { before } else { &*encoding.encoder })
    }

    /// Whether a leg whose encoder has encoded the last so many frames of the common mix may go over to the shared payloads. Where the shared
    /// encoder does not run, it goes on from the state of this leg's.
    pub fn joins(&mut self, codec: CodecKind, own: &dyn Encoder, frames: usize) -> bool {
        if codec.row().handover != EncoderHandover::State {
            return true;
        }
        if self.running(codec).is_none() {
            return self.run_from(codec, own);
        }
        if self.payload(codec).is_none() {
            return false;
        }
        let tolerated = MISTRACKING + MISTRACKING_RISE * frames as f32;
        let error = self.running(codec).and_then(|encoding| own.mistracking(encoding.before.as_deref()?, &encoding.payload));
        error.is_some_and(|error| error <= tolerated)
    }

    /// Lets the shared encoder go on from the state of another one, which has encoded the frame before this tick's.
    fn run_from(&mut self, codec: CodecKind, own: &dyn Encoder) -> bool {
        let Some(encoding) = open(&mut self.encodings, codec, self.complexity) else { return false };
        newest(&self.history, 1).for_each(|frame| encoding.encode(frame));
        encoding.encoded = self.tick.saturating_sub(1);
        encoding.encoder.adopt(own)
    }

    /// This tick's frame as a payload of 20 ms; `None` where the codec fails: every leg then encodes for itself.
    pub fn payload(&mut self, codec: CodecKind) -> Option<&[u8]> {
        let encoding = open(&mut self.encodings, codec, self.complexity)?;
        if encoding.encoded != self.tick {
            if encoding.encoded + 1 != self.tick {
                newest(&self.history, replayed(codec)).for_each(|frame| encoding.encode(frame));
            }
            encoding.encoder.expect_loss(std::mem::take(&mut encoding.expected_loss));
            encoding.encode(&self.frame);
            encoding.encoded = self.tick;
        }
        (!encoding.payload.is_empty()).then_some(encoding.payload.as_slice())
    }

    /// The encoding of a codec that was encoded in the last tick, or in this one.
    fn running(&self, codec: CodecKind) -> Option<&Encoding> {
        self.encodings.iter().find(|encoding| encoding.codec == codec && encoding.encoded + 1 >= self.tick)
    }
}

/// Frames that are encoded anew when an encoder of this codec takes over.
fn replayed(codec: CodecKind) -> usize {
    match codec.row().handover {
        EncoderHandover::Replay(frames) => frames,
        EncoderHandover::State => 1,
    }
}

/// The encoding of a codec, made where there is none.
fn open(encodings: &mut Vec<Encoding>, codec: CodecKind, complexity: u8) -> Option<&mut Encoding> {
    let place = match encodings.iter().position(|encoding| encoding.codec == codec) {
        Some(place) => place,
        None => {
            encodings.push(Encoding::new(codec, complexity).ok()?);
            encodings.len() - 1
        }
    };
    encodings.get_mut(place)
}

/// The newest of these frames, oldest first.
fn newest(history: &VecDeque<Frame>, wanted: usize) -> impl Iterator<Item = &Frame> {
    history.iter().skip(history.len().saturating_sub(wanted))
}

// === impl Encoding ===

impl Encoding {
    fn new(codec: CodecKind, complexity: u8) -> Result<Self, CodecError> {
        let encoder = || codec.encoder(EncoderSettings { complexity, ..EncoderSettings::default() });
        let copied = matches!(codec.row().handover, EncoderHandover::State);
        Ok(Self {
            codec,
            encoder: encoder()?,
            before: if copied { Some(encoder()?) } else { None },
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
        if let Some(before) = &mut self.before {
            before.adopt(&*self.encoder);
        }
        self.payload.clear();
        if self.encoder.encode(samples, &mut self.payload).is_err() {
            self.payload.clear();
        }
    }
}
