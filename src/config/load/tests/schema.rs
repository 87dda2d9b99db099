//! The JSON schema for editors is the declared keys with the texts of the reference: `ROOMGATE_WRITE_SCHEMA=1 cargo test schema` writes it anew.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::*;
use crate::config::value::Value as Written;

const FILE: &str = "conf/roomgate.schema.json";

/// The comment above each key or table of the reference, by its path.
fn comments() -> BTreeMap<String, String> {
    let (mut found, mut above, mut table) = (BTreeMap::new(), Vec::new(), String::new());
    for line in reference().lines() {
        if let Some(text) = line.strip_prefix("# ") {
            above.push(text.to_owned());
            continue;
        }
        let text = std::mem::take(&mut above).join(" ");
        if text.starts_with("===") {
            continue;
        }
        let key = match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => {
                table = name.to_owned();
                table.clone()
            }
            None => match line.split_once(" = ") {
                Some((key, _)) => format!("{table}.{key}"),
                None => continue,
            },
        };
        if !text.is_empty() {
            found.insert(key, text);
        }
    }
    found
}

/// The type of a key: that of its value in the reference, which its reader takes, unless it is declared to be a secret.
fn value_type(value: &Written, kind: KeyKind) -> Value {
    match value {
        _ if kind == KeyKind::Secret => json!({ "$ref": "#/$defs/secret" }),
        Written::Boolean(_) => json!({ "type": "boolean" }),
        Written::Integer(_) => json!({ "type": "integer" }),
        Written::List(_) => json!({ "type": ["array", "string"], "items": { "type": "string" } }),
        _ => json!({ "type": "string" }),
    }
}

/// What the reference says, by the paths of keys with `X` for chosen names.
struct Reference {
    declared: BTreeMap<String, KeyKind>,
    values: BTreeMap<String, Written>,
    comments: BTreeMap<String, String>,
}

impl Reference {
    fn read() -> Self {
        let folder = main(&reference());
        let mut read = Self { declared: declared(), values: BTreeMap::new(), comments: BTreeMap::new() };
        read.note("", "", &source::read(&folder.0, &[]).root, &comments());
        read
    }

    /// Notes the keys of a table. Of examples of one kind of named table, the last that says something about a key counts.
    fn note(&mut self, path: &str, pattern: &str, table: &Table, comments: &BTreeMap<String, String>) {
        for (key, value) in table {
            let inside = join(path, key);
            let is_named = self.declared.get(pattern) == Some(&KeyKind::NamedTables);
            let pattern = join(pattern, if is_named { "X" } else { key });
            if let Some(comment) = comments.get(&inside) {
                self.comments.insert(pattern.clone(), comment.clone());
            }
            if let Written::Table(table) = value {
                self.note(&inside, &pattern, table, comments);
            }
            self.values.insert(pattern, value.clone());
        }
    }

    /// The schema of the table at `path`: its declared keys.
    fn table(&self, path: &str) -> Value {
        let mut properties = Map::new();
        let prefix = join(path, "");
        for (path_of_key, kind) in &self.declared {
            let Some(key) = path_of_key.strip_prefix(&prefix).filter(|key| !key.contains('.')) else { continue };
            let mut schema = match kind {
                KeyKind::NamedTables => {
                    json!({ "type": "object", "additionalProperties": self.table(&format!("{path_of_key}.X")) })
                }
                KeyKind::Table => self.table(path_of_key),
                kind => value_type(&self.values[path_of_key], *kind),
            };
            if let (Some(about), Some(schema)) = (self.comments.get(path_of_key), schema.as_object_mut()) {
                schema.insert("description".to_owned(), about.as_str().into());
            }
            properties.insert(key.to_owned(), schema);
        }
        json!({ "type": "object", "additionalProperties": false, "properties": properties })
    }
}

fn schema() -> Value {
    let mut schema = Reference::read().table("");
    let frame = schema.as_object_mut().unwrap();
    frame.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    frame.insert("title".to_owned(), "Roomgate's configuration".into());
    let by = |what: &str| json!({ "type": "object", "additionalProperties": false, "required": [what], "properties": { what: { "type": "string" } } });
    frame.insert("$defs".to_owned(), json!({ "secret": { "oneOf": [{ "type": "string" }, by("file"), by("credential")] } }));
    schema
}

#[test]
fn o1_the_schema_for_editors_knows_every_key_of_the_reference() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let wanted = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("ROOMGATE_WRITE_SCHEMA").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap_or_default() == wanted, "{FILE} is behind conf/reference.toml");
    let passcode = &schema()["properties"]["meeting"]["additionalProperties"]["properties"]["passcode"];
    assert_eq!(passcode["$ref"], "#/$defs/secret");
    assert!(passcode["description"].as_str().is_some_and(|about| about.contains("20 digits")), "{passcode}");
}
