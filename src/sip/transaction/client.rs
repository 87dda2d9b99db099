//! NonInviteClient transaction of everything but INVITE (RFC 3261 figure 6).
//!
//! | state | on | does | next |
//! |---|---|---|---|
//! | Trying, Proceeding | E fires | send again, E doubles up to T2 (at once T2 in Proceeding) | same |
//! | Trying, Proceeding | F fires | timed out | over |
//! | Trying | 1xx | pass | Proceeding |
//! | Trying, Proceeding | 2xx–6xx | pass (K starts) | Completed |
//! | Completed | K fires | | over |

use std::time::{Duration, Instant};

use super::action::Action;
use super::timers::Timers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Trying { proceeding: bool, resend_at: Option<Instant>, interval: Duration, give_up: Instant },
    Completed { until: Instant },
}

/// A request of ours on its way.
#[derive(Debug)]
pub struct NonInviteClient {
    state: State,
    timers: Timers,
    reliable: bool,
}

impl NonInviteClient {
    /// The request has just been sent.
    #[must_use]
    pub fn new(now: Instant, timers: Timers, reliable: bool) -> Self {
        let resend_at = (!reliable).then(|| now + timers.t1);
        let state = State::Trying { proceeding: false, resend_at, interval: timers.t1, give_up: now + timers.lifetime() };
        Self { state, timers, reliable }
    }

    /// A response has come.
    pub fn response(&mut self, now: Instant, status: u16) -> Action {
        match (&mut self.state, status) {
            (State::Trying { proceeding, .. }, 100..=199) => {
                *proceeding = true;
                Action::Pass
            }
            (State::Trying { .. }, _) => {
                self.state = State::Completed { until: now + self.timers.absorb(self.reliable) };
                Action::Pass
            }
            (State::Completed { .. }, _) => Action::Nothing,
        }
    }

    /// The deadline has passed.
    pub fn wake(&mut self, now: Instant) -> Action {
        let t2 = self.timers.t2;
        match &mut self.state {
            State::Trying { give_up, .. } if now >= *give_up => Action::TimedOut,
            State::Trying { proceeding, resend_at: Some(at), interval, .. } if now >= *at => {
                *interval = if *proceeding { t2 } else { (*interval * 2).min(t2) };
                *at = now + *interval;
                Action::Resend
            }
            State::Completed { until } if now >= *until => Action::Over,
            _ => Action::Nothing,
        }
    }

    /// Whether no final response has come.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    /// When [`Self::wake`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        Some(match self.state {
            State::Trying { resend_at, give_up, .. } => resend_at.map_or(give_up, |at| at.min(give_up)),
            State::Completed { until } => until,
        })
    }
}
