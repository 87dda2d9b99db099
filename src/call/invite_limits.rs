//! [`InviteLimits`]: how often devices may be called into meetings (S-9), so that no member makes a room ring all day.
//!
//! | counted for | at once | one more every |
//! |---|---|---|
//! | a device, whoever calls it | 1 | 20 s |
//! | a session, or a device that hands its place over | 3 | 60 s |
//! | a meeting | 6 | 15 s |
//!
//! The operator is bound by none of them.

use std::time::{Duration, Instant};

use crate::common::ids::MeetingName;
use crate::common::rate_limit::{RateLimit, RateLimiter};
use crate::meeting::{BETWEEN_RINGS, By};

const DEVICE: RateLimit = RateLimit { burst: 1, every: BETWEEN_RINGS };
const ASKER: RateLimit = RateLimit { burst: 3, every: Duration::from_secs(60) };
const MEETING: RateLimit = RateLimit { burst: 6, every: Duration::from_secs(15) };
/// Rows of each table. Devices, meetings and sessions are the operator's to make, so no stranger fills it.
const MOST: usize = 4096;

/// The budgets.
#[derive(Debug)]
pub(super) struct InviteLimits {
    devices: RateLimiter<String>,
    askers: RateLimiter<By>,
    meetings: RateLimiter<MeetingName>,
}

impl InviteLimits {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            devices: RateLimiter::new(DEVICE, MOST, now),
            askers: RateLimiter::new(ASKER, MOST, now),
            meetings: RateLimiter::new(MEETING, MOST, now),
        }
    }

    /// Whether a device may be called now; if so, it counts.
    pub(super) fn take(&mut self, now: Instant, by: &By, device: &str, meeting: &MeetingName) -> bool {
        if *by == By::Operator {
            return true;
        }
        let others = self.askers.wait(now, by).is_zero() && self.meetings.wait(now, meeting).is_zero();
        // What is refused costs nothing.
        others
            && self.devices.take(now, device.to_owned())
            && self.askers.take(now, by.clone())
            && self.meetings.take(now, meeting.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    fn rings() -> (InviteLimits, Instant) {
        let now = Instant::now();
        (InviteLimits::new(now), now)
    }

    fn name(text: &str) -> MeetingName {
        MeetingName::new(text).unwrap()
    }

    #[test]
    fn s9_a_device_rings_once_in_twenty_seconds_whoever_asks() {
        let (mut rings, now) = rings();
        let demo = name("demo");
        assert!(rings.take(now, &By::Session(1), "board", &demo));
        let others = [By::Session(1), By::Session(2), By::Device("kitchen".to_owned())];
        assert!(others.iter().all(|by| !rings.take(now + Duration::from_secs(19), by, "board", &name("other"))));
        assert!(rings.take(now, &By::Operator, "board", &demo), "it is the operator's");
        assert!(rings.take(now + Duration::from_secs(20), &By::Session(2), "board", &demo));
    }

    /// A session and a meeting have budgets of their own and the operator has none.
    #[test]
    fn s9_a_session_and_a_meeting_have_budgets_of_their_own() {
        let (mut rings, now) = rings();
        let ring =
            |rings: &mut InviteLimits, by: &By, n: usize, meeting: &str| rings.take(now, by, &format!("d{n}"), &name(meeting));
        assert_eq!((0..9).filter(|n| ring(&mut rings, &By::Session(1), *n, "demo")).count(), 3);
        let more = (10..19).filter(|n| ring(&mut rings, &By::Session(u64::try_from(*n).unwrap()), *n, "demo")).count();
        assert_eq!(more, 3, "six a meeting");
        assert!(ring(&mut rings, &By::Session(99), 20, "other"), "nobody pays for another meeting");
        assert_eq!((30..90).filter(|n| ring(&mut rings, &By::Operator, *n, "demo")).count(), 60);
    }
}
