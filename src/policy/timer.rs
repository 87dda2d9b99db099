//! Names of the policy's deadlines, and whom an input concerns.

use super::fact::Fact;
use super::notices::NoticeTimer;
use crate::common::ids::ParticipantId;

/// Every deadline has a name. Of several at one time the first in this order comes first, and of these the lower id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PolicyTimer {
    /// A lost member no longer counts (M-5).
    Gone(ParticipantId),
    /// A lost participant's seat is given up (M-5).
    SeatLost(ParticipantId),
    /// The wait's end is announced (M-9).
    LobbyWarning(ParticipantId),
    /// The wait ends (M-9).
    LobbyTimeout(ParticipantId),
    /// A comfort message is due (K-6).
    Comfort(ParticipantId),
    /// A deadline of a device's notice (N-3, N-4).
    Notice(ParticipantId, NoticeTimer),
    /// A device has been alone (K-6).
    Alone,
    /// Only externals were left for too long (M-10).
    ExternalsOnly,
    /// Nobody has come back to an empty meeting.
    Empty,
}

/// Whose standing an input can have changed. A member's presence (M-5), on which everybody's depends, is compared each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    One(ParticipantId),
    Everybody,
}

impl Touched {
    /// By this fact. One that concerns a single participant costs the same however many there are: the requests of a waiting crowd come by
    /// the hundred.
    pub(super) const fn by(fact: &Fact) -> Self {
        match fact {
            Fact::Joined { who, .. }
            | Fact::Alive { who, .. }
            | Fact::Left { who }
            | Fact::TurnedAway { who, .. }
            | Fact::Closed { who }
            | Fact::Reloaded { who }
            | Fact::Admit { who, .. }
            | Fact::Deny { who, .. }
            | Fact::Remove { who, .. }
            | Fact::Mute { who, .. }
            | Fact::HostMute { who, .. }
            | Fact::MuteSelf { who, .. }
            | Fact::Hand { who, .. }
            | Fact::Hold { who, .. } => Self::One(*who),
            _ => Self::Everybody,
        }
    }
}

impl PolicyTimer {
    pub(super) const fn touches(self) -> Touched {
        match self {
            Self::Gone(who)
            | Self::SeatLost(who)
            | Self::LobbyWarning(who)
            | Self::LobbyTimeout(who)
            | Self::Comfort(who)
            | Self::Notice(who, _) => Touched::One(who),
            Self::Alone | Self::ExternalsOnly | Self::Empty => Touched::Everybody,
        }
    }
}
