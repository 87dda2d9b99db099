//! What media says upward: to a device's call, and to the meeting of a bridge.

use std::time::Duration;

use crate::ids::{BridgeId, ParticipantId, PeerId, PlayId, PortId};
use crate::redact::Redacted;

use super::stats::PortStats;

/// How something played ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// To its last sample.
    Completed,
    /// Cut, or never begun.
    Interrupted,
}

/// Which RTP packets carried something played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Extended sequence number of the first.
    pub first: u32,
    /// Extended sequence number of the last.
    pub last: u32,
}

/// From a port to its call. Bounded queue of 64, never waited for: an event that finds it full is counted, and the call is told
/// `Stalled` by its absence of reaction (DESIGN §6).
#[derive(Debug, Clone)]
pub enum Heard {
    /// The first packet of media was accepted.
    Flowing,
    /// A key by RFC 4733.
    Digit(Redacted<char>),
    /// Something played has begun.
    Began {
        /// What.
        play: PlayId,
    },
    /// Something played has ended.
    Played {
        /// What.
        play: PlayId,
        /// How.
        outcome: Outcome,
        /// In which packets; `None` if it never began.
        carried: Option<Carried>,
    },
    /// Whether the device's RTCP reports cover all of it (N-8); comes once after `Played`, at the latest when the port closes.
    Covered {
        /// What.
        play: PlayId,
        /// They do.
        covered: bool,
    },
    /// No packet came for the configured time.
    Silent(Duration),
    /// The port is closed; nothing follows.
    Closed(Box<PortStats>),
}

/// From a bridge and its peers to the meeting. Bounded queue of 256; full: counted and sent again with the next change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeetingHeard {
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
pub struct PortHeard {
    /// Which port.
    pub port: PortId,
    /// What.
    pub heard: Heard,
}
