//! [`Layers`]: files and environment variables, merged by the crate `config` in the order in which they are added (U-3).
//!
//! `config` decides what a later layer does to an earlier one (tables merge by name, everything else is replaced) and keeps the origin of
//! each key: the path of a file, or the name of a variable. What it cannot carry stays here:
//!
//! - **Values.** It copies what it merges, and secrets must not stay behind in memory; it knows no text whose type is not known yet,
//!   which is what a variable has. So it merges the *numbers* of values that stay in [`Layers::written`].
//! - **Lines**, and the places of tables: it has neither. A key's line comes from `toml`.
//! - **Variables.** Its `Environment` forgets which variable a value came from, and does not find `board-room` by `BOARD_ROOM`.
//! - **Keys as they are.** It reads the first level of a source as an expression (`"a.b"`, `"a[9]"`); each layer is under the one key
//!   [`ROOT`] for that reason.
//! - **Secrets.** `{ file = … }` and `{ credential = … }` of two layers are one value each, not two settings to merge.

use std::collections::BTreeMap;
use std::path::Path;

use ::config::{Config, ConfigError, Map, Source, Value as Merged, ValueKind};

use super::places::join;
use super::toml_file::TomlFile;
use super::value::{Table, Value};
use crate::common::problem::Place;

/// The key that all of a layer is under.
const ROOT: &str = "root";

/// Layers that are not merged yet, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Layers {
    layers: Vec<Layer>,
    /// Values by their number, each with its line where it is of a file.
    written: Vec<(Value, Option<usize>)>,
    /// Where each table was begun.
    tables: BTreeMap<String, Place>,
}

/// An environment variable of ours.
#[derive(Debug)]
pub(super) struct Variable<'a> {
    pub(super) name: &'a str,
    /// The levels of its name behind the prefix, such as `HTTP` and `PORT`.
    pub(super) levels: Vec<&'a str>,
    pub(super) text: &'a str,
}

