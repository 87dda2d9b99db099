//! [`Lockout`]: wrong codes are rate-limited per caller and per meeting, over all calls and pages (K-1).
//!
//! | counted for | wrong tries | within | then |
//! |---|---|---|---|
//! | a caller | 9 (three calls of three tries) | 10 min | its codes are not looked at for 15 min |
//! | a meeting | 60, of strangers | 10 min | for 5 min strangers have one try each, see below |
//!
//! A caller is what a budget of SIP counts for ([`Source`]): an address, or somebody behind a trunk, an account or a device's address.
//! While a meeting is guessed at, nobody who knows its code is kept out by those who do not: known devices and whoever gave the right code
//! before are judged by their own tries alone, and a stranger's first code is looked at once in 10 min per address (IPv6: /48), and once
//! in 10 s for all new callers behind one trunk. A right code that is not looked at gets the same answer as a wrong one.
//! Meetings that ask no code, and callers who keyed none, never come here. Tables are bounded; when one is full, what is oldest in it is
//! forgotten, and whoever is not in it is not locked.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::common::ids::MeetingName;
use crate::sip::Source;

const WITHIN: Duration = Duration::from_secs(10 * 60);
/// Wrong tries of a caller, and how long it is locked then.
const CALLER: (u32, Duration) = (9, Duration::from_secs(15 * 60));
/// Wrong tries of strangers for a meeting, and how long they are held up then.
const MEETING: (u32, Duration) = (60, Duration::from_secs(5 * 60));
/// Between two first tries of strangers behind one trunk, while their meeting is guessed at.
const BEHIND: Duration = Duration::from_secs(10);
/// How long it is remembered that a caller gave the right code.
const TRUSTED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Rows of each table.
const MOST: usize = 4096;

/// Who keys codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSource {
    /// Whose tries they are.
    pub source: Source,
    /// It has proven to be a configured device: the tries of others do not matter for it.
    pub known: bool,
}

impl CodeSource {
    /// Somebody at an address, of whom nothing else is known.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { source: Source::of(address), known: false }
    }
}

/// What becomes of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeVerdict {
    /// It is right and opens.
    Opens,
    /// It is wrong, and another may be tried.
    Wrong,
    /// Right or wrong: it opens nothing, nor does another one for now.
    Locked,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    first: Instant,
    last: Instant,
    count: u32,
    locked: Option<Instant>,
}

impl Tries {
    const fn new(now: Instant) -> Self {
        Self { first: now, last: now, count: 0, locked: None }
    }

    fn is_locked(&self, lock: Duration, now: Instant) -> bool {
        self.locked.is_some_and(|at| now.saturating_duration_since(at) < lock)
    }

    /// Whether there are none that still count.
    fn is_over(&self, lock: Duration, now: Instant) -> bool {
        match self.locked {
            Some(_) => !self.is_locked(lock, now),
            None => now.saturating_duration_since(self.first) >= WITHIN,
        }
    }

    fn count(&mut self, (most, lock): (u32, Duration), now: Instant) {
        if self.is_over(lock, now) {
            *self = Self::new(now);
        }
        self.last = now;
        self.count = self.count.saturating_add(1);
        if self.count >= most && self.locked.is_none() {
            self.locked = Some(now);
        }
    }
}

/// Wrong tries of late, and who was right.
#[derive(Debug, Clone, Default)]
pub struct Lockout {
    callers: BTreeMap<Source, Tries>,
    meetings: BTreeMap<MeetingName, Tries>,
    /// When a code of a caller was right last.
    right: BTreeMap<(Source, MeetingName), Instant>,
    /// When a stranger's first try was looked at last while the meeting was guessed at, by address.
    looked: BTreeMap<(MeetingName, IpAddr), Instant>,
}

impl Lockout {
    /// Whether no code of this caller is looked at now.
    #[must_use]
    pub fn is_locked(&self, now: Instant, caller: &CodeSource) -> bool {
        self.callers.get(&caller.source).is_some_and(|tries| tries.is_locked(CALLER.1, now))
    }

