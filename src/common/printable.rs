//! Texts of strangers, made fit for a terminal and for a log: what would move the cursor, change colours or reorder a line is not in them.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::common::display_name;

/// Stands for a character that is not printed.
const REPLACEMENT: char = '\u{FFFD}';

/// Control characters (C0, C1, DEL) and those that hide or reorder their neighbours, line separators among them.
fn is_unfit(character: char) -> bool {
    character.is_control() || display_name::is_invisible(character)
}

/// One line's worth of text: each unfit character is replaced by U+FFFD.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unfit) {
        Cow::Owned(text.chars().map(|character| if is_unfit(character) { REPLACEMENT } else { character }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// A JSON document that is laid out in lines, with unfit characters inside its texts written as `\u` escapes (RFC 8259 section 7): it means
/// the same as before.
#[must_use]
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for character in document.chars() {
        if character == '\n' || !is_unfit(character) {
            out.push(character);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// The same text with each control character but the line end written as Rust escapes it, such as `\u{1b}`.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    let unfit = |character: char| character != '\n' && is_unfit(character);
    if !text.chars().any(unfit) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if unfit(character) { out.extend(character.escape_default()) } else { out.push(character) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[31mb\rc\u{9b}2Jd\u{202e}e\u{7f}f\u{2028}g\nh";

    /// Nothing of a strangers text moves the cursor or reorders a line.
    #[test]
    fn u1_nothing_of_a_strangers_text_moves_the_cursor_or_reorders() {
        assert_eq!(printable(HOSTILE), "a\u{fffd}[31mb\u{fffd}c\u{fffd}2Jd\u{fffd}e\u{fffd}f\u{fffd}g\u{fffd}h");
        assert!(matches!(printable("Größe 1.23 – 会議室"), Cow::Borrowed(_)));
    }

    #[test]
    fn u1_json_means_the_same_and_holds_no_control_character() {
        let value = serde_json::json!({ "name": format!("{HOSTILE}\u{e0041}"), "plain": "Größe" });
        let printed = json(&format!("{value:#}"));
        assert!(printed.chars().all(|character| character == '\n' || !is_unfit(character)), "{printed:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), value);
    }

    #[test]
    fn o5_a_log_keeps_its_line_ends_and_nothing_else() {
        assert_eq!(escaped("one\ntwo"), "one\ntwo");
        assert_eq!(escaped("a\u{1b}[31m\r\u{9b}"), "a\\u{1b}[31m\\r\\u{9b}");
    }
}
