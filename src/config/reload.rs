//! What has changed between two configurations, and what of that a running daemon can take (O-2).
//!
//! Calls that are up stay as they are, so whatever their sockets, their threads or their store stand on is fixed until a restart. Each key
//! says which it is where it is declared (`sections`): by one of the comparisons here.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::places::{Places, join};
use crate::common::problem::Problem;

/// One key or table whose meaning has changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigChange {
    /// The key path, such as `log.level`, or that of a named table, such as `device.hall`.
    pub key: String,
    /// It can be taken while calls are up.
    pub live: bool,
}

/// Keys that were compared so far, by their paths.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    table: String,
    keys: BTreeMap<String, Compared>,
}

/// One key in a [`Comparison`].
#[derive(Debug, Clone, Copy)]
struct Compared {
    live: bool,
    changed: bool,
}

impl Comparison {
    /// Compares keys of the table `key`.
    pub(super) fn table(&mut self, key: &str, compare: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.table, key.to_owned());
        compare(self);
        self.table = outer;
    }

    /// Only a restart takes a change of `path`, whatever its declaration says.
    pub(super) fn needs_restart(&mut self, path: &str) {
        if let Some(compared) = self.keys.get_mut(path) {
            compared.live = false;
        }
    }

    /// Whether a change can be taken live, by each key and each group of named tables that was compared.
    #[cfg(test)]
    pub(super) fn classes(&self) -> BTreeMap<&str, bool> {
        self.keys.iter().map(|(key, compared)| (key.as_str(), compared.live)).collect()
    }

    /// The keys that have changed, in their order.
    pub(super) fn changes(self) -> Vec<ConfigChange> {
        let changed = self.keys.into_iter().filter(|(_, compared)| compared.changed);
        changed.map(|(key, compared)| ConfigChange { key, live: compared.live }).collect()
    }

    fn compare<T: PartialEq>(&mut self, live: bool, key: &str, old: &T, new: &T) {
        self.keys.insert(join(&self.table, key), Compared { live, changed: old != new });
    }

    fn compare_tables<K: Ord + Display, T: PartialEq>(
        &mut self,
        live: bool,
        key: &str,
        old: &BTreeMap<K, T>,
        new: &BTreeMap<K, T>,
    ) {
        // The group itself never changes: its tables do.
        self.compare(live, key, &(), &());
        for name in old.keys().chain(new.keys()) {
            self.compare(live, &format!("{key}.{name}"), &old.get(name), &new.get(name));
        }
    }
}

/// A change of this key holds for whatever begins after it.
pub(super) fn live<T: PartialEq>(found: &mut Comparison, key: &str, old: &T, new: &T) {
    found.compare(true, key, old, new);
}

/// A change of this key takes a restart.
pub(super) fn restart<T: PartialEq>(found: &mut Comparison, key: &str, old: &T, new: &T) {
    found.compare(false, key, old, new);
}

/// A change of each of these named tables holds for whatever begins after it.
pub(super) fn live_tables<K, T>(found: &mut Comparison, key: &str, old: &BTreeMap<K, T>, new: &BTreeMap<K, T>)
where
    K: Ord + Display,
    T: PartialEq,
{
    found.compare_tables(true, key, old, new);
}

/// A change of each of these named tables takes a restart.
pub(super) fn restart_tables<K, T>(found: &mut Comparison, key: &str, old: &BTreeMap<K, T>, new: &BTreeMap<K, T>)
where
    K: Ord + Display,
    T: PartialEq,
{
    found.compare_tables(false, key, old, new);
}

/// The changes that only a restart can take, each at its place, with what to do.
pub(super) fn refused(changes: &[ConfigChange], places: &Places) -> Vec<Problem> {
    let problem = |change: &ConfigChange| Problem {
        place: places.of(&change.key),
        key: change.key.clone(),
        what: "has changed, and cannot be changed while the daemon runs".to_owned(),
        hint: "restart roomgate to have it, or put it back".to_owned(),
    };
    changes.iter().filter(|change| !change.live).map(problem).collect()
}
