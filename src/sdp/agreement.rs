//! [`Agreement`]: what offer and answer have settled, seen from our end.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Hold, SessionDescription};
use crate::codec::CodecKind;
use crate::common::units::Hz;
use crate::rtp::ice::IceCredentials;
use crate::rtp::payload::PayloadFormat;
pub use crate::rtp::transport::Protection;

/// What both ends agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The streams that flow over the transport. One of audio today.
    pub streams: Vec<Stream>,
    /// How they travel.
    pub transport: MediaTransport,
    /// Our side: the answer to send, or the offer that was answered.
    pub local: SessionDescription,
}

impl Agreement {
    /// The stream of audio.
    #[must_use]
    pub fn audio(&self) -> Option<&Stream> {
        self.streams.first()
    }
}

/// Addresses and protection of the packets of all streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaTransport {
    /// Where our RTP goes. The address is unspecified only on the hold of RFC 2543, when nothing is sent.
    pub remote: SocketAddr,
    /// Where our RTCP goes.
    pub remote_rtcp: SocketAddr,
    /// RTP and RTCP share one port (RFC 5761).
    pub rtcp_mux: bool,
    /// How packets are encrypted and authenticated.
    pub protection: Protection,
    /// ICE, where the peer has it.
    pub ice: Option<IceCredentials>,
}

/// One stream and the payload types that mean something on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The codec we send, and the first one we get.
    pub codec: CodecKind,
    /// Payload type to send.
    pub payload_type_send: u8,
    /// Payload type to expect for [`Stream::codec`].
    pub payload_type_receive: u8,
    /// Every payload type that either description names for something that we know: a peer may use its own number or ours, and may change to another
    /// codec of an answer without asking. Where both name one number for different things, ours is meant (RFC 3264 section 5.1).
    pub formats: Vec<PayloadFormat>,
    /// Keys by RFC 4733, where both can.
    pub telephone_event: Option<NegotiatedEvents>,
    /// Payload type of the comfort noise (RFC 3389) that we may send in pauses, where both name it.
    pub comfort_noise: Option<u8>,
    /// Duration of the packets we send: 10 to 60 ms.
    pub ptime_send: Duration,
    /// The peer's `a=fmtp` for the codec: what its decoder wishes of our encoder (RFC 7587 section 6.1 for Opus).
    pub fmtp_send: Option<String>,
    /// Whether the peer holds us.
    pub hold: Hold,
    /// We may send.
    pub we_send: bool,
    /// The peer may send.
    pub they_send: bool,
}

/// Negotiated RFC 4733 events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiatedEvents {
    /// Payload type of the events we send.
    pub send_pt: u8,
    /// Payload type of the events we get.
    pub receive_pt: u8,
    /// Clock of duration and timestamp: 8000 or 48000 Hz.
    pub clock: Hz,
}
