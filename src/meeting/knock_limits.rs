//! How often externals may knock (M-14): from one address, and again after they were denied. Pure; time is an input.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::messages::MeetingRefusal;
use crate::common::ip_network;
use crate::common::rate_limit::{RateLimit, RateLimiter};

/// Knocks of one address: a whole school behind one may come at once.
const KNOCKS: RateLimit = RateLimit { burst: 100, every: Duration::from_millis(500) };
/// Addresses that are told apart; beyond, they share one allowance.
const ADDRESSES: usize = 4096;
/// Denials of one address, after which it knocks no more often than that.
const DENIALS: RateLimit = RateLimit { burst: 5, every: Duration::from_secs(15) };
/// Whoever was denied may ask again after this long.
const AFTER_DENIAL: Duration = Duration::from_secs(60);
/// Denied ones that are remembered; the oldest is forgotten for one more.
const DENIED: usize = 4096;

/// Who has knocked lately, and who was denied. One for all meetings.
#[derive(Debug)]
pub(super) struct KnockLimits {
    knocks: RateLimiter<IpAddr>,
    denials: RateLimiter<IpAddr>,
    denied: HashMap<String, Instant>,
}

impl KnockLimits {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            knocks: RateLimiter::new(KNOCKS, ADDRESSES, now),
            denials: RateLimiter::new(DENIALS, ADDRESSES, now),
            denied: HashMap::new(),
        }
    }

    /// Somebody knocks from there, under this identity (of which [`KnockLimits::deny`] was told).
    ///
    /// # Errors
    /// [`MeetingRefusal::DeniedJustNow`], [`MeetingRefusal::TooManyKnocks`].
    pub(super) fn knock(&mut self, now: Instant, from: Option<IpAddr>, identity: &str) -> Result<(), MeetingRefusal> {
        if self.denied.get(identity).is_some_and(|at| now.saturating_duration_since(*at) < AFTER_DENIAL) {
            return Err(MeetingRefusal::DeniedJustNow);
        }
        let Some(from) = from.map(ip_network::subscriber) else { return Ok(()) };
        if !self.denials.wait(now, &from).is_zero() {
            return Err(MeetingRefusal::DeniedJustNow);
        }
        if self.knocks.take(now, from) { Ok(()) } else { Err(MeetingRefusal::TooManyKnocks) }
    }

    /// A member has denied it.
    pub(super) fn deny(&mut self, now: Instant, from: Option<IpAddr>, identity: String) {
        self.denied.retain(|_, at| now.saturating_duration_since(*at) < AFTER_DENIAL);
        if self.denied.len() >= DENIED
            && let Some(oldest) = self.denied.iter().min_by_key(|(_, at)| **at).map(|(who, _)| who.clone())
        {
            self.denied.remove(&oldest);
        }
        self.denied.insert(identity, now);
        if let Some(from) = from {
            self.denials.take(now, ip_network::subscriber(from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        Instant::now()
    }

    fn at(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    /// An address that knocks without end is slowed and no other is.
    #[test]
    fn m14_an_address_that_knocks_without_end_is_slowed() {
        let t0 = start();
        let mut knocks = KnockLimits::new(t0);
        let granted = (0..10_000).filter(|n| knocks.knock(t0, at(1), &format!("guest {n}")).is_ok()).count();
        assert_eq!(granted, 100);
        assert_eq!(knocks.knock(t0, at(1), "late"), Err(MeetingRefusal::TooManyKnocks));
        assert_eq!(knocks.knock(t0, at(2), "elsewhere"), Ok(()));
        assert_eq!(knocks.knock(t0 + SECOND, at(1), "late"), Ok(()));
    }

    /// Who was denied waits a minute and a house of them as well.
    #[test]
    fn m14_who_was_denied_waits_a_minute_and_a_house_of_them() {
        let t0 = start();
        let mut knocks = KnockLimits::new(t0);
        knocks.deny(t0, at(1), "eve".into());
        assert_eq!(knocks.knock(t0 + 59 * SECOND, at(1), "eve"), Err(MeetingRefusal::DeniedJustNow));
        assert_eq!(knocks.knock(t0 + 59 * SECOND, at(9), "eve"), Err(MeetingRefusal::DeniedJustNow), "from wherever");
        assert_eq!(knocks.knock(t0, at(1), "bob"), Ok(()), "one denial is not a neighbour's");
        assert_eq!(knocks.knock(t0 + 60 * SECOND, at(1), "eve"), Ok(()));
        for name in ["eva", "evi", "evo", "evu", "evy"] {
            knocks.deny(t0 + 60 * SECOND, at(1), name.into());
        }
        assert_eq!(knocks.knock(t0 + 61 * SECOND, at(1), "under another name"), Err(MeetingRefusal::DeniedJustNow));
        assert_eq!(knocks.knock(t0 + 61 * SECOND, at(2), "bob"), Ok(()));
        assert_eq!(knocks.knock(t0 + 76 * SECOND, at(1), "under another name"), Ok(()));
    }

    #[test]
    fn who_is_remembered_is_bounded() {
        let t0 = start();
        let mut knocks = KnockLimits::new(t0);
        for number in 0..10_000_u32 {
            knocks.deny(t0 + Duration::from_millis(number.into()), at(1), number.to_string());
        }
        assert_eq!(knocks.denied.len(), DENIED);
        assert!(knocks.denied.contains_key("9999") && !knocks.denied.contains_key("0"));
    }
}
