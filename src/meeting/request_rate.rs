//! How often one participant may ask for something (M-14). Pure; time is an input.

use std::time::{Duration, Instant};

use super::messages::{Ask, Refusal};
use crate::common::rate_limit::{Allowance, Budget};

/// One's own microphone and hand: two a second, and a few at once.
const OWN: Allowance = Allowance { burst: 4, every: Duration::from_millis(500) };
/// Lines of the chat.
const LINES: Allowance = Allowance { burst: 6, every: Duration::from_millis(500) };
/// What those do who may: admitting a full lobby one by one must not stumble.
const HOST: Allowance = Allowance { burst: 30, every: Duration::from_millis(200) };
/// New connections of sound: each costs keys and a handshake.
const OFFERS: Allowance = Allowance { burst: 6, every: Duration::from_secs(1) };

/// What one participant has left.
#[derive(Debug)]
pub(super) struct Asks {
    own: Budget,
    lines: Budget,
    host: Budget,
    offers: Budget,
}

impl Asks {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            own: Budget::new(OWN, now),
            lines: Budget::new(LINES, now),
            host: Budget::new(HOST, now),
            offers: Budget::new(OFFERS, now),
        }
    }

    /// Spends one. `may`: whoever asks may admit, so that it has more to do than others. Closing one's own microphone and leaving
    /// are never refused: they are had for nothing once they are done.
    pub(super) fn take(&mut self, now: Instant, ask: &Ask, may: bool) -> Result<(), Refusal> {
        let budget = match ask {
            Ask::MuteSelf(true) | Ask::Leave | Ask::Close => return Ok(()),
            Ask::Chat(_) => &mut self.lines,
            Ask::MuteSelf(false) | Ask::Hand(_) => &mut self.own,
            _ if may => &mut self.host,
            _ => &mut self.own,
        };
        if budget.take(now) { Ok(()) } else { Err(Refusal::TooFast) }
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
    fn granted(ask: &Ask, may: bool) -> usize {
        let t0 = start();
        let mut asks = Asks::new(t0);
        (0..10_000).filter(|n| asks.take(t0 + Duration::from_millis(*n), ask, may).is_ok()).count()
    }

    #[test]
    fn m14_two_asks_a_second_and_more_for_those_who_have_a_lobby_to_empty() {
        let who = ParticipantId::from_number(1);
        assert_eq!(granted(&Ask::Hand(true), false), 4 + 19);
        assert_eq!(granted(&Ask::MuteSelf(false), true), 4 + 19, "one's own microphone is everybody's own");
        assert_eq!(granted(&Ask::Chat("x".into()), false), 6 + 19);
        assert_eq!(granted(&Ask::Admit(who), false), 4 + 19, "who may not admit is refused the less often");
        assert_eq!(granted(&Ask::Admit(who), true), 30 + 49);
        assert_eq!(granted(&Ask::MuteSelf(true), false), 10_000, "a microphone closes whenever its owner wants it");
    }
}