/// The keys of one file or variable, each with the number of its value.
#[derive(Debug, Clone)]
struct Layer(Map<String, Merged>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Merged>, ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layers {
    /// Puts what `file` says over all layers so far.
    pub(super) fn add_file(&mut self, file: &Path, TomlFile { table, lines }: TomlFile) {
        let origin = file.display().to_string();
        let place = |path: &str| Place::File { file: file.to_owned(), line: lines.get(path).copied() };
        let keys = self.number("", table, &origin, &place);
        self.push(keys);
    }

    /// Puts variables over all layers so far. A level of a variable's name finds the key that a file has however its dashes, underscores and
    /// case are written; a new key is in lower case.
    pub(super) fn add_variables(&mut self, variables: &[Variable<'_>]) {
        let files = self.merged();
        for Variable { name, levels, text } in variables {
            let (mut below, variable) = (Some(&files), (*name).to_owned());
            let value = Value::Untyped((*text).to_owned().into());
            let names: Vec<_> = levels.iter().map(|level| name_of(level, &mut below)).collect();
            let nested = names.into_iter().rev().fold(value, |value, name| Value::Table(Table::from([(name, value)])));
            if let Value::Table(table) = nested {
                let keys = self.number("", table, &variable, &|_| Place::Environment { variable: variable.clone() });
                self.push(keys);
            }
        }
    }

    /// Merges all layers: their values, and where each key was written.
    pub(super) fn merge(self) -> (Table, BTreeMap<String, Place>) {
        let mut places = BTreeMap::new();
        match self.merged().kind {
            ValueKind::Table(keys) => (self.values("", keys, &mut places), places),
            _ => (Table::new(), places),
        }
    }

    fn push(&mut self, keys: Map<String, Merged>) {
        self.layers.push(Layer(Map::from([(ROOT.to_owned(), Merged::new(None, ValueKind::Table(keys)))])));
    }

    /// Gives each value of `table` a number.
    fn number(&mut self, path: &str, table: Table, origin: &String, place: &dyn Fn(&str) -> Place) -> Map<String, Merged> {
        let mut keys = Map::new();
        for (key, value) in table {
            let inside = join(path, &key);
            let written_at = place(&inside);
            let kind = match (value, &written_at) {
                (Value::Table(table), _) => {
                    let begun = self.tables.entry(inside.clone()).or_insert_with(|| written_at.clone());
                    if names_a_secret(&table) {
                        begun.clone_from(&written_at);
                    }
                    ValueKind::Table(self.number(&inside, table, origin, place))
                }
                (value, Place::File { line, .. }) => self.keep(value, *line),
                (value, Place::Environment { .. }) => self.keep(value, None),
            };
            keys.insert(key, Merged::new(Some(origin), kind));
        }
        keys
    }

    fn keep(&mut self, value: Value, line: Option<usize>) -> ValueKind {
        self.written.push((value, line));
        ValueKind::U64(self.written.len() as u64 - 1)
    }

    /// The keys of all layers so far.
    fn merged(&self) -> Merged {
        let builder = self.layers.iter().cloned().fold(Config::builder(), |builder, layer| builder.add_source(layer));
        // No layer of ours can fail.
        let merged = builder.build().map(|config| config.cache.kind);
        match merged {
            Ok(ValueKind::Table(mut keys)) => keys.remove(ROOT).unwrap_or_default(),
            _ => Merged::default(),
        }
    }

    /// The values that `keys` have the numbers of, and where each was written.
    fn values(&self, path: &str, mut keys: Map<String, Merged>, places: &mut BTreeMap<String, Place>) -> Table {
        keep_later_secret(&mut keys);
        let mut table = Table::new();
        for (key, merged) in keys {
            let inside = join(path, &key);
            let origin = merged.origin().unwrap_or_default().to_owned();
            let (value, place) = match merged.kind {
                ValueKind::Table(keys) => {
                    let Some(place) = self.tables.get(&inside).cloned() else { continue };
                    (Value::Table(self.values(&inside, keys, places)), place)
                }
                kind => {
                    let Some((value, line)) = number_of(&kind).and_then(|number| self.written.get(number)) else { continue };
                    let place = match line {
                        Some(line) => Place::File { file: origin.into(), line: Some(*line) },
                        None => Place::Environment { variable: origin },
                    };
                    (value.clone(), place)
                }
            };
            places.insert(inside, place);
            table.insert(key, value);
        }
        table
    }
}

fn number_of(kind: &ValueKind) -> Option<usize> {
    match kind {
        ValueKind::U64(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

/// The name in the table `below` that `level` of a variable means; `below` becomes what is there.
fn name_of(level: &str, below: &mut Option<&Merged>) -> String {
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let table = below.take().and_then(|merged| if let ValueKind::Table(table) = &merged.kind { Some(table) } else { None });
    let known = table.into_iter().flatten().filter(|(name, _)| plain(name) == plain(level)).min_by_key(|(name, _)| *name);
    *below = known.map(|(_, merged)| merged);
    known.map_or_else(|| level.to_ascii_lowercase(), |(name, _)| name.clone())
}

/// `{ file = … }` and `{ credential = … }` are one value, which a later layer replaces as a whole.
fn names_a_secret(table: &Table) -> bool {
    table.len() == 1 && table.keys().all(|key| key == "file" || key == "credential")
}

/// `{ file = … }` and `{ credential = … }` are two ways to give one secret: that of the later layer counts.
fn keep_later_secret(keys: &mut Map<String, Merged>) {
    let (2, Some(file), Some(credential)) = (keys.len(), keys.get("file"), keys.get("credential")) else { return };
    if file.origin() != credential.origin() {
        let earlier = if number_of(&file.kind) < number_of(&credential.kind) { "file" } else { "credential" };
        keys.remove(earlier);
    }
}
