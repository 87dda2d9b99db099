//! Vocabulary of a meeting's rules; `meeting` re-exports it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::common::ids::ParticipantId;

/// Who somebody is to the meeting. Devices are always external (M-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A signed-in person of the host organisation.
    Member,
    /// Anybody else.
    External,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Member => "member",
            Self::External => "external",
        })
    }
}

/// How somebody is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A web page.
    Browser,
    /// A bridged SIP device.
    Phone,
    /// The meeting service in which the meeting takes place: somebody whom that has let in.
    Service,
}

/// Where somebody stands (U-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// No member is present yet (M-5).
    Waiting,
    /// A member may admit or deny (M-6).
    Lobby,
    /// Inside.
    In,
}

/// Recording or transcription: two separate states of the same kind (N-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// Nothing is captured.
    #[default]
    Off,
    /// Captured now.
    On,
    /// Interrupted; may go on.
    Paused,
}

/// Which of the two captures is meant (N-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptureKind {
    /// Sound is written to a file.
    Recording,
    /// Speech is turned into text.
    Transcription,
}

impl CaptureKind {
    /// Both, in the order in which they are spoken.
    pub const ALL: [Self; 2] = [Self::Recording, Self::Transcription];
}

/// Something with two positions, set or flipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Switch {
    /// This position.
    To(bool),
    /// The other position than now: a key that does both ways (K-2).
    Toggle,
}

impl Switch {
    /// The position that follows `now`.
    #[must_use]
    pub const fn from(self, now: bool) -> bool {
        match self {
            Self::To(on) => on,
            Self::Toggle => !now,
        }
    }
}

/// Why a microphone is closed (K-4): by its owner, by a host, or by both. Nobody opens what somebody else has closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Muted {
    /// By its owner.
    pub own: bool,
    /// By a host.
    pub host: bool,
}

impl Muted {
    /// The microphone is closed.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.own || self.host
    }

    /// What closes it in either of two.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { own: self.own || other.own, host: self.host || other.host }
    }
}

/// Who asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// Somebody in the meeting or waiting for it.
    Participant(ParticipantId),
    /// The gateway's operator, by the API's own token (U-4). Acts for the host organisation, but is nobody's presence (M-5).
    Operator,
}

impl std::fmt::Display for Asker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Participant(who) => who.fmt(f),
            Self::Operator => f.write_str("operator"),
        }
    }
}

impl From<ParticipantId> for Asker {
    fn from(who: ParticipantId) -> Self {
        Self::Participant(who)
    }
}

/// Why an ask was refused (M-7, M-12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PolicyRefusal {
    /// Only a member, or for admitting a call that gave the PIN, may do that (M-7, M-12).
    #[error("only a member of the meeting may do that")]
    NotAllowed,
    /// The one meant is not there, or not where this makes sense.
    #[error("that participant is not there")]
    NoSuchParticipant,
    /// Nothing could do it (N-11).
    #[error("nothing is set up that could do that")]
    NotConfigured,
    /// Nothing is captured that could be interrupted.
    #[error("nothing is captured")]
    NotCaptured,
    /// No member is present, so nobody is let in (M-5).
    #[error("no member is present")]
    NoMember,
    /// The asker is not inside.
    #[error("not in the meeting")]
    NotInside,
    /// The host closed this microphone and the meeting does not let its owner open it (K-4).
    #[error("muted by the host")]
    MuteLocked,
    /// Nobody more has room in the meeting (M-14).
    #[error("the meeting is full")]
    Full,
    /// The meeting is over.
    #[error("the meeting has ended")]
    Ended,
}
