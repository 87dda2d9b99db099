//! [`Token`]: whose request a transaction belongs to, as its user is reminded of it. The transaction layer passes it on unread.

use crate::common::ids::CallId;

/// One request of ours, or all responses of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Token {
    /// The session of a call, and which of its requests.
    Session(CallId, u32),
    /// One of our registrations, and which of its requests.
    Registration(u64, u64),
    /// Somebody's subscription, and which NOTIFY.
    Subscription(u64, u64),
    /// Nobody waits for the answer; the number tells such requests apart.
    Nobody(u64),
}

impl Token {
    /// The call whose it is.
    pub(super) const fn call(self) -> Option<CallId> {
        match self {
            Self::Session(call, _) => Some(call),
            _ => None,
        }
    }

    pub(super) const fn is_session(self) -> bool {
        matches!(self, Self::Session(..))
    }
}
