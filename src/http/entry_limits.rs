//! [`EntryLimits`]: how many wrong tokens and new sessions one client may have.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client_source::ClientSource;
use super::log_limits::SharedLogLimit;
use super::problem_details::ProblemDetails;
use crate::common::rate_limit::{RateLimit, RateLimiter};

/// Wrong tokens of one source: a brute force is pointless against 256 bits, but it should not be free.
const WRONG_TOKENS: RateLimit = RateLimit { burst: 10, every: Duration::from_secs(6) };
/// Sessions that passcodes and links open for one source: an organisation behind NAT joins within a minute, a program goes on for ever.
const NEW_SESSIONS: RateLimit = RateLimit { burst: 100, every: Duration::from_secs(2) };
/// Sources that are told apart; beyond, they share one allowance.
const SOURCES: usize = 4096;

/// The allowances of each source.
#[derive(Debug)]
pub(super) struct EntryLimits {
    wrong_tokens: Mutex<RateLimiter<ClientSource>>,
    new_sessions: Mutex<RateLimiter<ClientSource>>,
    log: SharedLogLimit,
}

impl EntryLimits {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            wrong_tokens: Mutex::new(RateLimiter::new(WRONG_TOKENS, SOURCES, now)),
            new_sessions: Mutex::new(RateLimiter::new(NEW_SESSIONS, SOURCES, now)),
            log: SharedLogLimit::default(),
        }
    }

    /// Counts a wrong token, after it was compared: a right one is never held up by wrong ones of others, nor by their number.
    ///
    /// # Errors
    /// Too many came from this source: how long it has to wait before it is told again that a token is wrong.
    pub(super) fn wrong_token(&self, source: ClientSource, now: Instant) -> Result<(), ProblemDetails> {
        let mut wrong_tokens = self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if !wrong_tokens.take(now, source) {
            let wait = wrong_tokens.wait(now, &source);
            return Err(ProblemDetails::too_many("Too many wrong tokens from your address.", wait));
        }
        if !wrong_tokens.wait(now, &source).is_zero()
            && let Some(unsaid) = self.log.permits(now)
        {
            tracing::warn!(address = %source, unsaid, "too many wrong tokens: further ones are refused for a while");
        }
        Ok(())
    }

    /// Counts a session that a passcode or a link opens.
    ///
    /// # Errors
    /// Too many were opened from this source: how long it has to wait.
    pub(super) fn new_session(&self, source: ClientSource, now: Instant) -> Result<(), ProblemDetails> {
        let mut new_sessions = self.new_sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if new_sessions.take(now, source) {
            return Ok(());
        }
        Err(ProblemDetails::too_many("Too many have entered from your address.", new_sessions.wait(now, &source)))
    }
}
