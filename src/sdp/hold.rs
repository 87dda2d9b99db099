//! [`Direction`] and [`Hold`]: which way media flows (RFC 3264 sections 6.1 and 8.4, S-4, S-5).

/// A direction attribute, seen from whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// The writer sends and takes nothing.
    SendOnly,
    /// The writer takes and sends nothing.
    RecvOnly,
    /// Nothing flows.
    Inactive,
}

/// Whether the peer has put us on hold, in any of its forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Not on hold.
    No,
    /// The peer takes nothing of ours; it may send, which is hold music and never reaches a meeting (S-5).
    Held,
    /// Nothing flows in either direction.
    Inactive,
}

impl Direction {
    /// As written in an attribute.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction that an attribute's name says, whatever its case.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let all = [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive];
        all.into_iter().find(|direction| name.eq_ignore_ascii_case(direction.name()))
    }

    /// The same flow seen from the other end.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both => both,
        }
    }

    /// The writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// The writer takes what is sent.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    const fn from_flows(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// What the peer means: its direction, less receiving where its connection address is all zeros (the hold of RFC 2543).
    pub(super) const fn of_peer(written: Self, zero_address: bool) -> Self {
        Self::from_flows(written.sends(), written.receives() && !zero_address)
    }
}

impl Hold {
    /// The hold that follows from what the peer means by its direction. A peer that only listens does not hold us.
    #[must_use]
    pub const fn from_peer(peer: Direction) -> Self {
        match peer {
            Direction::SendRecv | Direction::RecvOnly => Self::No,
            Direction::SendOnly => Self::Held,
            Direction::Inactive => Self::Inactive,
        }
    }
}
