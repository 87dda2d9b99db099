//! [`Section`]: typed reading of one table, which notes every mistake and goes on.
//!
//! Each key is asked for once with its type; what is left over at the end is unknown. A key that cannot be read counts
//! as not set, so that one mistake never hides another. An empty text counts as not set where a key is optional.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::places::{Places, join};
use super::readers::{WrongValue, boolean, path, text};
use super::secret::Secret;
use super::value::{Table, Value};
use crate::common::problem::{Place, Problem};

/// Where the daemon runs: what defaults and secrets depend on.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// `prompts` in the configuration's directory.
    pub(super) prompts: PathBuf,
    /// The state directory: that of `$STATE_DIRECTORY` or of the system until `[store]` is read, then what that says.
    pub(super) state: PathBuf,
    /// `$CREDENTIALS_DIRECTORY`.
    pub(super) credentials: Option<PathBuf>,
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// One value.
    Value,
    /// One value that may come from a file or a credential.
    Secret,
    /// A table with keys of its own.
    Table,
    /// Any number of tables with names that the administrator chooses.
    NamedTables,
}

/// What reading has come upon so far.
#[derive(Debug)]
pub(super) struct SectionReport {
    pub(super) problems: Vec<Problem>,
    pub(super) places: Places,
    /// Every key asked for, with `X` for chosen names: what the reference and the schema are held against.
    pub(super) known: BTreeMap<String, KeyKind>,
    pub(super) surroundings: Surroundings,
}

impl SectionReport {
    pub(super) const fn new(problems: Vec<Problem>, places: Places, surroundings: Surroundings) -> Self {
        Self { problems, places, known: BTreeMap::new(), surroundings }
    }
}

/// One table while it is being read.
pub(super) struct Section<'a> {
    path: String,
    pattern: String,
    /// Where the table was begun; `None` where there is none, and all of its keys are not set.
    place: Option<Place>,
    entries: Table,
    asked: Vec<&'static str>,
    report: &'a mut SectionReport,
}

impl<'a> Section<'a> {
    pub(super) fn root(entries: Table, report: &'a mut SectionReport) -> Self {
        Self { path: String::new(), pattern: String::new(), place: None, entries, asked: Vec::new(), report }
    }

    /// What defaults depend on.
    pub(super) fn surroundings(&mut self) -> &mut Surroundings {
        &mut self.report.surroundings
    }

    /// Reads `key` with `read`; `None` if it is not set or wrong.
    pub(super) fn get<T>(&mut self, key: &'static str, read: impl FnOnce(&Value) -> Result<T, WrongValue>) -> Option<T> {
        let value = self.take(key, KeyKind::Value)?;
        self.read(key, &value, read)
    }

    /// Like [`Section::get`] for a key without a default: an empty text counts as not set.
    pub(super) fn optional<T>(&mut self, key: &'static str, read: impl FnOnce(&Value) -> Result<T, WrongValue>) -> Option<T> {
        let value = self.take(key, KeyKind::Value).filter(is_set)?;
        self.read(key, &value, read)
    }

