//! Server transaction of everything but INVITE (RFC 3261 figure 8).
//!
//! We answer each such request finally in the moment it comes, so Trying and Proceeding have no duration and the machine begins in Completed.
//!
//! | state | on | does | next |
//! |---|---|---|---|
//! | Completed | request again | send the response again | Completed |
//! | Completed | J fires | | over |

use std::time::Instant;

use super::{Act, Timers};

/// A request of a peer, answered.
#[derive(Debug)]
pub struct Server {
    until: Instant,
}

impl Server {
    /// The final response has just been sent.
    #[must_use]
    pub fn new(now: Instant, timers: Timers, reliable: bool) -> Self {
        Self { until: now + timers.j(reliable) }
    }

    /// The same request has come again.
    #[must_use]
    pub fn request(&self) -> Act {
        Act::Resend
    }

    /// The deadline has passed.
    #[must_use]
    pub fn wake(&self, now: Instant) -> Act {
        if now >= self.until { Act::Over } else { Act::Nothing }
    }

    /// When [`Self::wake`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.until)
    }
}
