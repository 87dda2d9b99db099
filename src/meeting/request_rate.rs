//! How often one participant may ask for something (M-14). Pure; time is an input.

use std::time::{Duration, Instant};

use super::messages::{MeetingRefusal, MeetingRequest};
use crate::common::rate_limit::{RateLimit, TokenBucket};

/// One's own microphone and hand: two a second, and a few at once.
const OWN: RateLimit = RateLimit { burst: 4, every: Duration::from_millis(500) };
/// Lines of the chat.
const LINES: RateLimit = RateLimit { burst: 6, every: Duration::from_millis(500) };
/// What those do who may: admitting a full lobby one by one must not stumble.
const HOST: RateLimit = RateLimit { burst: 30, every: Duration::from_millis(200) };
/// New connections of sound: each costs keys and a handshake.
const OFFERS: RateLimit = RateLimit { burst: 6, every: Duration::from_secs(1) };

/// What one participant has left.
#[derive(Debug)]
pub(super) struct RequestRate {
    own: TokenBucket,
    lines: TokenBucket,
    host: TokenBucket,
    offers: TokenBucket,
}

impl RequestRate {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            own: TokenBucket::new(OWN, now),
            lines: TokenBucket::new(LINES, now),
            host: TokenBucket::new(HOST, now),
            offers: TokenBucket::new(OFFERS, now),
        }
    }

    /// Spends one. `may`: whoever asks may admit, so that it has more to do than others. Closing one's own microphone and leaving
    /// are never refused: they are had for nothing once they are done.
    pub(super) fn take(&mut self, now: Instant, ask: &MeetingRequest, may: bool) -> Result<(), MeetingRefusal> {
        let budget = match ask {
            MeetingRequest::MuteSelf(true) | MeetingRequest::Leave | MeetingRequest::Close => return Ok(()),
            MeetingRequest::Chat(_) => &mut self.lines,
            MeetingRequest::MuteSelf(false) | MeetingRequest::Hand(_) => &mut self.own,
            _ if may => &mut self.host,
            _ => &mut self.own,
        };
        if budget.take(now) { Ok(()) } else { Err(MeetingRefusal::TooFast) }
    }

    /// Spends a new connection of sound.
    pub(super) fn offer(&mut self, now: Instant) -> bool {
        self.offers.take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::ids::ParticipantId;

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        Instant::now()
    }

    /// How many of so many asks in ten seconds are granted.
    fn granted(ask: &MeetingRequest, may: bool) -> usize {
        let t0 = start();
        let mut asks = RequestRate::new(t0);
        (0..10_000).filter(|n| asks.take(t0 + Duration::from_millis(*n), ask, may).is_ok()).count()
    }

    /// Two asks a second and more for those who have a lobby to empty.
    #[test]
    fn m14_two_asks_a_second_and_more_for_those_who_have_a_lobby() {
        let who = ParticipantId::from_number(1);
        assert_eq!(granted(&MeetingRequest::Hand(true), false), 4 + 19);
        assert_eq!(granted(&MeetingRequest::MuteSelf(false), true), 4 + 19, "one's own microphone is everybody's own");
        assert_eq!(granted(&MeetingRequest::Chat("x".into()), false), 6 + 19);
        assert_eq!(granted(&MeetingRequest::Admit(who), false), 4 + 19, "who may not admit is refused the less often");
        assert_eq!(granted(&MeetingRequest::Admit(who), true), 30 + 49);
        assert_eq!(granted(&MeetingRequest::MuteSelf(true), false), 10_000, "a microphone closes whenever its owner wants it");
    }
}
