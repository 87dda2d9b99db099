//! INVITE client transaction (RFC 3261 figure 5, RFC 6026 figure 2).
//!
//! | state | on | does | next |
//! |---|---|---|---|
//! | Calling | A fires | send again, A doubles | Calling |
//! | Calling | B fires | timed out | over |
//! | Calling, Proceeding | 1xx | pass | Proceeding |
//! | Calling, Proceeding | 2xx | pass (M starts) | Accepted |
//! | Calling, Proceeding | 3xx–6xx | ACK, pass (D starts) | Completed |
//! | Accepted | 2xx | pass | Accepted |
//! | Completed | 3xx–6xx | ACK | Completed |
//! | Accepted, Completed | M, D fires | | over |

use std::time::{Duration, Instant};

use super::action::Action;
use super::timers::Timers;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Calling { resend_at: Option<Instant>, interval: Duration, give_up: Instant },
    Proceeding { give_up: Option<Instant> },
    Accepted { until: Instant },
    Completed { until: Instant },
}

/// Our INVITE on its way.
#[derive(Debug)]
pub struct InviteClient {
    state: State,
    timers: Timers,
    reliable: bool,
}

impl InviteClient {
    /// The request has just been sent.
    #[must_use]
    pub fn new(now: Instant, timers: Timers, reliable: bool) -> Self {
        let resend_at = (!reliable).then(|| now + timers.t1);
        let state = State::Calling { resend_at, interval: timers.t1, give_up: now + timers.lifetime() };
        Self { state, timers, reliable }
    }

    /// Whether a provisional response has come and no final one: the only time to CANCEL (section 9.1).
    #[must_use]
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// Whether no final response has come.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding { .. })
    }

    /// A CANCEL was sent: wait 64·T1 for the final response and no longer (section 9.1).
    pub fn cancelled(&mut self, now: Instant) {
        if let State::Proceeding { give_up } = &mut self.state {
            *give_up = Some(now + self.timers.lifetime());
        }
    }

    /// A response has come.
    pub fn response(&mut self, now: Instant, status: u16) -> Action {
        match (self.state, status) {
            (State::Calling { .. }, 100..=199) => {
                self.state = State::Proceeding { give_up: None };
                Action::Pass
            }
            (State::Proceeding { .. }, 100..=199) => Action::Pass,
            (State::Calling { .. } | State::Proceeding { .. }, 200..=299) => {
                self.state = State::Accepted { until: now + self.timers.lifetime() };
                Action::Pass
            }
            (State::Calling { .. } | State::Proceeding { .. }, _) => {
                self.state = State::Completed { until: now + self.timers.d(self.reliable) };
                Action::AckAndPass
            }
            (State::Accepted { .. }, 200..=299) => Action::Pass,
            (State::Completed { .. }, 300..) => Action::Ack,
            (State::Accepted { .. } | State::Completed { .. }, _) => Action::Nothing,
        }
    }

    /// The deadline has passed.
    pub fn wake(&mut self, now: Instant) -> Action {
        match &mut self.state {
            State::Calling { give_up, .. } if now >= *give_up => Action::TimedOut,
            State::Calling { resend_at: Some(at), interval, .. } if now >= *at => {
                *interval *= 2;
                *at = now + *interval;
                Action::Resend
            }
            State::Proceeding { give_up: Some(give_up) } if now >= *give_up => Action::TimedOut,
            State::Accepted { until } | State::Completed { until } if now >= *until => Action::Over,
            _ => Action::Nothing,
        }
    }

    /// When [`Self::wake`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Calling { resend_at, give_up, .. } => Some(resend_at.map_or(give_up, |at| at.min(give_up))),
            State::Proceeding { give_up } => give_up,
            State::Accepted { until } | State::Completed { until } => Some(until),
        }
    }
}
