//! [`Section`]: typed reading of one table, which notes every mistake and goes on.
//!
//! Each key is asked for once with its type; what is left over at the end is unknown. A key that cannot be read counts
//! as not set, so that one mistake never hides another. An empty text counts as not set where a key is optional.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::secret::Secret;
use super::source::{Node, Value};
use crate::common::problem::{Place, Problem};

/// What is wrong with a value, and what to do about it.
#[derive(Debug)]
pub(super) struct WrongValue {
    pub(super) what: String,
    pub(super) hint: String,
}

impl WrongValue {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// What reading has come upon so far.
#[derive(Debug, Default)]
pub(super) struct SectionReport {
    pub(super) problems: Vec<Problem>,
    /// Where each key was written.
    pub(super) places: BTreeMap<String, Place>,
    /// Every key asked for, with `X` for chosen names.
    pub(super) known: BTreeSet<String>,
    /// `$CREDENTIALS_DIRECTORY`.
    pub(super) credentials: Option<PathBuf>,
}

/// One table while it is being read.
pub(super) struct Section<'a> {
    path: String,
    pattern: String,
    place: Option<Place>,
    entries: BTreeMap<String, Node>,
    asked: Vec<&'static str>,
    report: &'a mut SectionReport,
}

impl<'a> Section<'a> {
    pub(super) fn root(entries: BTreeMap<String, Node>, report: &'a mut SectionReport) -> Self {
        Self { path: String::new(), pattern: String::new(), place: None, entries, asked: Vec::new(), report }
    }

