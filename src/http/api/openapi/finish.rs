//! What is done to the document as a whole: text that cites the rules of this project by their names does not, and whatever has a schema
//! has an example (OpenAPI 3.1 section 4.8.14).

use serde_json::{Map, Value, json};

use crate::http::api::query_time::LATEST;

/// Schemas within schemas that are followed for an example; ours are not as deep, and one that names itself would have no end.
const DEPTH: usize = 24;

/// Values that say more than one made from the type alone, by the name of a parameter or field.
const SAMPLES: &[(&str, &str)] = &[
    ("Range", "bytes=0-65535"),
    ("act", "admit"),
    ("call", "call-1-17"),
    ("code", "not-found"),
    ("codec", "G722"),
    ("conference_id", "1001"),
    ("contact", "sip:board-room@192.0.2.10:5060"),
    ("device", "board-room"),
    ("encryption", "AES_CM_128_HMAC_SHA1_80"),
    ("from", "2026-11-28T08:00:00Z"),
    ("id", "demo"),
    ("instance", "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"),
    ("language", "en"),
    ("meeting", "demo"),
    ("name", "Board room"),
    ("participant", "p1-3"),
    ("passcode", "4321"),
    ("reader", "reader-1"),
    ("recording", "demo-20261128T080137.998Z"),
    ("source", "192.0.2.10:5060"),
    ("text", "The slides are in the folder."),
    ("title", "Weekly review"),
    ("to", "2026-11-29T08:00:00Z"),
    ("transport", "tls"),
    ("url", "https://meet.example.org/enter?token=…"),
    ("user_agent", "Phone/1.2"),
];

/// Finishes the document.
pub(super) fn finish(document: &mut Value) {
    speak_plainly(document);
    let schemas = document["components"]["schemas"].clone();
    let paths = document["paths"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in paths.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        describe(operation);
        for parameter in operation["parameters"].as_array_mut().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default().to_owned();
            allow_number(&mut parameter["schema"]);
            if let Some(example) = example(&parameter["schema"], &name, &schemas, DEPTH) {
                parameter["example"] = example;
            }
        }
        show(&mut operation["requestBody"]["content"], "", &schemas);
        for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
            show(&mut response["content"], status, &schemas);
        }
        remove_nulls(operation);
    }
}

/// A time that is asked for may also be a number, as programs of earlier versions write it.
fn allow_number(schema: &mut Value) {
    if schema["format"] == "date-time" {
        let about = "Milliseconds since 1970.";
        let number = json!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": LATEST, "description": about });
        *schema = json!({ "anyOf": [schema.take(), number] });
    }
}

/// A summary alone says what is done; a description says it as well, for tools that show nothing else.
fn describe(operation: &mut Value) {
    if operation["description"].is_null() && !operation["summary"].is_null() {
        operation["description"] = operation["summary"].clone();
    }
}

/// Looking for a field has made an empty one of it.
fn remove_nulls(operation: &mut Value) {
    if operation["requestBody"]["content"].is_null()
        && let Some(operation) = operation.as_object_mut()
    {
        operation.remove("requestBody");
    }
    let responses = operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut);
    for response in responses.filter_map(Value::as_object_mut) {
        response.retain(|_, value| !value.is_null());
    }
    if let Some(operation) = operation.as_object_mut() {
        operation.retain(|_, value| !value.is_null());
    }
}

/// Gives each body in JSON an example.
fn show(content: &mut Value, status: &str, schemas: &Value) {
    let Some(content) = content.as_object_mut() else { return };
    for (_, body) in content.iter_mut().filter(|(kind, _)| kind.contains("json")) {
        if let Some(mut example) = example(&body["schema"], "", schemas, DEPTH) {
            // The problem's own status is that of its answer.
            if example.get("status").is_some_and(Value::is_number)
                && let Ok(status) = status.parse::<u16>()
            {
                example["status"] = json!(status);
            }
            body["example"] = example;
        }
    }
}

