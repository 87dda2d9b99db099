//! What messages may cost in a day (C-2): a limit for each meeting and one for all, and a share that strangers cannot exceed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::common::ids::MeetingName;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Parts of messages in a day (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyLimits {
    /// Around the devices of one meeting.
    pub meeting: u64,
    /// Altogether; a tenth of it at most is for who is in no meeting.
    pub all: u64,
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DailyNeed {
    /// The chat, and whatever somebody asks for.
    Wanted,
    /// What must be known or answered (N-10, C-7, STOP): a quarter more than the limit is kept for it.
    Owed,
}

/// Parts that have been sent today, by meeting; `None`: to who is in none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DailySpent {
    /// When the day is over.
    pub left: Duration,
    /// Before this run.
    pub parts: BTreeMap<Option<MeetingName>, u64>,
}

/// The accounts of the day.
#[derive(Debug)]
pub(super) struct DailySpending {
    limits: DailyLimits,
    ends: Instant,
    all: u64,
    /// Bounded by the meetings that there are.
    parts: BTreeMap<Option<MeetingName>, u64>,
    /// Whose limit was said to be reached.
    said: BTreeSet<Option<MeetingName>>,
}

impl DailySpending {
    pub(super) fn new(now: Instant, limits: DailyLimits, spent: DailySpent) -> Self {
        let all = spent.parts.values().sum();
        let left = if spent.left.is_zero() { DAY } else { spent.left };
        Self { limits, ends: now + left, all, parts: spent.parts, said: BTreeSet::new() }
    }

    /// When all limits begin anew.
    pub(super) const fn ends(&self) -> Instant {
        self.ends
    }

    /// Parts that are left, if nothing happens before the day ends.
    pub(super) fn left(&self, meeting: &Option<MeetingName>, need: DailyNeed) -> u64 {
        let share = if meeting.is_some() { self.limits.meeting } else { self.limits.all / 10 };
        let room = |limit: u64| if need == DailyNeed::Owed { limit.saturating_add(limit / 4) } else { limit };
        let spent = self.parts.get(meeting).copied().unwrap_or_default();
        room(share).saturating_sub(spent).min(room(self.limits.all).saturating_sub(self.all))
    }

    /// Whether so many parts may be sent.
    pub(super) fn has(&mut self, now: Instant, meeting: &Option<MeetingName>, parts: u64, need: DailyNeed) -> bool {
        while self.ends <= now {
            self.ends += DAY;
            self.all = 0;
            self.parts.clear();
            self.said.clear();
        }
        let has = self.left(meeting, need) >= parts;
        if !has && self.said.insert(meeting.clone()) {
            let meeting = meeting.as_ref().map(tracing::field::display);
            tracing::warn!(meeting, "no more SMS today: the daily limit of [relay] is reached");
        }
        has
    }

    /// Counts parts that are sent; `false`: they may not be, and nothing is counted.
    pub(super) fn take(&mut self, now: Instant, meeting: &Option<MeetingName>, parts: u64, need: DailyNeed) -> bool {
        let has = self.has(now, meeting, parts, need);
        if has {
            self.all += parts;
            *self.parts.entry(meeting.clone()).or_default() += parts;
        }
        has
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A day has limits for each meeting for all and for strangers.
    #[test]
    fn c2_a_day_has_limits_for_each_meeting_for_all() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let now = Instant::now();
        let meeting = |name: &str| Some(MeetingName::new(name).unwrap());
        let limits = DailyLimits { meeting: 8, all: 20 };
        let spent = DailySpent { left: Duration::from_secs(60), parts: [(meeting("a"), 3)].into() };
        let mut spending = DailySpending::new(now, limits, spent);
        let takes = |spending: &mut DailySpending, meeting: &Option<MeetingName>, need| {
            (0..100).filter(|_| spending.take(now, meeting, 1, need)).count()
        };
        assert_eq!(takes(&mut spending, &None, DailyNeed::Wanted), 2, "a tenth for strangers");
        assert_eq!(takes(&mut spending, &meeting("a"), DailyNeed::Wanted), 5, "an earlier run has sent three");
        assert_eq!(takes(&mut spending, &meeting("a"), DailyNeed::Owed), 2, "a quarter more for what must be known");
        assert_eq!(takes(&mut spending, &meeting("b"), DailyNeed::Wanted), 8);
        assert_eq!(takes(&mut spending, &meeting("c"), DailyNeed::Wanted), 0, "all together");
        assert_eq!(takes(&mut spending, &meeting("c"), DailyNeed::Owed), 5);
        let tomorrow = now + Duration::from_secs(60);
        assert!(
            spending.take(tomorrow, &meeting("c"), 8, DailyNeed::Wanted)
                && !spending.take(tomorrow, &meeting("c"), 1, DailyNeed::Wanted)
        );
    }
}
