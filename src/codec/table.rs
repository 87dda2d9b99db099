//! The table of codecs: a row of each, its encoder and its decoder.

use super::coding::{CodecError, Decoder, Encoder, EncoderSettings};
use super::g711::{G711Decoder, G711Encoder, Law};
use super::g722::{G722Decoder, G722Encoder};
use super::opus::{OpusDecoder, OpusEncoder};
use crate::common::units::Hz;

/// A codec that the gateway supports.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum CodecKind {
    /// RFC 6716, mono, 48 kHz.
    Opus,
    /// ITU-T G.722 at 64 kbit/s, 16 kHz.
    G722,
    /// ITU-T G.711 A-law, 8 kHz.
    Pcma,
    /// ITU-T G.711 µ-law, 8 kHz.
    Pcmu,
}

/// A codec in SDP, and how its media is counted.
#[derive(Debug)]
pub struct CodecRow {
    /// Which codec.
    pub kind: CodecKind,
    /// The encoding name of `a=rtpmap`; compared without regard to case.
    pub name: &'static str,
    /// The payload type RFC 3551 §6 gives it; `None` for a dynamic one.
    pub static_payload_type: Option<u8>,
    /// The rate of RTP timestamps. 8 kHz for G.722, an error of RFC 1890 that RFC 3551 §4.5.2 keeps.
    pub rtp_clock: Hz,
    /// The rate of the PCM that the encoder takes and the decoder gives.
    pub sample_rate: Hz,
    /// The channel count of `a=rtpmap`: always 2 for Opus (RFC 7587 §7), whatever is sent.
    pub sdp_channels: u8,
    /// Parameters for `a=fmtp`.
    pub fmtp: Option<&'static str>,
    /// Frames of 20 ms after which an encoder can go on for another one, unnoticed by the decoder behind them; `None` where the
    /// two never come to agree. Where it is given, listeners can share an encoding.
    pub takes_over_after: Option<usize>,
}

/// Every codec, best first.
pub static CODECS: &[CodecRow] = &[
    CodecRow {
        kind: CodecKind::Opus,
        name: "opus",
        static_payload_type: None,
        rtp_clock: Hz::FULL,
        sample_rate: Hz::FULL,
        sdp_channels: 2,
        fmtp: Some("useinbandfec=1"),
        // As far back as a voice is predicted from its pitch (RFC 6716 section 4.2.7.6), and some more.
        takes_over_after: Some(3),
    },
    CodecRow {
        kind: CodecKind::G722,
        name: "G722",
        static_payload_type: Some(9),
        rtp_clock: Hz::NARROW,
        sample_rate: Hz::WIDE,
        sdp_channels: 1,
        fmtp: None,
        // Two encoders that hear the same for ever quantise it differently; at 12 µs a frame each listener can have its own.
        takes_over_after: None,
    },
    CodecRow {
        kind: CodecKind::Pcma,
        name: "PCMA",
        static_payload_type: Some(8),
        rtp_clock: Hz::NARROW,
        sample_rate: Hz::NARROW,
        sdp_channels: 1,
        fmtp: None,
        // It remembers nothing; the resampler before it does.
        takes_over_after: Some(1),
    },
    CodecRow {
        kind: CodecKind::Pcmu,
        name: "PCMU",
        static_payload_type: Some(0),
        rtp_clock: Hz::NARROW,
        sample_rate: Hz::NARROW,
        sdp_channels: 1,
        fmtp: None,
        takes_over_after: Some(1),
    },
];

// === impl CodecKind ===

impl CodecKind {
    /// The codec's row of [`CODECS`].
    #[must_use]
    pub fn row(self) -> &'static CodecRow {
        let at = match self {
            Self::Opus => 0,
            Self::G722 => 1,
            Self::Pcma => 2,
            Self::Pcmu => 3,
        };
        &CODECS[at]
    }

    /// The codec with this SDP encoding name, compared without regard to case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        CODECS.iter().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.kind)
    }

    /// The codec that RFC 3551 gives this payload type.
    #[must_use]
    pub fn by_static_payload_type(payload_type: u8) -> Option<Self> {
        CODECS.iter().find(|row| row.static_payload_type == Some(payload_type)).map(|row| row.kind)
    }

    /// A fresh encoder.
    ///
    /// # Errors
    /// [`CodecError::Create`] when the library refuses.
    pub fn encoder(self, settings: EncoderSettings) -> Result<Box<dyn Encoder>, CodecError> {
        Ok(match self {
            Self::Opus => Box::new(OpusEncoder::new(settings)?),
            Self::G722 => Box::new(G722Encoder::new()),
            Self::Pcma => Box::new(G711Encoder::new(Law::A)),
            Self::Pcmu => Box::new(G711Encoder::new(Law::Mu)),
        })
    }

    /// A fresh decoder.
    ///
    /// # Errors
    /// [`CodecError::Create`] when the library refuses.
    pub fn decoder(self) -> Result<Box<dyn Decoder>, CodecError> {
        Ok(match self {
            Self::Opus => Box::new(OpusDecoder::new()?),
            Self::G722 => Box::new(G722Decoder::new()),
            Self::Pcma => Box::new(G711Decoder::new(Law::A)),
            Self::Pcmu => Box::new(G711Decoder::new(Law::Mu)),
        })
    }
}

#[cfg(test)]
mod tests;