/// A value that fits a schema; `None` where nothing is said of it.
fn example(schema: &Value, name: &str, schemas: &Value, depth: usize) -> Option<Value> {
    if let Some(example) = schema.get("example").or_else(|| schema["examples"].get(0)).or_else(|| schema.get("default")) {
        return Some(example.clone());
    }
    let depth = depth.checked_sub(1)?;
    if let Some(target) = schema["$ref"].as_str() {
        return example(schemas.get(target.rsplit('/').next()?)?, name, schemas, depth);
    }
    if let Some(first) = schema["enum"].get(0) {
        return Some(first.clone());
    }
    if let Some(all) = schema["allOf"].as_array() {
        let parts = all.iter().filter_map(|one| example(one, name, schemas, depth)?.as_object().cloned());
        return Some(Value::Object(parts.flatten().collect()));
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        return choices.iter().filter(|one| one["type"] != "null").find_map(|one| example(one, name, schemas, depth));
    }
    let kind = schema["type"]
        .as_str()
        .or_else(|| schema["type"].as_array()?.iter().filter_map(Value::as_str).find(|one| *one != "null"));
    Some(match kind? {
        "object" => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            Value::Object(fields.filter_map(|(field, of)| Some((field.clone(), example(of, field, schemas, depth)?))).collect())
        }
        "array" => Value::Array(example(&schema["items"], name, schemas, depth).into_iter().collect()),
        "boolean" => json!(true),
        "integer" => schema.get("minimum").filter(|least| least.as_i64() > Some(0)).cloned().unwrap_or(json!(1)),
        "number" => json!(4.2),
        "string" if schema["format"] == "date-time" => json!("2026-11-28T08:01:37.998Z"),
        "string" => json!(SAMPLES.iter().find(|(known, _)| *known == name).map_or("…", |(_, sample)| sample)),
        _ => return None,
    })
}

/// Takes the names of rules out of whatever people read.
fn speak_plainly(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match field {
                    Value::String(text) if matches!(name.as_str(), "description" | "summary") => *text = without_rules(text),
                    _ => speak_plainly(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(speak_plainly),
        _ => {}
    }
}

/// `Recording (N-1).` is `Recording.`, `lost (M-5: kept for 60 s)` is `lost (kept for 60 s)`.
fn without_rules(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        plain.push_str(before);
        let Some((inside, next)) = after.split_once(')') else {
            plain.push('(');
            rest = after;
            break;
        };
        rest = next;
        let words: Vec<&str> = inside.split(' ').filter(|word| !is_rule(word.trim_end_matches([',', ':', ';', '.']))).collect();
        // What joins two names of rules says nothing without them.
        if words.iter().any(|word| !matches!(*word, "to" | "and" | "or")) {
            plain.push('(');
            plain.push_str(&words.join(" "));
            plain.push(')');
        } else {
            plain.truncate(plain.trim_end().len());
        }
    }
    plain.push_str(rest);
    plain
}

/// A capital letter, a hyphen and one or two digits: how the rules of this project are named.
fn is_rule(word: &str) -> bool {
    let (letter, number) = word.split_once('-').unwrap_or_default();
    letter.len() == 1
        && letter.starts_with(|one: char| one.is_ascii_uppercase())
        && (1..=2).contains(&number.len())
        && number.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rules_are_not_for_the_public() {
        for (text, plain) in [
            ("Switches recording (N-1).", "Switches recording."),
            ("How the daemon is (U-1): all calls.", "How the daemon is: all calls."),
            ("Lost for the moment (M-5: kept for 60 s).", "Lost for the moment (kept for 60 s)."),
            ("Chat by SMS (C-2 to C-4)", "Chat by SMS"),
            ("The value of `Replaces` (RFC 3891).", "The value of `Replaces` (RFC 3891)."),
            ("An open (parenthesis", "An open (parenthesis"),
            ("G-722 and (A-LAW)", "G-722 and (A-LAW)"),
        ] {
            assert_eq!(without_rules(text), plain);
        }
    }

    #[test]
    fn an_example_fits_its_schema() {
        let schemas = json!({ "Kind": { "type": "string", "enum": ["member", "external"] } });
        let schema = json!({ "type": "object", "properties": {
            "kind": { "$ref": "#/components/schemas/Kind" },
            "at": { "type": ["string", "null"], "format": "date-time" },
            "ids": { "type": "array", "items": { "type": "integer", "minimum": 0 } },
            "other": { "oneOf": [{ "type": "null" }, { "type": "boolean" }] },
        } });
        let found = example(&schema, "", &schemas, DEPTH).expect("an example");
        assert_eq!(found, json!({ "kind": "member", "at": "2026-11-28T08:01:37.998Z", "ids": [1], "other": true }));
        assert_eq!(example(&json!({}), "", &schemas, DEPTH), None);
    }

    #[test]
    fn a_time_that_is_asked_for_may_be_a_number() {
        let mut time = json!({ "type": "string", "format": "date-time" });
        allow_number(&mut time);
        assert_eq!((&time["anyOf"][0]["format"], &time["anyOf"][1]["type"]), (&json!("date-time"), &json!("integer")));
        assert_eq!(example(&time, "from", &json!({}), DEPTH), Some(json!("2026-11-28T08:01:37.998Z")));
        let mut other = json!({ "type": "string" });
        allow_number(&mut other);
        assert_eq!(other, json!({ "type": "string" }));
    }
}
