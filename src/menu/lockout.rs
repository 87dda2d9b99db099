//! [`Lockout`]: wrong codes are rate-limited per source and per meeting, over all calls (K-1).
//!
//! | counted for | wrong tries | within | locked for |
//! |---|---|---|---|
//! | a source | 9 (three calls of three tries) | 10 min | 15 min |
//! | a meeting | 60, from all sources | 10 min | 5 min |
//!
//! The second is generous and short, because it also keeps out those who know the passcode. An IPv6 source is its /64 prefix.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::ids::MeetingName;

const WITHIN: Duration = Duration::from_secs(10 * 60);
const SOURCE: (u32, Duration) = (9, Duration::from_secs(15 * 60));
const MEETING: (u32, Duration) = (60, Duration::from_secs(5 * 60));
/// Sources and meetings remembered; when full, the one whose last wrong try is the longest ago is forgotten.
const MOST: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Source(IpAddr),
    Meeting(MeetingName),
}

#[derive(Debug, Clone)]
struct Tries {
    first: Instant,
    last: Instant,
    count: u32,
    locked: Option<Instant>,
}

/// Wrong tries of late.
#[derive(Debug, Clone, Default)]
pub struct Lockout {
    tries: BTreeMap<Key, Tries>,
}

impl Lockout {
    /// Codes from `source` (for `meeting`, once one is known) are looked at. Ask before a menu is started and again when it has chosen:
    /// a code that is right while the source is locked opens nothing.
    #[must_use]
    pub fn allowed(&self, now: Instant, source: IpAddr, meeting: Option<&MeetingName>) -> bool {
        let keys = [Some(Key::Source(prefix(source))), meeting.cloned().map(Key::Meeting)];
        !keys.into_iter().flatten().any(|key| self.tries.get(&key).is_some_and(|t| is_locked(t, limit(&key).1, now)))
    }

    /// A wrong code came from `source` (for `meeting`, when it was a passcode).
    pub fn wrong(&mut self, now: Instant, source: IpAddr, meeting: Option<&MeetingName>) {
        self.count(now, Key::Source(prefix(source)));
        if let Some(meeting) = meeting {
            self.count(now, Key::Meeting(meeting.clone()));
        }
    }

    /// Those locked at `now`: sources and meetings.
    #[must_use]
    pub fn locked(&self, now: Instant) -> (Vec<IpAddr>, Vec<MeetingName>) {
        let (mut sources, mut meetings) = (Vec::new(), Vec::new());
        for (key, _) in self.tries.iter().filter(|(key, t)| is_locked(t, limit(key).1, now)) {
            match key {
                Key::Source(source) => sources.push(*source),
                Key::Meeting(meeting) => meetings.push(meeting.clone()),
            }
        }
        (sources, meetings)
    }

    /// Unlocks the source or the meeting of this name, and forgets its wrong tries; `false` when neither was locked.
    pub fn lift(&mut self, now: Instant, name: &str) -> bool {
        let of_that_name = |key: &Key| match key {
            Key::Source(source) => source.to_string() == name,
            Key::Meeting(meeting) => meeting.as_str() == name,
        };
        let locked = self.tries.extract_if(.., |key, t| of_that_name(key) && is_locked(t, limit(key).1, now));
        locked.count() > 0
    }

    fn count(&mut self, now: Instant, key: Key) {
        let (most, lock) = limit(&key);
        if self.tries.len() >= MOST && !self.tries.contains_key(&key) {
            self.make_room(now);
        }
        let fresh = Tries { first: now, last: now, count: 0, locked: None };
        let tries = self.tries.entry(key).or_insert_with(|| fresh.clone());
        let over = tries.locked.is_some() && !is_locked(tries, lock, now);
        if over || (tries.locked.is_none() && now.saturating_duration_since(tries.first) >= WITHIN) {
            *tries = fresh;
        }
        tries.last = now;
        tries.count = tries.count.saturating_add(1);
        if tries.count >= most && tries.locked.is_none() {
            tries.locked = Some(now);
        }
    }

    fn make_room(&mut self, now: Instant) {
        self.tries.retain(|key, t| is_locked(t, limit(key).1, now) || now.saturating_duration_since(t.last) < WITHIN);
        if self.tries.len() >= MOST
            && let Some(oldest) = self.tries.iter().min_by_key(|(_, t)| t.last).map(|(key, _)| key.clone())
        {
            self.tries.remove(&oldest);
        }
    }
}

const fn limit(key: &Key) -> (u32, Duration) {
    match key {
        Key::Source(_) => SOURCE,
        Key::Meeting(_) => MEETING,
    }
}

fn is_locked(tries: &Tries, lock: Duration, now: Instant) -> bool {
    tries.locked.is_some_and(|at| now.saturating_duration_since(at) < lock)
}

/// What one customer line can change at will does not make it another source.
fn prefix(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}
