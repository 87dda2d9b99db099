//! What is negotiated for a device's port.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::codec::{CodecError, CodecKind, EncoderSettings};
use crate::common::units::Hz;
use crate::rtp::ice::IceCredentials;
use crate::rtp::latch::NamedSource;
use crate::rtp::payload::PayloadFormat;
use crate::rtp::srtp::{CryptoSuite, SrtpError};
pub use crate::rtp::transport::Channel;
use crate::rtp::transport::Protection;

/// Telephone-event as negotiated (RFC 4733).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TelephoneEventFormat {
    /// The payload type the device sends.
    pub payload_type: u8,
    /// The payload type we send.
    pub send_payload_type: u8,
    /// RTP clock of the events.
    pub clock: Hz,
}

/// Where keys are looked for beside SIP INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DtmfPolicy {
    /// In the audio where telephone-event was not negotiated.
    #[default]
    Auto,
    /// In the audio always, and in telephone events where they were negotiated.
    Inband,
    /// In telephone events alone.
    OutOfBand,
}

impl DtmfPolicy {
    /// Whether keys are looked for in the audio.
    #[must_use]
    pub const fn is_inband(self, has_events: bool) -> bool {
        match self {
            Self::Auto => !has_events,
            Self::Inband => true,
            Self::OutOfBand => false,
        }
    }
}

/// The media that offer and answer agreed on for a port (RFC 3264).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The codec, the same both ways.
    pub codec: CodecKind,
    /// Settings of our encoder, within what the device's `a=fmtp` allows. Its most bits per second may change with an offer; all else is ours.
    pub encoder: EncoderSettings,
    /// Payload type we send.
    pub payload_type_send: u8,
    /// Every payload type that either description names: the device may use its own numbers or ours, and may change to another codec of its answer
    ///
    pub formats: Vec<PayloadFormat>,
    /// Telephone events, where agreed on.
    pub telephone_event: Option<TelephoneEventFormat>,
    /// Payload type of comfort noise (RFC 3389), which may be sent in pauses where it is agreed on.
    pub comfort_noise: Option<u8>,
    /// Keys are looked for in the audio.
    pub inband_keys: bool,
    /// Audio in a packet of ours: 10 to 60 ms.
    pub ptime: Duration,
    /// The described address for RTP.
    pub remote: SocketAddr,
    /// The described address for RTCP.
    pub remote_rtcp: SocketAddr,
    /// Source address of the signalling (S-7).
    pub signalling: IpAddr,
    /// Trust in `remote` (S-7).
    pub named: NamedSource,
    /// RTCP shares the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// How packets are encrypted.
    pub protection: Protection,
    /// ICE, where the device has it: media goes where its checks come from.
    pub ice: Option<IceCredentials>,
    /// We may send (the device listens).
    pub we_send: bool,
    /// The device sends.
    pub they_send: bool,
}

impl Profile {
    /// The suite of SRTP by its name in `a=crypto`; `None` for plain RTP, and for DTLS, whose suite only
    /// [`super::MediaEvent::Encrypted`] names.
    #[must_use]
    pub fn encryption(&self) -> Option<&'static str> {
        self.protection.suite().map(CryptoSuite::name)
    }
}

/// Why a port cannot take what offer and answer agreed on.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The codec's library refuses its settings.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The keys of SRTP cannot be used.
    #[error("SRTP: {0}")]
    Srtp(#[from] SrtpError),
}
