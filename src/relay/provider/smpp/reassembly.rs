//! [`Reassembly`]: messages of which parts are missing, until they are whole or have waited long enough.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::deliver::Part;
use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;

/// Messages that are not whole yet, and how long they are waited for.
const UNFINISHED: usize = 256;
const WHOLE_WITHIN: Duration = Duration::from_secs(5 * 60);
/// Octets of text that wait: more than 256 messages of six parts have.
const WAITING: usize = 256 * 1024;

/// Stands where parts are missing.
const GAP: &str = " … ";

/// A message as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) from: PhoneNumber,
    pub(super) text: Redacted<String>,
}

/// A message of which parts are missing.
#[derive(Debug)]
struct Unfinished {
    parts: BTreeMap<u8, Redacted<String>>,
    until: Instant,
}

/// Joins parts. What would have to wait when there is no room makes the oldest be read in part, which is better than not at all.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    /// By sender, reference and number of parts.
    unfinished: BTreeMap<(PhoneNumber, u16, u8), Unfinished>,
    waiting: usize,
}

impl Reassembly {
    /// Takes a part; gives what is whole by it, and what has to give way to it.
    pub(super) fn push(&mut self, now: Instant, part: Part) -> Vec<Whole> {
        let Part { from, place, text } = part;
        if place.total == 1 {
            return vec![Whole { from, text }];
        }
        let key = (from, place.reference, place.total);
        let new = || Unfinished { parts: BTreeMap::new(), until: now + WHOLE_WITHIN };
        let unfinished = self.unfinished.entry(key.clone()).or_insert_with(new);
        self.waiting += text.expose().len();
        if let Some(repeated) = unfinished.parts.insert(place.number, text) {
            self.waiting -= repeated.expose().len();
        }
        if unfinished.parts.len() == usize::from(place.total) {
            return self.take(&key, "").into_iter().collect();
        }
        let mut given_way = Vec::new();
        while self.unfinished.len() > UNFINISHED || self.waiting > WAITING {
            let oldest = self.unfinished.iter().min_by_key(|(_, unfinished)| unfinished.until).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            given_way.extend(self.take(&oldest, GAP));
        }
        given_way
    }

    /// What has waited long enough.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<Whole> {
        let late: Vec<_> = self.unfinished.iter().filter(|(_, u)| u.until <= now).map(|(key, _)| key.clone()).collect();
        late.iter().filter_map(|key| self.take(key, GAP)).collect()
    }

    /// When something has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unfinished.values().map(|unfinished| unfinished.until).min()
    }

    fn take(&mut self, key: &(PhoneNumber, u16, u8), between: &str) -> Option<Whole> {
        let unfinished = self.unfinished.remove(key)?;
        let parts: Vec<String> = unfinished.parts.into_values().map(Redacted::into_inner).collect();
        self.waiting -= parts.iter().map(String::len).sum::<usize>();
        Some(Whole { from: key.0.clone(), text: Redacted::new(parts.join(between)) })
    }
}
