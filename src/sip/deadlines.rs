//! [`Deadlines`]: when each of many things wants to be woken, in order.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// One deadline at most for each key.
#[derive(Debug)]
pub(super) struct Deadlines<K> {
    ordered: BTreeSet<(Instant, K)>,
    of: HashMap<K, Instant>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { ordered: BTreeSet::new(), of: HashMap::new() }
    }
}

impl<K: Copy + Ord + Hash> Deadlines<K> {
    /// Moves the deadline of a key; `None`: it has none any more.
    pub(super) fn set(&mut self, key: K, at: Option<Instant>) {
        if self.of.get(&key).copied() == at {
            return;
        }
        self.remove(key);
        if let Some(at) = at {
            self.ordered.insert((at, key));
            self.of.insert(key, at);
        }
    }

    pub(super) fn remove(&mut self, key: K) {
        if let Some(at) = self.of.remove(&key) {
            self.ordered.remove(&(at, key));
        }
    }

    /// A key whose deadline has passed, and which has none after that.
    pub(super) fn due(&mut self, now: Instant) -> Option<K> {
        let &(_, key) = self.ordered.first().filter(|(at, _)| *at <= now)?;
        self.remove(key);
        Some(key)
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.ordered.first().map(|(at, _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.ordered.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ordered.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn each_key_has_one_deadline_which_is_over_once_it_was_due() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::default();
        deadlines.set('a', Some(at(3)));
        deadlines.set('b', Some(at(1)));
        deadlines.set('a', Some(at(2)));
        deadlines.set('c', Some(at(9)));
        deadlines.set('c', None);
        assert_eq!((deadlines.len(), deadlines.first()), (2, Some(at(1))));
        assert_eq!([deadlines.due(at(2)), deadlines.due(at(2)), deadlines.due(at(2))], [Some('b'), Some('a'), None]);
        assert!(deadlines.is_empty());
    }
}
