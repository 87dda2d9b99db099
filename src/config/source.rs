//! Layers of configuration: `roomgate.toml`, drop-ins in the order of their names, then the environment (O-1, U-3).
//!
//! A layer is a tree of values that each remember where they were written. Later layers merge by name. A file that
//! cannot be read or parsed is one problem; the others still count.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use crate::common::problem::{Place, Problem};

/// The main file in a configuration directory.
pub const MAIN_FILE: &str = "roomgate.toml";
/// The directory of drop-ins beside it.
const DROP_INS: &str = "roomgate.d";
/// What our environment variables start with.
const PREFIX: &str = "ROOMGATE__";
/// Longest file that is read.
const MAX_FILE: u64 = 4 << 20;
/// Deepest nesting of a variable's name.
const MAX_LEVELS: usize = 8;

/// A value, and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value as written. Any text may be a secret: all of them are overwritten when they are dropped.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Zeroizing<String>),
    Integer(i64),
    Boolean(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// From the environment: takes the type that is wanted of it.
    Untyped(Zeroizing<String>),
    /// A TOML type that no key of ours has.
    Foreign(&'static str),
}

/// All layers merged.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) root: BTreeMap<String, Node>,
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
pub(super) fn read(path: &Path, env: &[(String, String)]) -> Layers {
    let mut layers = Layers { root: BTreeMap::new(), files: Vec::new(), problems: Vec::new(), incomplete: false, absent: false };
    for file in files(path, &mut layers) {
        match parse(&file) {
            Ok(tree) => merge(&mut layers.root, tree),
            Err(problem) => {
                layers.incomplete = true;
                layers.absent |= layers.files.is_empty() && std::fs::File::open(&file).is_err();
                layers.problems.push(problem);
            }
        }
        layers.files.push(file);
        if layers.absent {
            layers.problems.truncate(1);
            return layers;
        }
    }
    let mut ours: Vec<_> = env.iter().filter_map(|(name, text)| Some((name, name.strip_prefix(PREFIX)?, text))).collect();
    ours.sort();
    for (variable, name, text) in ours {
        let place = Place::Environment { variable: variable.clone() };
        let levels: Vec<_> = name.split("__").collect();
        if levels.len() > MAX_LEVELS || levels.iter().any(|level| level.is_empty()) {
            layers.problems.push(Problem {
                place,
                key: String::new(),
                what: "the name has an empty level".to_owned(),
                hint: "two underscores stand between levels, as in ROOMGATE__HTTP__PORT".to_owned(),
            });
            continue;
        }
        put(&mut layers.root, &levels, &place, text);
    }
    layers
}

fn files(path: &Path, layers: &mut Layers) -> Vec<PathBuf> {
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
            Err(error) => {
                layers.incomplete = true;
                layers.problems.push(unreadable(&drop_ins, &error));
            }
        }
    }
    found
}

fn unreadable(file: &Path, error: &std::io::Error) -> Problem {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "name an existing file or directory with --config or ROOMGATE_CONFIG",
        std::io::ErrorKind::PermissionDenied => "let the user that runs roomgate read it",
        _ => "",
    };
    let place = Place::File { file: file.to_owned(), line: None };
    Problem { place, key: String::new(), what: format!("cannot be read: {error}"), hint: hint.to_owned() }
}

fn parse(file: &Path) -> Result<BTreeMap<String, Node>, Problem> {
    let place = |line| Place::File { file: file.to_owned(), line };
    let size = std::fs::metadata(file).map_err(|error| unreadable(file, &error))?.len();
    if size > MAX_FILE {
        let (what, hint) = (format!("is {size} bytes long"), format!("at most {MAX_FILE} bytes are read"));
        return Err(Problem { place: place(None), key: String::new(), what, hint });
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?);
    parse_text(&text, file)
}

/// The tree of a file's text.
pub(super) fn parse_text(text: &str, file: &Path) -> Result<BTreeMap<String, Node>, Problem> {
    let place = |line| Place::File { file: file.to_owned(), line };
    let table = DeTable::parse(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        let what = format!("not valid TOML: {}", error.message().lines().next().unwrap_or_default());
        Problem {
            place: place(line),
            key: String::new(),
            what,
            hint: "mend the syntax; until then the whole file is ignored".to_owned(),
        }
    })?;
    Ok(tree(table.get_ref(), text, file))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn tree(table: &DeTable<'_>, text: &str, file: &Path) -> BTreeMap<String, Node> {
    table
        .iter()
        .map(|(key, value)| {
            // A table's own span may be anywhere; its name is where people look.
            let line = Some(line_of(text, key.span().start));
            (key.get_ref().to_string(), node(value, line, text, file))
        })
        .collect()
}

fn node(value: &Spanned<DeValue<'_>>, line: Option<usize>, text: &str, file: &Path) -> Node {
    let place = Place::File { file: file.to_owned(), line };
    let value = match value.get_ref() {
        DeValue::String(string) => Value::Text(string.to_string().into()),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Foreign("a number beyond all bounds"),
        },
        DeValue::Array(items) => {
            let item = |item: &Spanned<DeValue<'_>>| node(item, Some(line_of(text, item.span().start)), text, file);
            Value::List(items.iter().map(item).collect())
        }
        DeValue::Table(table) => Value::Table(tree(table, text, file)),
        DeValue::Float(_) => Value::Foreign("a fraction"),
        DeValue::Datetime(_) => Value::Foreign("a date"),
    };
    Node { place, value }
}

/// Puts `later` over `tree`: tables merge by name, everything else is replaced.
fn merge(tree: &mut BTreeMap<String, Node>, later: BTreeMap<String, Node>) {
    for (key, node) in later {
        match (tree.get_mut(&key).map(|earlier| &mut earlier.value), node.value) {
            (Some(Value::Table(into)), Value::Table(from)) if !(names_a_secret(into) && names_a_secret(&from)) => {
                merge(into, from)
            }
            (_, value) => drop(tree.insert(key, Node { place: node.place, value })),
        }
    }
}

/// `{ file = … }` and `{ credential = … }` are one value, not two settings to merge.
fn names_a_secret(table: &BTreeMap<String, Node>) -> bool {
    table.len() == 1 && table.keys().all(|key| key == "file" || key == "credential")
}

/// Sets one variable. A level finds the name that is there however its dashes, underscores and case are written.
fn put(tree: &mut BTreeMap<String, Node>, levels: &[&str], place: &Place, text: &str) {
    let Some((first, rest)) = levels.split_first() else { return };
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let key = tree.keys().find(|key| plain(key) == plain(first)).cloned().unwrap_or_else(|| first.to_ascii_lowercase());
    if rest.is_empty() {
        tree.insert(key, Node { place: place.clone(), value: Value::Untyped(text.to_owned().into()) });
        return;
    }
    let node = tree.entry(key).or_insert_with(|| Node { place: place.clone(), value: Value::Table(BTreeMap::new()) });
    let secret = matches!(rest, ["FILE" | "CREDENTIAL"]);
    if !matches!(&node.value, Value::Table(table) if !(secret && names_a_secret(table))) {
        *node = Node { place: place.clone(), value: Value::Table(BTreeMap::new()) };
    }
    if let Value::Table(table) = &mut node.value {
        put(table, rest, place, text);
    }
}