    /// Judges a code that a caller gave: a passcode or PIN of `meeting`, or a conference ID that leads nowhere (`None`, never right).
    pub fn judge(&mut self, now: Instant, caller: &CodeSource, meeting: Option<&MeetingName>, right: bool) -> CodeVerdict {
        if self.is_locked(now, caller) || meeting.is_some_and(|meeting| !self.looks_at(now, caller, meeting)) {
            return CodeVerdict::Locked;
        }
        if let (true, Some(meeting)) = (right, meeting) {
            put(&mut self.right, (caller.source.clone(), meeting.clone()), now);
            return CodeVerdict::Opens;
        }
        let stranger = meeting.filter(|meeting| !self.has_a_name_at(now, caller, meeting)).cloned();
        self.count(now, caller);
        if let Some(meeting) = stranger {
            if self.meetings.len() >= MOST && !self.meetings.contains_key(&meeting) {
                self.meetings.retain(|_, tries| !tries.is_over(MEETING.1, now));
                forget_oldest(&mut self.meetings, |tries| tries.last);
            }
            let tries = self.meetings.entry(meeting).or_insert_with(|| Tries::new(now));
            tries.count(MEETING, now);
            if tries.is_locked(MEETING.1, now) {
                return CodeVerdict::Locked;
            }
        }
        if self.is_locked(now, caller) { CodeVerdict::Locked } else { CodeVerdict::Wrong }
    }

    /// Those locked at `now`: callers, and meetings at which strangers are held up.
    #[must_use]
    pub fn locked(&self, now: Instant) -> (Vec<Source>, Vec<MeetingName>) {
        let callers = self.callers.iter().filter(|(_, tries)| tries.is_locked(CALLER.1, now)).map(|(source, _)| source.clone());
        let meetings = self.meetings.iter().filter(|(_, tries)| tries.is_locked(MEETING.1, now)).map(|(name, _)| name.clone());
        (callers.collect(), meetings.collect())
    }

    /// Unlocks the caller or the meeting of this name, and forgets its wrong tries; `false` when neither was locked.
    pub fn lift(&mut self, now: Instant, name: &str) -> bool {
        let callers = self.callers.extract_if(.., |source, tries| source.to_string() == name && tries.is_locked(CALLER.1, now));
        let meetings = self.meetings.extract_if(.., |meeting, tries| meeting.as_str() == name && tries.is_locked(MEETING.1, now));
        callers.count() + meetings.count() > 0
    }

    /// Whether this caller's codes for the meeting are its own affair: it is known, or was right before.
    fn has_a_name_at(&self, now: Instant, caller: &CodeSource, meeting: &MeetingName) -> bool {
        let right = || self.right.get(&(caller.source.clone(), meeting.clone()));
        caller.known || right().is_some_and(|at| now.saturating_duration_since(*at) < TRUSTED)
    }

    fn looks_at(&mut self, now: Instant, caller: &CodeSource, meeting: &MeetingName) -> bool {
        let guessed_at = self.meetings.get(meeting).is_some_and(|tries| tries.is_locked(MEETING.1, now));
        if !guessed_at || self.has_a_name_at(now, caller, meeting) {
            return true;
        }
        if self.callers.get(&caller.source).is_some_and(|tries| !tries.is_over(CALLER.1, now)) {
            return false;
        }
        let (address, every) = match caller.source {
            Source::Address(address) => (site(address), WITHIN),
            Source::Behind(address, _) => (address, BEHIND),
        };
        let key = (meeting.clone(), address);
        let rested = self.looked.get(&key).is_none_or(|at| now.saturating_duration_since(*at) >= every);
        if rested {
            put(&mut self.looked, key, now);
        }
        rested
    }

    fn count(&mut self, now: Instant, caller: &CodeSource) {
        if self.callers.len() >= MOST && !self.callers.contains_key(&caller.source) {
            self.callers.retain(|_, tries| !tries.is_over(CALLER.1, now));
            forget_oldest(&mut self.callers, |tries| tries.last);
        }
        self.callers.entry(caller.source.clone()).or_insert_with(|| Tries::new(now)).count(CALLER, now);
    }
}

/// Keeps an instant; a full table forgets its oldest.
fn put<K: Ord + Clone>(table: &mut BTreeMap<K, Instant>, key: K, now: Instant) {
    if !table.contains_key(&key) {
        forget_oldest(table, |at| *at);
    }
    table.insert(key, now);
}

fn forget_oldest<K: Ord + Clone, V>(table: &mut BTreeMap<K, V>, age: impl Fn(&V) -> Instant) {
    if table.len() >= MOST
        && let Some(oldest) = table.iter().min_by_key(|(_, row)| age(row)).map(|(key, _)| key.clone())
    {
        table.remove(&oldest);
    }
}

/// What one customer line can change at will does not make it somebody else.
fn site(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() >> 80 << 80).into(),
    }
}

/// The one [`Lockout`] of the daemon: calls and pages count together. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SharedLockout(Arc<Mutex<Lockout>>);

impl SharedLockout {
    /// The lock-out, for this moment alone.
    pub fn get(&self) -> MutexGuard<'_, Lockout> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
