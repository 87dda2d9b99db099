//! TOML text to a [`Table`] and the line of each of its keys: the crate `toml` knows where in the text a key is.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::places::join;
use super::value::{Table, Value};
use crate::common::problem::{Place, Problem};

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct TomlFile {
    pub(super) table: Table,
    /// The line of each key, counted from 1, by the key's path.
    pub(super) lines: BTreeMap<String, usize>,
}

/// Reads the file at `file`.
///
/// # Errors
/// It cannot be read, is too long, or is no TOML.
pub(super) fn read(file: &Path) -> Result<TomlFile, Problem> {
    let size = std::fs::metadata(file).map_err(|error| unreadable(file, &error))?.len();
    if size > MAX_FILE {
        let place = Place::File { file: file.to_owned(), line: None };
        let (what, hint) = (format!("is {size} bytes long"), format!("at most {MAX_FILE} bytes are read"));
        return Err(Problem { place, key: String::new(), what, hint });
    }
    let text = Zeroizing::new(std::fs::read_to_string(file).map_err(|error| unreadable(file, &error))?);
    parse(&text, file)
}

/// Why a file or directory cannot be read, and what to do about it.
pub(super) fn unreadable(file: &Path, error: &std::io::Error) -> Problem {
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "name an existing file or directory with --config or ROOMGATE_CONFIG",
        std::io::ErrorKind::PermissionDenied => "let the user that runs roomgate read it",
        _ => "",
    };
    let place = Place::File { file: file.to_owned(), line: None };
    Problem { place, key: String::new(), what: format!("cannot be read: {error}"), hint: hint.to_owned() }
}

/// Reads `text`, which is that of `file`.
///
/// # Errors
/// It is no TOML; with the line where that shows.
pub(super) fn parse(text: &str, file: &Path) -> Result<TomlFile, Problem> {
    let parsed = DeTable::parse(text).map_err(|error| Problem {
        place: Place::File { file: file.to_owned(), line: error.span().map(|span| line_of(text, span.start)) },
        key: String::new(),
        what: format!("not valid TOML: {}", error.message().lines().next().unwrap_or_default()),
        hint: "mend the syntax; until then the whole file is ignored".to_owned(),
    })?;
    let mut lines = BTreeMap::new();
    note_lines("", parsed.get_ref(), text, &mut lines);
    Ok(TomlFile { table: table(parsed.get_ref()), lines })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Notes the line of each key's name: the span of a table itself may be anywhere, its name is where people look.
fn note_lines(path: &str, table: &DeTable<'_>, text: &str, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let inside = join(path, key.get_ref());
        if let DeValue::Table(table) = value.get_ref() {
            note_lines(&inside, table, text, lines);
        }
        lines.insert(inside, line_of(text, key.span().start));
    }
}

fn table(table: &DeTable<'_>) -> Table {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), value_of(value))).collect()
}

fn value_of(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(string) => Value::Text(string.to_string().into()),
        DeValue::Boolean(boolean) => Value::Boolean(*boolean),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Foreign("a number beyond all bounds"),
        },
        DeValue::Array(items) => Value::List(items.iter().map(value_of).collect()),
        DeValue::Table(inner) => Value::Table(table(inner)),
        DeValue::Float(_) => Value::Foreign("a fraction"),
        DeValue::Datetime(_) => Value::Foreign("a date"),
    }
}
