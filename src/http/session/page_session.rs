//! [`PageSession`]: the session of a browser in one meeting, as a cookie names it and as the store has it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::id::SessionId;
use super::role::LinkRole;
use crate::common::ids::MeetingName;
use crate::common::units::unix_millis;
use crate::store::StoredSession;

/// How long a session lasts.
pub const SESSION_VALID: Duration = Duration::from_secs(12 * 60 * 60);

/// Why a session ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// Its bearer has signed out.
    SignedOut,
    /// It was taken from its bearer: the link that has opened it ends too (U-4).
    Removed,
}

/// A browser's session in one meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSession {
    /// The one meeting it is for.
    pub meeting: MeetingName,
    /// Who the bearer is there.
    pub role: LinkRole,
    /// When the API made that meeting, in milliseconds since 1970; 0: it is a configured one. A meeting that is made anew under an old
    /// name has other members.
    pub made_at: u64,
    /// Tells this session from others.
    pub id: SessionId,
    /// The link that has opened it; `None`: the passcode has.
    pub link: Option<SessionId>,
    /// Tells which passcode has opened it.
    pub(super) code: Option<SessionId>,
    /// When it was opened.
    pub since: SystemTime,
    /// When it ends, [`SESSION_VALID`] later.
    pub expires: SystemTime,
}

impl PageSession {
    /// How much longer it lasts; nothing: it is over.
    #[must_use]
    pub fn remaining(&self, now: SystemTime) -> Duration {
        self.expires.duration_since(now).unwrap_or_default()
    }

    /// The bearer is the meeting's organiser.
    #[must_use]
    pub fn organises(&self) -> bool {
        self.role == LinkRole::Organiser
    }

    /// The bearer is a member, or the organiser.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.role >= LinkRole::Member
    }

    pub(super) fn stored(&self) -> StoredSession {
        StoredSession {
            id: self.id,
            meeting: self.meeting.to_string(),
            made_at: self.made_at,
            role: self.role.as_str().to_owned(),
            link: self.link,
            code: self.code,
            born_at: unix_millis(self.since),
            dies_at: unix_millis(self.expires),
        }
    }

    pub(super) fn read(row: StoredSession) -> Option<Self> {
        Some(Self {
            meeting: MeetingName::new(row.meeting).ok()?,
            role: LinkRole::parse(&row.role)?,
            made_at: row.made_at,
            id: row.id,
            link: row.link,
            code: row.code,
            since: from_unix_millis(row.born_at),
            expires: from_unix_millis(row.dies_at),
        })
    }
}

/// The time of a row of the store: milliseconds since 1970.
pub(super) fn from_unix_millis(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}
