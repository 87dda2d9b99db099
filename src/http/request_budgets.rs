//! [`RequestBudgets`]: how many requests a second each caller of the API may send.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client_source::ClientSource;
use super::problem_details::ProblemDetails;
use super::session::SessionId;
use crate::common::rate_limit::{RateLimit, RateLimiter};

/// Callers that are told apart; beyond, they share one allowance.
const CALLERS: usize = 4096;
/// Requests at once, after a rest: those of so many seconds.
const BURST_SECONDS: u32 = 10;

/// Whose a budget of requests is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum BudgetOwner {
    /// The token, at one address.
    Operator(ClientSource),
    /// Commands on this machine.
    Command,
    /// A member's session, wherever it is.
    Member(SessionId),
    /// A device's token, wherever it is.
    Device(String),
}

/// The requests that each caller has left.
#[derive(Debug)]
pub(super) struct RequestBudgets(Mutex<RateLimiter<BudgetOwner>>);

impl RequestBudgets {
    /// `per_second`: of each caller, at least 1.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = per_second.max(1);
        let allowance = RateLimit { burst: per_second.saturating_mul(BURST_SECONDS), every: Duration::from_secs(1) / per_second };
        Self(Mutex::new(RateLimiter::new(allowance, CALLERS, now)))
    }

    pub(super) fn take(&self, now: Instant, owner: BudgetOwner) -> Result<(), ProblemDetails> {
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.take(now, owner.clone()) {
            return Ok(());
        }
        Err(ProblemDetails::too_many("Too many requests.", budgets.wait(now, &owner)))
    }
}
