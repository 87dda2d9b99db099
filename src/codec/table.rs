//! The table of codecs: a row of each, its encoder and its decoder.

use std::time::Duration;

use super::coding::{CodecError, Decoder, Encoder, EncoderSettings};
use super::g711::{G711Decoder, G711Encoder, Law};
use super::g722::{G722Decoder, G722Encoder};
use super::l16::{L16Decoder, L16Encoder};
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
    /// Uncompressed, 48 kHz.
    L16Full,
    /// Uncompressed, 44.1 kHz.
    L16Disc,
    /// Uncompressed, 16 kHz.
    L16Wide,
    /// Uncompressed, 8 kHz.
    L16Narrow,
}

/// What is offered to devices unless configured otherwise, best first.
pub const DEFAULT_CODECS: [CodecKind; 4] = [CodecKind::Opus, CodecKind::G722, CodecKind::Pcma, CodecKind::Pcmu];
/// What is taken from a device that offers nothing else of ours, best first: it takes three to ten times the bandwidth of G.711.
pub const FALLBACK_CODECS: [CodecKind; 4] = [CodecKind::L16Wide, CodecKind::L16Full, CodecKind::L16Disc, CodecKind::L16Narrow];

/// A codec in SDP, and how its media is counted.
#[derive(Debug)]
pub struct CodecRow {
    /// Which codec.
    pub kind: CodecKind,
    /// How the configuration and the command line name it.
    pub label: &'static str,
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
    /// The longest packet that fits into a datagram which nobody takes apart on its way.
    pub longest_packet: Duration,
    /// How a listener's own encoder and one that listeners share take over from each other.
    pub handover: EncoderHandover,
}

/// How an encoder goes on for another one, unnoticed by the decoder behind them.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum EncoderHandover {
    /// It is given the frames of 20 ms, so many, that the other one has encoded last; its state is near enough to the other's then.
    Replay(usize),
    /// Its state is copied ([`Encoder::adopt`]). Where both have a decoder behind them already, they encode the same until a decoder of the one
    /// that is given a payload of the other is nearly right ([`Encoder::mistracking`]).
    State,
}

/// The longest packet of a codec whose packets are small.
const LONGEST_PACKET: Duration = Duration::from_millis(60);
/// The rate of the compact disc.
const DISC: Hz = Hz(44_100);

/// Every codec, best first.
pub static CODECS: &[CodecRow] = &[
    CodecRow {
        kind: CodecKind::Opus,
        label: "opus",
        name: "opus",
        static_payload_type: None,
        rtp_clock: Hz::FULL,
        sample_rate: Hz::FULL,
        sdp_channels: 2,
        // A voice that is coded twice, and whose copies for in-band FEC are worth playing, takes more bits than the 32 kbit/s of most senders.
        fmtp: Some("maxaveragebitrate=56000;useinbandfec=1"),
        longest_packet: LONGEST_PACKET,
        // As far back as a voice is predicted from its pitch (RFC 6716 section 4.2.7.6), and some more.
        handover: EncoderHandover::Replay(3),
    },
    CodecRow {
        kind: CodecKind::G722,
        label: "g722",
        name: "G722",
        static_payload_type: Some(9),
        rtp_clock: Hz::NARROW,
        sample_rate: Hz::WIDE,
        sdp_channels: 1,
        fmtp: None,
        longest_packet: LONGEST_PACKET,
        // Two encoders of the same signal never come to agree bit by bit, but predictors and scale factors forget (clause 3.6): within 100 ms
        // they are near each other, and from frame to frame more or less so.
        handover: EncoderHandover::State,
    },
    CodecRow {
        kind: CodecKind::Pcma,
        label: "pcma",
        name: "PCMA",
        static_payload_type: Some(8),
        rtp_clock: Hz::NARROW,
        sample_rate: Hz::NARROW,
        sdp_channels: 1,
        fmtp: None,
        longest_packet: LONGEST_PACKET,
        // It remembers nothing; the resampler before it does.
        handover: EncoderHandover::Replay(1),
    },
    CodecRow {
        kind: CodecKind::Pcmu,
        label: "pcmu",
        name: "PCMU",
        static_payload_type: Some(0),
        rtp_clock: Hz::NARROW,
        sample_rate: Hz::NARROW,
        sdp_channels: 1,
        fmtp: None,
        longest_packet: LONGEST_PACKET,
        handover: EncoderHandover::Replay(1),
    },
    CodecRow {
        kind: CodecKind::L16Full,
        label: "l16-48000",
        name: "L16",
        static_payload_type: None,
        rtp_clock: Hz::FULL,
        sample_rate: Hz::FULL,
        sdp_channels: 1,
        fmtp: None,
        longest_packet: Duration::from_millis(10),
        handover: EncoderHandover::Replay(1),
    },
    CodecRow {
        kind: CodecKind::L16Disc,
        label: "l16-44100",
        name: "L16",
        static_payload_type: Some(11),
        rtp_clock: DISC,
        sample_rate: DISC,
        sdp_channels: 1,
        fmtp: None,
        longest_packet: Duration::from_millis(10),
        handover: EncoderHandover::Replay(1),
    },
    CodecRow {
        kind: CodecKind::L16Wide,
        label: "l16-16000",
        name: "L16",
        static_payload_type: None,
        rtp_clock: Hz::WIDE,
        sample_rate: Hz::WIDE,
        sdp_channels: 1,
        fmtp: None,
        longest_packet: Duration::from_millis(40),
        handover: EncoderHandover::Replay(1),
    },
    CodecRow {
        kind: CodecKind::L16Narrow,
        label: "l16-8000",
        name: "L16",
        static_payload_type: None,
        rtp_clock: Hz::NARROW,
        sample_rate: Hz::NARROW,
        sdp_channels: 1,
        fmtp: None,
        longest_packet: Duration::from_millis(60),
        handover: EncoderHandover::Replay(1),
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
            Self::L16Full => 4,
            Self::L16Disc => 5,
            Self::L16Wide => 6,
            Self::L16Narrow => 7,
        };
        &CODECS[at]
    }

    /// The codec that the configuration names so, compared without regard to case.
    #[must_use]
    pub fn by_label(label: &str) -> Option<Self> {
        CODECS.iter().find(|row| row.label.eq_ignore_ascii_case(label)).map(|row| row.kind)
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
            Self::L16Full | Self::L16Disc | Self::L16Wide | Self::L16Narrow => Box::new(L16Encoder::new(self.row().sample_rate)),
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
            Self::L16Full | Self::L16Disc | Self::L16Wide | Self::L16Narrow => Box::new(L16Decoder::new(self.row().sample_rate)),
        })
    }
}

#[cfg(test)]
mod tests;
