//! Retention of copies of the chat (C-8): the date of deletion is written with each copy, so that the sweep needs no policy.

use std::sync::Arc;
use std::time::Duration;

/// The organisation's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// How long a copy lives; zero: there are none.
    pub keep: Duration,
    /// Where the data are, as the organisation calls that place; a label of each copy.
    pub region: Arc<str>,
}

impl Retention {
    /// How long a copy lives where the organisation has no policy of its own.
    pub const UNLESS_SAID: Duration = Duration::from_secs(30 * 86_400);

    /// The last date of birth of copies that are dead at `now`; both in milliseconds since 1970.
    #[must_use]
    pub fn born_by(&self, now: u64) -> u64 {
        now.saturating_sub(self.millis())
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX)
    }

    /// When a copy that is made at `at` dies; both in milliseconds since 1970. `None`: it must not be made.
    #[must_use]
    pub fn dies_at(&self, at: u64) -> Option<u64> {
        (!self.keep.is_zero()).then_some(at.saturating_add(self.millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c8_a_copy_lives_as_long_as_the_policy_says_or_is_never_made() {
        let dies_at = |keep: Duration| Retention { keep, region: "eu".into() }.dies_at(1_000);
        assert_eq!(dies_at(Retention::UNLESS_SAID), Some(1_000 + 30 * 86_400_000));
        assert_eq!(dies_at(Duration::from_secs(86_400)), Some(1_000 + 86_400_000));
        assert_eq!(dies_at(Duration::ZERO), None);
    }
}
