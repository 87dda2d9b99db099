//! NonInviteServer transaction of everything but INVITE (RFC 3261 figure 8).
//!
//! Most requests are answered in the moment they come; an UPDATE with an offer waits for the call's owner. No provisional response is
//! sent, so there is no Proceeding.
//!
//! | state | on | does | next |
//! |---|---|---|---|
//! | Trying | request again | | Trying |
//! | Trying | final response sent | (J starts) | Completed |
//! | Completed | request again | send the response again | Completed |
//! | Completed | J fires | | over |

use std::time::Instant;

use super::action::Action;
use super::timers::Timers;

/// A request of a peer.
#[derive(Debug)]
pub struct NonInviteServer {
    /// When it is forgotten; `None` until it is answered.
    until: Option<Instant>,
    timers: Timers,
    reliable: bool,
}

impl NonInviteServer {
    /// The request has just come.
    #[must_use]
    pub fn new(timers: Timers, reliable: bool) -> Self {
        Self { until: None, timers, reliable }
    }

    /// The final response is being sent; `false` when one was sent before, and this one must not be.
    pub fn respond(&mut self, now: Instant) -> bool {
        let first = self.until.is_none();
        self.until.get_or_insert(now + self.timers.j(self.reliable));
        first
    }

    /// The same request has come again.
    #[must_use]
    pub fn request(&self) -> Action {
        if self.until.is_some() { Action::Resend } else { Action::Nothing }
    }

    /// The deadline has passed.
    #[must_use]
    pub fn wake(&self, now: Instant) -> Action {
        if self.until.is_some_and(|until| now >= until) { Action::Over } else { Action::Nothing }
    }

    /// When [`Self::wake`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.until
    }
}
