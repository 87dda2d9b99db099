//! The command: asks the running daemon over its socket, and prints the answer. What is in it came from strangers' phones and browsers:
//! nothing of that reaches a terminal as more than text.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use serde_json::Value;

use super::{Status, text};
use crate::cli::control::{self, AskError};
use crate::cli::{self, StatusArgs};
use crate::common::printable::{self, printable};
use crate::config::Settings;

/// The command: prints how the daemon is.
#[must_use]
pub fn run(settings: &Settings, args: &StatusArgs) -> ExitCode {
    let pages = SocketAddr::new(settings.http.address, settings.http.port);
    let answer = control::ask(&settings.store.directory, "GET", "/status", "").map_err(|error| match error {
        // Tells one daemon's configuration from another's.
        AskError::Unreachable { .. } => format!("{error}; by this configuration its pages are at {pages}"),
        AskError::Broken { .. } | AskError::Refused(_) => error.to_string(),
    });
    match answer.and_then(|body| print(&body, args.json)) {
        Ok(text) => {
            // A reader that has gone away is not our fault.
            let _ = io::stdout().write_all(text.as_bytes());
            cli::ExitStatus::Clean.into()
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            cli::ExitStatus::Unavailable.into()
        }
    }
}

fn print(body: &[u8], as_json: bool) -> Result<String, String> {
    let broken = |error: serde_json::Error| format!("the daemon did not answer in order: {error}");
    let mut value: Value = serde_json::from_slice(body).map_err(broken)?;
    if as_json {
        // As it came: a newer daemon may tell more than this command knows.
        return Ok(printable::json(&format!("{value:#}\n")));
    }
    clean(&mut value);
    let status: Status = serde_json::from_value(value).map_err(broken)?;
    Ok(text::print(&status))
}

/// Makes every text in it one line of what can be printed.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = printable(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(values) => values.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No name or message of a stranger reaches the terminal as more than text.
    #[test]
    fn u1_no_name_or_message_of_a_stranger_reaches_the_terminal() {
        let hostile = "Bob\u{1b}[2J\u{9b}31m\r\u{202e}\nmeeting demo does not answer";
        let status = serde_json::json!({
            "state": "ready",
            "calls": [{ "call": "call-1", "name": hostile, "state": "in", "meeting": hostile }],
            "failures": [{ "call": "call-2", "device": hostile, "peer": hostile, "cause": hostile, "ladder": [hostile] }],
            "meetings": [{ "id": "demo", "title": hostile, "answers": true, "participants": [{ "name": hostile }] }],
            "accounts": [{ "account": "pbx", "registrar": hostile, "failure": hostile }],
            "blocks": { "silenced": [hostile] },
        });
        let body = status.to_string();
        let fit = |text: &str| text.chars().all(|c| c == '\n' || !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)));
        let text = print(body.as_bytes(), false).unwrap();
        assert!(fit(&text) && !text.contains("\nmeeting demo"), "{text:?}");
        assert!(text.contains("Bob"), "{text}");
        let json = print(body.as_bytes(), true).unwrap();
        assert!(fit(&json), "{json:?}");
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), status, "and nothing is lost for programs");
    }
}