    /// Like [`Section::optional`], and a problem if it is not set.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        hint: &str,
        read: impl FnOnce(&Value) -> Result<T, WrongValue>,
    ) -> Option<T> {
        let before = self.report.problems.len();
        let value = self.optional(key, read);
        if value.is_none() && self.report.problems.len() == before {
            let place = self.report.places.get(&join(&self.path, key)).or(self.place.as_ref()).cloned();
            if let Some(place) = place {
                self.wrong_at(place, key, WrongValue::new("is missing", hint));
            }
        }
        value
    }

    /// A secret: a text, `{ file = "…" }` or `{ credential = "…" }`.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let value = self.take(key, KeyKind::Secret).filter(is_set)?;
        let credentials = self.report.surroundings.credentials.clone();
        self.read(key, &value, |value| secret(value, credentials))
    }

    /// Reads the table `key`, also if it is not there: then all of its keys are not set.
    pub(super) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let value = self.take(key, KeyKind::Table);
        let entries = self.as_table(key, value);
        let mut section = Section {
            path: join(&self.path, key),
            pattern: join(&self.pattern, key),
            place: entries.as_ref().and_then(|_| self.report.places.get(&join(&self.path, key)).cloned()),
            entries: entries.unwrap_or_default(),
            asked: Vec::new(),
            report: &mut *self.report,
        };
        let value = read(&mut section);
        section.finish();
        value
    }

    /// Reads the named tables in `key` (U-3), without those that say `enabled = false`. `read` gives `None` for one
    /// that cannot be used; why is in the report.
    pub(super) fn named<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&str, &mut Section<'_>) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let value = self.take(key, KeyKind::NamedTables);
        let entries = self.as_table(key, value).unwrap_or_default();
        let (table, pattern) = (join(&self.path, key), join(&join(&self.pattern, key), "X"));
        let mut found = BTreeMap::new();
        for (name, value) in entries {
            let path = join(&table, &name);
            let place = self.report.places.of(&path);
            let Value::Table(entries) = value else {
                let hint = format!("write a table, [{path}]");
                self.report.problems.push(Problem { place, key: path, what: "is not a table".to_owned(), hint });
                continue;
            };
            let (place, pattern) = (Some(place), pattern.clone());
            let mut section = Section { path, pattern, place, entries, asked: Vec::new(), report: &mut *self.report };
            if section.get("enabled", boolean).unwrap_or(true) {
                if let Some(value) = read(&name, &mut section) {
                    found.insert(name, value);
                }
                section.finish();
            }
        }
        found
    }

    /// Notes a problem with this table as a whole.
    pub(super) fn complain(&mut self, what: impl Into<String>, hint: impl Into<String>) {
        if let Some(place) = self.place.clone() {
            self.report.problems.push(Problem { place, key: self.path.clone(), what: what.into(), hint: hint.into() });
        }
    }

    /// Whether a key of this table was found wrong already.
    pub(super) fn has_problems(&self) -> bool {
        let inside = format!("{}.", self.path);
        self.report.problems.iter().any(|problem| problem.key.starts_with(&inside))
    }

    /// Whether any layer says something about `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Reports what nobody asked for.
    pub(super) fn finish(&mut self) {
        for key in std::mem::take(&mut self.entries).into_keys() {
            let hint = match nearest(&key, &self.asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            self.wrong(&key, WrongValue::new("is not a known key", hint));
        }
    }

    fn take(&mut self, key: &'static str, kind: KeyKind) -> Option<Value> {
        self.asked.push(key);
        self.report.known.insert(join(&self.pattern, key), kind);
        self.entries.remove(key)
    }

    fn read<T>(&mut self, key: &str, value: &Value, read: impl FnOnce(&Value) -> Result<T, WrongValue>) -> Option<T> {
        read(value).map_err(|wrong| self.wrong(key, wrong)).ok()
    }

    fn as_table(&mut self, key: &'static str, value: Option<Value>) -> Option<Table> {
        match value? {
            Value::Table(entries) => Some(entries),
            _ => {
                let hint = format!("write a table, [{}]", join(&self.path, key));
                self.wrong(key, WrongValue::new("is not a table", hint));
                None
            }
        }
    }

    fn wrong(&mut self, key: &str, wrong: WrongValue) {
        let place = self.report.places.of(&join(&self.path, key));
        self.wrong_at(place, key, wrong);
    }

    fn wrong_at(&mut self, place: Place, key: &str, wrong: WrongValue) {
        let key = join(&self.path, key);
        self.report.problems.push(Problem { place, key, what: wrong.what, hint: wrong.hint });
    }
}

fn is_set(value: &Value) -> bool {
    !matches!(value, Value::Text(text) | Value::Untyped(text) if text.is_empty())
}

fn secret(value: &Value, credentials: Option<PathBuf>) -> Result<Secret, WrongValue> {
    let shape = || WrongValue::new("is no secret", "write \"…\" in quotes, { file = \"path\" } or { credential = \"name\" }");
    let bad = |what| WrongValue::new(what, "the text of a secret comes from a readable file that is not empty");
    let table = match value {
        Value::Text(text) | Value::Untyped(text) => return Ok(Secret::new(text.as_str())),
        Value::Table(table) if table.len() == 1 => table,
        _ => return Err(shape()),
    };
    match table.iter().next() {
        Some((name, value)) if name == "file" => Secret::from_file(&path(value)?).map_err(bad),
        Some((name, value)) if name == "credential" => {
            let name = text(value)?;
            if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
                return Err(WrongValue::new("is no credential name", "write the name used in LoadCredential="));
            }
            let directory = credentials.ok_or_else(|| {
                WrongValue::new(
                    "needs systemd credentials, but CREDENTIALS_DIRECTORY is not set",
                    "run under systemd with LoadCredential=, or use { file = \"path\" }",
                )
            })?;
            Secret::from_file(&directory.join(name)).map_err(bad)
        }
        _ => Err(shape()),
    }
}

/// The candidate that differs from `key` in at most a third of its letters.
fn nearest(key: &str, candidates: &[&'static str]) -> Option<&'static str> {
    let scored = candidates.iter().map(|candidate| (strsim::levenshtein(key, candidate), *candidate));
    scored.min().filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_the_key_that_was_meant() {
        let keys = &["transport", "address", "port"];
        assert_eq!(nearest("adress", keys), Some("address"));
        assert_eq!(nearest("prot", keys), None);
        assert_eq!(nearest("poort", keys), Some("port"));
        assert_eq!(nearest("colour", keys), None);
    }
}
