//! Figures of one device's media, for the call record (M-16) and for people.

use std::time::Duration;

use crate::rtp::transport::Encryption;

/// What a port has counted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PortStats {
    /// RTP packets accepted.
    pub received: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets that never came (RFC 3550 appendix A.3: negative where duplicates outnumber losses).
    pub lost: i64,
    /// Packets from an address that S-7 does not accept, or that could not be read.
    pub refused: u64,
    /// Packets of the device with a payload type that neither description names.
    pub unnamed: u64,
    /// Datagrams that SRTP did not take: a wrong tag, or one that came twice.
    pub unauthentic: u64,
    /// By what packets are protected; `None` for plain RTP, and until there are keys.
    pub encryption: Option<Encryption>,
    /// Interarrival jitter (RFC 3550 section 6.4.1).
    pub jitter: Duration,
    /// Concealed audio.
    pub concealed: Duration,
    /// Round-trip time by RTCP, where known.
    pub round_trip: Option<Duration>,
    /// Estimated listening quality, 1 to 4.5 (E-model).
    pub mos: f32,
}
