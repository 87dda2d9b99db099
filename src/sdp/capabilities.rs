//! [`LocalCapabilities`]: what we bring to a negotiation.

use std::net::IpAddr;
use std::time::Duration;

use super::{Protection, SessionDescription};
use crate::codec::CodecKind;
use crate::rtp::dtls::DtlsIdentity;
use crate::rtp::ice::IceCredentials;

/// Packet duration where nobody says otherwise (RFC 3551 section 4.2).
pub const DEFAULT_PTIME: Duration = Duration::from_millis(20);
/// Shortest packet we send.
pub const MIN_PTIME: Duration = Duration::from_millis(10);
/// Longest packet we send and take.
pub const MAX_PTIME: Duration = Duration::from_millis(60);

/// What we bring to a negotiation.
#[derive(Debug, Clone)]
pub struct LocalCapabilities {
    /// The address to advertise (S-7).
    pub address: IpAddr,
    /// Our RTP port; RTCP is taken at the next one.
    pub port: u16,
    /// Enabled codecs, best first.
    pub codecs: Vec<CodecKind>,
    /// Codecs that are taken where a peer offers none of those, best first. We do not offer them.
    pub fallback: Vec<CodecKind>,
    /// Whose order decides.
    pub preference: Preference,
    /// The packet duration we ask for in our own offers.
    pub ptime: Duration,
    /// The session id of this dialog, any number; it stays the same through all descriptions of a dialog.
    pub session_id: u64,
    /// Whether the port can take RTCP at its RTP socket too (RFC 5761); agreed to where offered, and asked for with DTLS alone, which needs a
    /// handshake for each port.
    pub rtcp_mux: bool,
    /// Whether media is to be encrypted.
    pub srtp: SrtpPolicy,
    /// Our certificate, where keys come by DTLS.
    pub identity: DtlsIdentity,
    /// Where the peer's signalling comes from: what tells a peer behind a NAT.
    pub signalling: IpAddr,
    /// The description we sent last in this dialog: keeps the version, the `m=` lines and the payload types in step.
    pub previous: Option<SessionDescription>,
    /// The protection agreed on last: keys stay where the peer keeps its own.
    pub protection: Option<Protection>,
    /// ICE as agreed on last: our credentials stay where the peer keeps its own.
    pub ice: Option<IceCredentials>,
}

/// Whose codec order decides when we answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// The peer's, among what we have enabled.
    #[default]
    Offerer,
    /// Ours, among what the peer offers.
    Ours,
}

/// Whether media is to be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SrtpPolicy {
    /// Encrypted media only: other offers and answers are refused.
    Required,
    /// Encrypted wherever the peer can, in whichever form it says so; plain otherwise.
    #[default]
    Preferred,
    /// Encrypted media with keys by DTLS only: other offers and answers are refused.
    Dtls,
    /// Plain media only.
    Off,
}
