//! [`Admission`]: the right to a seat, as a value (M-8).

use crate::common::ids::ParticipantId;

/// One participant's right to be seated, once. Only the policy mints it; seating consumes it. It cannot be copied, stored away
/// for a second use, or made by code that does not ask (M-8, M-18).
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an admission that is dropped seats nobody"]
pub struct Admission {
    participant: ParticipantId,
}

impl Admission {
    /// Called from one place, where the derived view says inside and nothing was announced yet.
    pub(super) const fn mint(participant: ParticipantId) -> Self {
        Self { participant }
    }

    /// Whom it seats.
    #[must_use]
    pub const fn participant(&self) -> ParticipantId {
        self.participant
    }
}
