//! [`LinkRole`]: guest, member or organiser.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a link or a session makes of its bearer. Who is later is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(description = "What a link makes of who opens it.")]
pub enum LinkRole {
    /// An external who has given the passcode, or need not.
    Guest,
    /// A member of the organisation.
    Member,
    /// A member who organises this meeting.
    Organiser,
}

impl LinkRole {
    const ALL: [Self; 3] = [Self::Guest, Self::Member, Self::Organiser];

    /// The role's name at the API and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Organiser => "organiser",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}
