//! The JSON schema for editors is the reference in another form: `ROOMGATE_WRITE_SCHEMA=1 cargo test schema` writes it anew.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::super::source::{Node, Value as Written};
use super::*;
use crate::config::source;

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

fn kind(value: &Written, is_secret: bool) -> Value {
    match value {
        Written::Boolean(_) => json!({ "type": "boolean" }),
        Written::Integer(_) => json!({ "type": "integer" }),
        Written::List(_) => json!({ "type": ["array", "string"], "items": { "type": "string" } }),
        _ if is_secret => json!({ "$ref": "#/$defs/secret" }),
        _ => json!({ "type": "string" }),
    }
}

fn table(path: &str, nodes: &BTreeMap<String, Node>, comments: &BTreeMap<String, String>) -> Value {
    let mut properties = Map::new();
    for (key, node) in nodes {
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let about = comments.get(&here);
        let mut schema = match &node.value {
            Written::Table(inner) if is_group(&here) => {
                // One example of each stands for all of them, whatever their names.
                let of = |name: &String, node: &Node| match &node.value {
                    Written::Table(inner) => table(&format!("{here}.{name}"), inner, comments),
                    _ => Value::Null,
                };
                let named = inner.iter().next().map(|(name, node)| of(name, node)).unwrap_or_default();
                json!({ "type": "object", "additionalProperties": named })
            }
            Written::Table(inner) => table(&here, inner, comments),
            value => kind(value, about.is_some_and(|about| about.starts_with("Secret") || about.starts_with("The password"))),
        };
        if let (Some(about), Some(schema)) = (about, schema.as_object_mut()) {
            schema.insert("description".to_owned(), about.as_str().into());
        }
        properties.insert(key.clone(), schema);
    }
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn schema() -> Value {
    let folder = main(&reference().replace("enabled = false", "enabled = true"));
    let layers = source::read(&folder.0, &[]);
    let mut schema = table("", &layers.root, &comments());
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
