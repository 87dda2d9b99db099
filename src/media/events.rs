//! Events of the media plane: to a device's call, and to the meeting of a bridge.

use std::time::Duration;

use crate::common::ids::{BridgeId, ParticipantId, PeerId, PlayId, PortId};
use crate::common::play_outcome::PlayOutcome;
use crate::common::redact::Redacted;
use crate::rtp::dtls::DtlsError;
use crate::rtp::transport::Encryption;

use super::stats::PortStats;
pub use crate::policy::SentPackets;

/// From a port to its call. Bounded queue of 64, never waited for: an event that finds it full is counted, and the call is reported
/// `Stalled` by its absence of reaction (DESIGN §6).
#[derive(Debug, Clone)]
pub enum MediaEvent {
    /// The first packet of media was accepted.
    Flowing,
    /// A handshake of DTLS has given the keys of SRTP; comes again after an offer/answer that has kept them.
    Encrypted(Encryption),
    /// The handshake of DTLS has failed: nothing can be sent.
    NotEncrypted(DtlsError),
    /// A key by RFC 4733.
    Digit(Redacted<char>),
    /// A key of [`MediaEvent::Digit`] is up again.
    DigitReleased(Redacted<char>),
    /// A key by its tones.
    InbandDigit(Redacted<char>),
    /// A key of [`MediaEvent::InbandDigit`] is up again.
    InbandReleased(Redacted<char>),
    /// The first packet of something played has left the socket.
    Began {
        /// What.
        play: PlayId,
    },
    /// Something played has ended.
    Played {
        /// What.
        play: PlayId,
        /// How.
        outcome: PlayOutcome,
        /// In which packets; `None` if none left the socket.
        carried: Option<SentPackets>,
    },
    /// How much of it the device reports as received (N-8); comes once after `Completed`, at the latest when the port closes.
    Reported {
        /// What.
        play: PlayId,
        /// Of a thousand packets; `None`: it sends no reports.
        received_permille: Option<u16>,
    },
    /// No packet came for the configured time.
    Silent(Duration),
    /// The port is closed; nothing follows.
    Closed(Box<PortStats>),
}

impl MediaEvent {
    pub(super) fn inband_digit(digit: char) -> Self {
        Self::InbandDigit(Redacted::new(digit))
    }

    pub(super) fn inband_released(digit: char) -> Self {
        Self::InbandReleased(Redacted::new(digit))
    }
}

/// From a bridge and its peers to the meeting. Bounded queue of 256; full: counted and sent again with the next change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeEvent {
    /// Who speaks now.
    Speaking {
        /// Where.
        bridge: BridgeId,
        /// Loudest first.
        who: Vec<ParticipantId>,
    },
    /// A browser's connection changed.
    Peer {
        /// Which.
        peer: PeerId,
        /// How.
        change: super::peer::PeerChange,
    },
    /// The recorder of a bridge stopped by itself (N-12).
    RecorderFailed {
        /// Where.
        bridge: BridgeId,
    },
}

/// Names a port in what its worker sends to its call.
#[derive(Debug, Clone)]
pub struct PortEvent {
    /// Which port.
    pub port: PortId,
    /// What.
    pub heard: MediaEvent,
}
