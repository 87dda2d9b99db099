//! [`DigitFilter`]: one press of a key is one digit, however often it is reported (K-3).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::common::redact::Redacted;

/// Reports of one press by different means lie at most this far apart (K-3).
pub const SAME_PRESS: Duration = Duration::from_millis(250);
/// Presses remembered; when full the oldest is forgotten. Auto-diallers make three in [`SAME_PRESS`].
const REMEMBERED: usize = 16;

/// How a digit reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigitMeans {
    /// A telephone-event (RFC 4733).
    Rfc4733,
    /// SIP INFO.
    Info,
    /// A tone in the audio.
    Inband,
}

/// One report of a key: `0`–`9`, `*`, `#`, `A`–`D`. Codes are made of these, so it never prints the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPress {
    /// How it was seen.
    pub means: DigitMeans,
    digit: Hidden,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Hidden(char);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&Redacted::new(self.0), f)
    }
}

impl KeyPress {
    /// A key, as it was seen.
    #[must_use]
    pub const fn new(digit: char, means: DigitMeans) -> Self {
        Self { means, digit: Hidden(digit) }
    }

    /// The key.
    #[must_use]
    pub const fn digit(self) -> char {
        self.digit.0
    }
}

#[derive(Debug, Clone)]
struct Seen {
    at: Instant,
    digit: Hidden,
    by: [bool; 3],
}

const fn slot(means: DigitMeans) -> usize {
    match means {
        DigitMeans::Rfc4733 => 0,
        DigitMeans::Info => 1,
        DigitMeans::Inband => 2,
    }
}

/// Takes reports of presses and lets each press through once.
///
/// A report belongs to the earliest press of the same key within [`SAME_PRESS`] that its means has not reported yet; otherwise it is a
/// new press. So two RFC 4733 events are two digits whatever the gap, also while each is reported by INFO as well.
#[derive(Debug, Clone, Default)]
pub struct DigitFilter {
    seen: VecDeque<Seen>,
}

impl DigitFilter {
    /// Whether this report is a new press.
    pub fn accept(&mut self, now: Instant, press: KeyPress) -> bool {
        self.seen.retain(|seen| now.saturating_duration_since(seen.at) < SAME_PRESS);
        let slot = slot(press.means);
        for seen in self.seen.iter_mut().filter(|seen| seen.digit == press.digit) {
            if let Some(reported) = seen.by.get_mut(slot).filter(|reported| !**reported) {
                *reported = true;
                return false;
            }
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        let mut by = [false; 3];
        if let Some(reported) = by.get_mut(slot) {
            *reported = true;
        }
        self.seen.push_back(Seen { at: now, digit: press.digit, by });
        true
    }
}