    /// Reads `key` with `read`; `None` if it is not set or wrong.
    pub(super) fn get<T>(&mut self, key: &'static str, read: impl FnOnce(&Value) -> Result<T, WrongValue>) -> Option<T> {
        let node = self.take(key)?;
        match read(&node.value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.wrong(key, node.place, wrong);
                None
            }
        }
    }

    /// Like [`Section::get`] for a key without a default: an empty text counts as not set.
    pub(super) fn optional<T>(&mut self, key: &'static str, read: impl FnOnce(&Value) -> Result<T, WrongValue>) -> Option<T> {
        if matches!(self.entries.get(key), Some(Node { value: Value::Text(text) | Value::Untyped(text), .. }) if text.is_empty())
        {
            self.take(key);
            return None;
        }
        self.get(key, read)
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
            let place = self.report.places.get(&join(&self.path, key)).cloned().or_else(|| self.place.clone());
            if let Some(place) = place {
                self.wrong(key, place, WrongValue::new("is missing", hint));
            }
        }
        value
    }

    /// A secret: a text, `{ file = "…" }` or `{ credential = "…" }`.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let credentials = self.report.credentials.clone();
        let shape = || WrongValue::new("is no secret", "write \"…\" in quotes, { file = \"path\" } or { credential = \"name\" }");
        let bad = |what| WrongValue::new(what, "the text of a secret comes from a readable file that is not empty");
        self.optional(key, |value| match value {
            Value::Text(text) | Value::Untyped(text) => Ok(Secret::new(text.as_str())),
            Value::Table(table) if table.len() == 1 => match table.iter().next() {
                Some((name, node)) if name == "file" => Secret::from_file(&path(&node.value)?).map_err(bad),
                Some((name, node)) if name == "credential" => {
                    let name = text(&node.value)?;
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
            },
            _ => Err(shape()),
        })
    }

    /// Reads the table `key`, also if it is not there: then all of its keys are not set.
    pub(super) fn table<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Section<'_>) -> T) -> T {
        let node = self.take(key);
        let (entries, place) = self.as_table(key, node);
        let (path, pattern) = (join(&self.path, key), join(&self.pattern, key));
        let mut section = Section { path, pattern, place, entries, asked: Vec::new(), report: &mut *self.report };
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
        let node = self.take(key);
        let (entries, _) = self.as_table(key, node);
        let (path, pattern) = (join(&self.path, key), join(&join(&self.pattern, key), "X"));
        let mut found = BTreeMap::new();
        for (name, node) in entries {
            let path = join(&path, &name);
            self.report.places.insert(path.clone(), node.place.clone());
            let Value::Table(entries) = node.value else {
                let hint = format!("write a table, [{path}]");
                self.report.problems.push(Problem { place: node.place, key: path, what: "is not a table".to_owned(), hint });
                continue;
            };
            let (place, pattern) = (Some(node.place), pattern.clone());
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
        for (key, node) in std::mem::take(&mut self.entries) {
            let hint = match nearest(&key, &self.asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", self.asked.join(", ")),
            };
            let key = join(&self.path, &key);
            self.report.problems.push(Problem { place: node.place, key, what: "is not a known key".to_owned(), hint });
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.asked.push(key);
        self.report.known.insert(join(&self.pattern, key));
        let node = self.entries.remove(key)?;
        self.report.places.insert(join(&self.path, key), node.place.clone());
        Some(node)
    }

    fn as_table(&mut self, key: &'static str, node: Option<Node>) -> (BTreeMap<String, Node>, Option<Place>) {
        match node {
            None => (BTreeMap::new(), None),
            Some(Node { place, value: Value::Table(entries) }) => (entries, Some(place)),
            Some(Node { place, .. }) => {
                let hint = format!("write a table, [{}]", join(&self.path, key));
                self.wrong(key, place, WrongValue::new("is not a table", hint));
                (BTreeMap::new(), None)
            }
        }
    }

    fn wrong(&mut self, key: &str, place: Place, wrong: WrongValue) {
        let key = join(&self.path, key);
        self.report.problems.push(Problem { place, key, what: wrong.what, hint: wrong.hint });
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The candidate that differs from `key` in at most a third of its letters.
fn nearest(key: &str, candidates: &[&'static str]) -> Option<&'static str> {
    let scored = candidates.iter().map(|candidate| (strsim::levenshtein(key, candidate), *candidate));
    scored.min().filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3).map(|(_, candidate)| candidate)
}

// === what a value can be read as ===

fn mismatch(value: &Value, wanted: &str) -> WrongValue {
    let found = match value {
        Value::Text(text) | Value::Untyped(text) => format!("{:?}", text.as_str()),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::List(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::Foreign(kind) => (*kind).to_owned(),
    };
    WrongValue::new(format!("{found} does not fit"), format!("write {wanted}"))
}

pub(super) fn text(value: &Value) -> Result<String, WrongValue> {
    match value {
        Value::Text(text) | Value::Untyped(text) => Ok(text.to_string()),
        other => Err(mismatch(other, "a text in quotes")),
    }
}

/// A text of at least one visible character and at most `longest`, without control characters.
pub(super) fn label(longest: usize) -> impl FnOnce(&Value) -> Result<String, WrongValue> {
    move |value| {
        let label = text(value)?.trim().to_owned();
        let fits = (1..=longest).contains(&label.chars().count()) && !label.chars().any(char::is_control);
        if fits { Ok(label) } else { Err(mismatch(value, &format!("1 to {longest} visible characters"))) }
    }
}

pub(super) fn path(value: &Value) -> Result<PathBuf, WrongValue> {
    let text = text(value)?;
    if text.is_empty() { Err(mismatch(value, "a path")) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn boolean(value: &Value) -> Result<bool, WrongValue> {
    match value {
        Value::Boolean(boolean) => Ok(*boolean),
        Value::Untyped(text) if text.as_str() == "true" => Ok(true),
        Value::Untyped(text) if text.as_str() == "false" => Ok(false),
        other => Err(mismatch(other, "true or false")),
    }
}

/// A whole number within `range`.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl FnOnce(&Value) -> Result<T, WrongValue>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    move |value| {
        let number = match value {
            Value::Integer(number) => Some(*number),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        number.ok_or_else(|| mismatch(value, &format!("a whole number from {} to {}", range.start(), range.end())))
    }
}

/// Anything that is written as a text with a form of its own.
pub(super) fn parsed<T: FromStr>(wanted: &'static str) -> impl Fn(&Value) -> Result<T, WrongValue> {
    move |value| match value {
        Value::Text(text) | Value::Untyped(text) => text.trim().parse().map_err(|_| mismatch(value, wanted)),
        other => Err(mismatch(other, wanted)),
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(choices: &'static [(&'static str, T)]) -> impl Fn(&Value) -> Result<T, WrongValue> {
    move |value| {
        let found = match value {
            Value::Text(text) | Value::Untyped(text) => choices.iter().find(|(word, _)| *word == text.as_str()),
            _ => None,
        };
        let words = || choices.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        found.map(|(_, choice)| *choice).ok_or_else(|| mismatch(value, &format!("one of {}", words())))
    }
}

/// A list; one bare item counts as a list of one, and the environment separates items by commas.
pub(super) fn list<T>(item: impl Fn(&Value) -> Result<T, WrongValue>) -> impl FnOnce(&Value) -> Result<Vec<T>, WrongValue> {
    move |value| match value {
        Value::List(nodes) => nodes.iter().map(|node| item(&node.value)).collect(),
        Value::Untyped(text) => {
            let text = text.trim().trim_start_matches('[').trim_end_matches(']');
            let items = text.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty());
            items.map(|text| item(&Value::Untyped(text.to_owned().into()))).collect()
        }
        Value::Text(text) if text.is_empty() => Ok(Vec::new()),
        one => Ok(vec![item(one)?]),
    }
}

/// A length of time within `range`: `"500ms"`, `"20s"`, `"1h30m"`, `"30d"`; `"0"` needs no unit.
pub(super) fn time(range: RangeInclusive<Duration>) -> impl FnOnce(&Value) -> Result<Duration, WrongValue> {
    move |value| {
        let time = match value {
            Value::Text(text) | Value::Untyped(text) => parse_time(text),
            Value::Integer(0) => Some(Duration::ZERO),
            _ => None,
        };
        time.filter(|time| range.contains(time)).ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            let (low, high) = (written(*low), written(*high));
            mismatch(value, &format!("a time with its unit, such as \"20s\" or \"10m\", from {low} to {high}"))
        })
    }
}

/// A length of time as somebody would write it: in the largest unit that divides it.
fn written(time: Duration) -> String {
    let seconds = time.as_secs();
    let unit = [(86_400, 'd'), (3600, 'h'), (60, 'm')].into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match unit {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None if time.subsec_millis() > 0 => format!("{}ms", time.as_millis()),
        None => format!("{seconds}s"),
    }
}

/// Reads a length of time as it is written in the configuration: `"500ms"`, `"20s"`, `"1h30m"`, `"30d"`, `"0"`.
#[must_use]
pub fn parse_time(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let milliseconds: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let part = digits.parse::<u64>().ok()?.checked_mul(milliseconds)?;
        total = total.checked_add(Duration::from_millis(part))?;
        rest = tail;
    }
    (!text.trim().is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        let seconds = |text| parse_time(text).map(|time| time.as_secs_f64());
        assert_eq!(seconds("20s"), Some(20.0));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds(" 30d "), Some(2_592_000.0));
        assert_eq!(seconds("0"), Some(0.0));
        for text in ["", "20", "s", "20 parsecs", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn a_typing_mistake_finds_the_key_that_was_meant() {
        let keys = &["transport", "address", "port"];
        assert_eq!(nearest("adress", keys), Some("address"));
        assert_eq!(nearest("prot", keys), None);
        assert_eq!(nearest("poort", keys), Some("port"));
        assert_eq!(nearest("colour", keys), None);
    }
}
