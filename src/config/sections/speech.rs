//! `[speech]`: the program that reads chat aloud.

use std::path::PathBuf;

use crate::config::readers::{list, text};
use crate::config::section::Section;
use crate::speech::SpeechSettings;

/// `[speech]`; `None`: nothing is read aloud.
pub(in crate::config) fn speech(s: &mut Section<'_>) -> Option<SpeechSettings> {
    let command = s.get("command", list(text)).unwrap_or_default();
    let (program, arguments) = command.split_first()?;
    let program = PathBuf::from(program);
    if program.is_relative() {
        s.complain("has a command without the whole path of its program", "write one such as \"/usr/bin/espeak-ng\"");
    }
    Some(SpeechSettings { program, arguments: arguments.to_vec(), hidden: Vec::new() })
}
