//! [`Link`]: an address that opens a session in one meeting, for some uses and for some time (U-1).

use std::time::{Duration, SystemTime};

use super::id::SessionId;
use super::page_session::from_unix_millis;
use super::role::LinkRole;
use crate::common::ids::MeetingName;
use crate::common::units::unix_millis;
use crate::store::StoredLink;

/// How long a link is valid unless it says otherwise (U-1).
pub const LINK_VALID: Duration = Duration::from_secs(10 * 60);
/// The longest that a link may be valid.
pub const LONGEST_LINK: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// The most uses of one link.
pub const MOST_USES: u32 = 1000;

/// A link that shall be made.
#[derive(Debug, Clone)]
pub struct NewLink {
    /// Where it leads.
    pub meeting: MeetingName,
    /// As in [`PageSession::made_at`].
    pub made_at: u64,
    /// What it makes of who opens it.
    pub role: LinkRole,
    /// How often it may be used, at least once.
    pub uses: u32,
    /// For how long.
    pub valid: Duration,
    /// The session of the member who makes it; `None`: the operator does.
    pub maker: Option<SessionId>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its name; no secret.
    pub id: SessionId,
    /// Where it leads.
    pub meeting: MeetingName,
    /// As in [`PageSession::made_at`].
    pub made_at: u64,
    /// What it makes of who opens it.
    pub role: LinkRole,
    /// How often it may still be used.
    pub uses: u32,
    /// When it was made.
    pub since: SystemTime,
    /// From when on it opens nothing.
    pub expires: SystemTime,
    /// Until when it is known where it led.
    pub(super) kept_until: SystemTime,
    /// As in [`NewLink::maker`]; not known of links that were made before the start.
    pub(super) maker: Option<SessionId>,
}

impl Link {
    pub(super) fn read(row: StoredLink) -> Option<Self> {
        Some(Self {
            id: row.id,
            meeting: MeetingName::new(row.meeting).ok()?,
            made_at: row.made_at,
            role: LinkRole::parse(&row.role)?,
            uses: row.uses,
            since: from_unix_millis(row.born_at),
            expires: from_unix_millis(row.dies_at),
            kept_until: from_unix_millis(row.kept_until),
            maker: None,
        })
    }

    pub(super) fn stored(&self) -> StoredLink {
        StoredLink {
            id: self.id,
            meeting: self.meeting.to_string(),
            made_at: self.made_at,
            role: self.role.as_str().to_owned(),
            uses: self.uses,
            born_at: unix_millis(self.since),
            dies_at: unix_millis(self.expires),
            kept_until: unix_millis(self.kept_until),
        }
    }

    /// It opens something.
    pub(super) fn is_alive(&self, now: SystemTime) -> bool {
        self.uses > 0 && self.expires > now
    }
}

/// Why a link opens no session. `Display` is for the person who clicked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not made with our key, or damaged on its way.
    #[error("This link is not valid. Ask for a new one, and copy it whole.")]
    Forged,
    /// Older than it may be, or taken back.
    #[error("This link has expired, or was taken back. Ask for a new one.")]
    Expired,
    /// Exchanged as often as it may be.
    #[error("This link has been used already. Ask for a new one.")]
    Used,
    /// The meeting has as many sessions or links as it may have.
    #[error("Too many links of this meeting are in use. Ask for one of them to be taken back, or try again later.")]
    Busy,
    /// It could not be written down that it is used.
    #[error("Something went wrong on our side. Please try again.")]
    Fault,
}
