//! The table of codecs, and what encodes and decodes by one of them.

use crate::common::units::Hz;

/// A codec the gateway can speak.
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

/// What is said of a codec in SDP, and how its media is counted.
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
    /// two never come to agree. What listeners can share an encoding of.
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

/// How an encoder is to work. Only Opus looks at it; the others have one way.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct EncoderSettings {
    /// Bits per second of payload, 6 000 to 510 000.
    pub bitrate: u32,
    /// Effort, 0 to 10.
    pub complexity: u8,
    /// Whether packets carry a coarse copy of the one before (RFC 6716 §2.1.7).
    pub fec: bool,
    /// The packet loss to protect against, in percent; meaningful with `fec`.
    pub expected_loss: u8,
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self { bitrate: 32_000, complexity: 5, fec: true, expected_loss: 5 }
    }
}

/// Why a codec did not do its work.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// The codec library refused to start.
    #[error("codec could not be created")]
    Create,
    /// The PCM handed in is not a multiple of 10 ms between 10 and 60 ms.
    #[error("{samples} samples are not a packet")]
    FrameLength {
        /// How many samples were handed in.
        samples: usize,
    },
    /// The codec library failed to encode.
    #[error("codec could not encode")]
    Encode,
    /// The payload is not of this codec. Nothing was decoded; treat the packet as lost.
    #[error("payload is not of this codec")]
    Payload,
}

/// PCM to payload.
pub trait Encoder: Send {
    /// Appends the payload of one packet to `out`. `pcm` is mono at the row's sample rate: 10, 20, 30, 40, 50 or 60 ms.
    ///
    /// # Errors
    /// [`CodecError::FrameLength`] for any other length; [`CodecError::Encode`] when the library fails.
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<(), CodecError>;
}

/// Payload to PCM.
pub trait Decoder: Send {
    /// Appends the PCM of one packet, mono at the row's sample rate, to `out`.
    ///
    /// # Errors
    /// [`CodecError::Payload`] when the bytes are not of this codec; `out` is unchanged then.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<(), CodecError>;

    /// Appends `lost_samples` made up in place of lost ones. `next_payload` is the packet right after the loss, where it is
    /// already here: Opus may find a copy of the lost one in it. That packet is to be decoded afterwards all the same.
    fn conceal(&mut self, lost_samples: usize, next_payload: Option<&[u8]>, out: &mut Vec<i16>);
}

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
            Self::Opus => Box::new(super::opus::OpusEncoder::new(settings)?),
            Self::G722 => Box::new(super::g722::G722Encoder::new()),
            Self::Pcma => Box::new(super::g711::G711Encoder::new(super::g711::Law::A)),
            Self::Pcmu => Box::new(super::g711::G711Encoder::new(super::g711::Law::Mu)),
        })
    }

    /// A fresh decoder.
    ///
    /// # Errors
    /// [`CodecError::Create`] when the library refuses.
    pub fn decoder(self) -> Result<Box<dyn Decoder>, CodecError> {
        Ok(match self {
            Self::Opus => Box::new(super::opus::OpusDecoder::new()?),
            Self::G722 => Box::new(super::g722::G722Decoder::new()),
            Self::Pcma => Box::new(super::g711::G711Decoder::new(super::g711::Law::A)),
            Self::Pcmu => Box::new(super::g711::G711Decoder::new(super::g711::Law::Mu)),
        })
    }
}

/// Refuses PCM that is not 10 to 60 ms in steps of 10 ms.
pub(super) fn check_length(pcm: &[i16], rate: Hz) -> Result<(), CodecError> {
    let step = rate.0 as usize / 100;
    if pcm.is_empty() || !pcm.len().is_multiple_of(step) || pcm.len() > 6 * step {
        return Err(CodecError::FrameLength { samples: pcm.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
