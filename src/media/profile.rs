//! What is negotiated for a device's port.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::codec::{CodecError, CodecKind};
use crate::common::units::Hz;
use crate::rtp::latch::NamedSource;
use crate::rtp::srtp::{SrtpError, SrtpKeyPair};

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
    /// Payload type we send.
    pub payload_type_send: u8,
    /// Payload type the device sends.
    pub payload_type_receive: u8,
    /// Telephone events, where agreed on.
    pub telephone_event: Option<TelephoneEventFormat>,
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
    /// Keys of SRTP; `None` for plain RTP.
    pub srtp: Option<SrtpKeyPair>,
    /// We may send (the device listens).
    pub we_send: bool,
    /// The device sends.
    pub they_send: bool,
}

impl Profile {
    /// The suite of SRTP by its name in `a=crypto`; `None` for plain RTP.
    #[must_use]
    pub fn encryption(&self) -> Option<&'static str> {
        self.srtp.as_ref().map(|keys| keys.ours.suite.name())
    }
}

/// Which of a port's two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Audio and telephone events.
    Rtp,
    /// Reports (RFC 3550 section 6).
    Rtcp,
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
