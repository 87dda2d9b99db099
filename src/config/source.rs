//! Sources of configuration: `roomgate.toml`, drop-ins in the order of their names, then the environment (O-1, U-3).
//!
//! A file that cannot be read or parsed is one problem; the others still count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::layers::{Layers, Variable};
use super::places::Places;
use super::toml_file;
use super::value::Table;
use crate::common::problem::{Place, Problem};

/// The main file in a configuration directory.
pub const MAIN_FILE: &str = "roomgate.toml";
/// The directory of drop-ins beside it.
const DROP_INS: &str = "roomgate.d";
/// What our environment variables start with.
const PREFIX: &str = "ROOMGATE__";
/// Deepest nesting of a variable's name.
const MAX_LEVELS: usize = 8;

/// What all layers together say.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) root: Table,
    pub(super) places: Places,
    /// The files, in the order of their layers.
    pub(super) files: Vec<PathBuf>,
    pub(super) problems: Vec<Problem>,
    /// A file is missing from the tree, so names it would have defined are unknown.
    pub(super) incomplete: bool,
    /// There is nothing to read where the configuration should be: the one problem says so.
    pub(super) absent: bool,
}

/// The directory that belongs to `path`: itself, or the one the file is in.
pub(super) fn directory_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Reads the file at `path`, or `roomgate.toml` and `roomgate.d/*.toml` in the directory at `path`, and puts `env` over it.
pub(super) fn read(path: &Path, env: &[(String, String)]) -> Sources {
    let (mut layers, mut problems) = (Layers::default(), Vec::new());
    let files = files(path, &mut problems);
    let mut incomplete = !problems.is_empty();
    let main = files.first().map_or(path, PathBuf::as_path).to_owned();
    for file in &files {
        match toml_file::read(file) {
            Ok(content) => layers.add_file(file, content),
            Err(problem) => {
                incomplete = true;
                if *file == main && std::fs::File::open(file).is_err() {
                    let places = Places::new(BTreeMap::new(), main);
                    return Sources { root: Table::new(), places, files, problems: vec![problem], incomplete, absent: true };
                }
                problems.push(problem);
            }
        }
    }
    layers.add_variables(&variables(env, &mut problems));
    let (root, places) = layers.merge();
    Sources { root, places: Places::new(places, main), files, problems, incomplete, absent: false }
}

/// Reads `text` as if it were the main file and the only layer.
///
/// # Errors
/// It is no TOML.
pub(super) fn read_text(text: &str) -> Result<(Table, Places), Problem> {
    let main = PathBuf::from(MAIN_FILE);
    let content = toml_file::parse(text, &main)?;
    let mut layers = Layers::default();
    layers.add_file(&main, content);
    let (root, places) = layers.merge();
    Ok((root, Places::new(places, main)))
}

fn files(path: &Path, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found = vec![path.join(MAIN_FILE)];
    let drop_ins = path.join(DROP_INS);
    if drop_ins.is_dir() {
        match std::fs::read_dir(&drop_ins) {
            Ok(entries) => {
                let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
                names.retain(|name| name.extension().is_some_and(|extension| extension == "toml"));
                names.sort();
                found.extend(names);
            }
            Err(error) => problems.push(toml_file::unreadable(&drop_ins, &error)),
        }
    }
    found
}

/// Variables of ours in the order of their names.
fn variables<'a>(env: &'a [(String, String)], problems: &mut Vec<Problem>) -> Vec<Variable<'a>> {
    let mut found = Vec::new();
    for (name, text) in env {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let levels: Vec<_> = path.split("__").collect();
        if levels.len() <= MAX_LEVELS && levels.iter().all(|level| !level.is_empty()) {
            found.push(Variable { name, levels, text });
            continue;
        }
        problems.push(Problem {
            place: Place::Environment { variable: name.clone() },
            key: String::new(),
            what: "the name has an empty level".to_owned(),
            hint: "two underscores stand between levels, as in ROOMGATE__HTTP__PORT".to_owned(),
        });
    }
    found.sort_by_key(|variable| variable.name);
    found
}
