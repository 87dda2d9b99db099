//! [`PlayOutcome`]: how the playing of a prompt or notice ended, from the media worker to the line in the ledger (N-6, N-8).

use serde::Serialize;
use utoipa::ToSchema;

/// How the playing of a prompt or notice ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NoticeOutcome)]
pub enum PlayOutcome {
    /// Sent to its last packet.
    Completed,
    /// Cut short, or never begun: the call ended, or the device was held or left.
    Interrupted,
    /// Not played: no prompt, a packet that could not be encoded, or was not taken by the socket (N-6).
    Failed,
}

impl PlayOutcome {
    /// Every outcome.
    pub const ALL: [Self; 3] = [Self::Completed, Self::Interrupted, Self::Failed];

    /// As it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}
