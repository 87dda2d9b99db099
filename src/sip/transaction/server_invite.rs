//! INVITE server transaction (RFC 3261 figure 7, RFC 6026 figure 5).
//!
//! | state | on | does | next |
//! |---|---|---|---|
//! | Proceeding | INVITE again | send the last provisional again | Proceeding |
//! | Proceeding | 2xx sent | (L starts) | Accepted |
//! | Proceeding | 3xx–6xx sent | (G unless reliable, H start) | Completed |
//! | Accepted | INVITE again | nothing: the dialog repeats its 2xx | Accepted |
//! | Completed | INVITE again, G fires | send the response again, G doubles up to T2 | Completed |
//! | Completed | ACK | (I starts) | Confirmed |
//! | Completed | H fires | timed out | over |
//! | Accepted, Confirmed | L, I fires | | over |

use std::time::{Duration, Instant};

use super::action::Action;
use super::timers::Timers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Proceeding,
    Accepted { until: Instant },
    Completed { resend_at: Option<Instant>, interval: Duration, give_up: Instant },
    Confirmed { until: Instant },
}

/// A peer's INVITE.
#[derive(Debug)]
pub struct InviteServer {
    state: State,
    timers: Timers,
    reliable: bool,
}

impl InviteServer {
    /// The INVITE has just come, and 100 was sent.
    #[must_use]
    pub fn new(timers: Timers, reliable: bool) -> Self {
        Self { state: State::Proceeding, timers, reliable }
    }

    /// Whether no final response was sent.
    #[must_use]
    pub fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    /// A response is being sent; `false` when a final one was sent before, and this one must not be.
    pub fn respond(&mut self, now: Instant, status: u16) -> bool {
        if self.state != State::Proceeding {
            return false;
        }
        match status {
            100..=199 => {}
            200..=299 => self.state = State::Accepted { until: now + self.timers.lifetime() },
            _ => {
                let resend_at = (!self.reliable).then(|| now + self.timers.t1);
                let (interval, give_up) = (self.timers.t1, now + self.timers.lifetime());
                self.state = State::Completed { resend_at, interval, give_up };
            }
        }
        true
    }

    /// The INVITE has come again.
    #[must_use]
    pub fn request(&self) -> Action {
        match self.state {
            State::Proceeding | State::Completed { .. } => Action::Resend,
            State::Accepted { .. } | State::Confirmed { .. } => Action::Nothing,
        }
    }

    /// The ACK of a refusal has come.
    pub fn ack(&mut self, now: Instant) {
        if matches!(self.state, State::Completed { .. }) {
            self.state = State::Confirmed { until: now + self.timers.absorb(self.reliable) };
        }
    }

    /// The deadline has passed.
    pub fn wake(&mut self, now: Instant) -> Action {
        let t2 = self.timers.t2;
        match &mut self.state {
            State::Completed { give_up, .. } if now >= *give_up => Action::TimedOut,
            State::Completed { resend_at: Some(at), interval, .. } if now >= *at => {
                *interval = (*interval * 2).min(t2);
                *at = now + *interval;
                Action::Resend
            }
            State::Accepted { until } | State::Confirmed { until } if now >= *until => Action::Over,
            _ => Action::Nothing,
        }
    }

    /// When [`Self::wake`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Proceeding => None,
            State::Completed { resend_at, give_up, .. } => Some(resend_at.map_or(give_up, |at| at.min(give_up))),
            State::Accepted { until } | State::Confirmed { until } => Some(until),
        }
    }
}
