//! [`DigitFilter`]: one press of a key is one digit, however often it is reported (K-3).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::common::redact::Redacted;

/// Reports of one press by different means lie at most this far apart (K-3).
pub const SAME_PRESS: Duration = Duration::from_millis(250);
/// No press counts as longer: its end was not seen.
const LONGEST: Duration = Duration::from_secs(30);
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
struct Press {
    at: Instant,
    /// `None` while the key is down. What is reported without a length has none.
    up: Option<Instant>,
    digit: Hidden,
    by: [bool; 3],
}

impl Press {
    /// Whether a report that comes now can be one of this press.
    fn is_open(&self, now: Instant) -> bool {
        let up = self.up.or_else(|| self.at.checked_add(LONGEST));
        up.is_none_or(|up| now.saturating_duration_since(up) < SAME_PRESS)
    }
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
/// A report belongs to the earliest press of the same key that its means has not reported yet, and that is still down or was let go less
/// than [`SAME_PRESS`] ago; otherwise it is a new press. So two RFC 4733 events are two digits whatever the gap, also while each is
/// reported by INFO as well, and an INFO that a phone sends when a long press ends is none (K-3).
#[derive(Debug, Clone, Default)]
pub struct DigitFilter {
    presses: VecDeque<Press>,
}

impl DigitFilter {
    /// Whether this report is a new press. A key that is seen in the media is down until [`DigitFilter::release`].
    pub fn accept(&mut self, now: Instant, report: KeyPress) -> bool {
        self.presses.retain(|press| press.is_open(now));
        let (slot, is_down) = (slot(report.means), report.means != DigitMeans::Info);
        for press in self.presses.iter_mut().filter(|press| press.digit == report.digit) {
            if let Some(reported) = press.by.get_mut(slot).filter(|reported| !**reported) {
                *reported = true;
                if is_down {
                    press.up = None;
                }
                return false;
            }
        }
        if self.presses.len() >= REMEMBERED {
            self.presses.pop_front();
        }
        let mut by = [false; 3];
        if let Some(reported) = by.get_mut(slot) {
            *reported = true;
        }
        let up = (!is_down).then_some(now);
        self.presses.push_back(Press { at: now, up, digit: report.digit, by });
        true
    }

    /// The key is up again, as its means reports it.
    pub fn release(&mut self, now: Instant, report: KeyPress) {
        let slot = slot(report.means);
        let is_it = |press: &&mut Press| press.digit == report.digit && press.by.get(slot) == Some(&true) && press.up.is_none();
        if let Some(press) = self.presses.iter_mut().find(is_it) {
            press.up = Some(now);
        }
    }
}
