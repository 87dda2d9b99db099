//! [`Places`]: where each key was written, for messages that name a file with its line or a variable.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::common::problem::Place;

/// Where each key was written, by its path.
#[derive(Debug)]
pub(super) struct Places {
    keys: BTreeMap<String, Place>,
    main: PathBuf,
}

impl Places {
    /// `main` is the file that keys which nobody wrote are told of.
    pub(super) const fn new(keys: BTreeMap<String, Place>, main: PathBuf) -> Self {
        Self { keys, main }
    }

    /// The place of `key`, if any layer has it.
    pub(super) fn get(&self, key: &str) -> Option<&Place> {
        self.keys.get(key)
    }

    /// The place of `key`, or else of the table around it, or else the main file.
    pub(super) fn of(&self, key: &str) -> Place {
        let mut key = key;
        loop {
            if let Some(place) = self.keys.get(key) {
                return place.clone();
            }
            match key.rsplit_once('.') {
                Some((parent, _)) => key = parent,
                None => return Place::File { file: self.main.clone(), line: None },
            }
        }
    }
}

/// The path of `key` in the table at `path`; the root table's path is empty.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
