//! [`Problem`]: one thing wrong with what the administrator wrote, written so that it can be mended without reading code.

use std::fmt;
use std::path::PathBuf;

/// Where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A file, with the line (counted from 1) where known.
    File {
        /// The file as found.
        file: PathBuf,
        /// The line, counted from 1.
        line: Option<usize>,
    },
    /// An environment variable.
    Environment {
        /// The variable's name.
        variable: String,
    },
}

/// One mistake, its place, and the way to mend it (O-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was written.
    pub place: Place,
    /// The key path, such as `sip.listen.lan.port`; empty when a whole file is meant.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, line: Some(line) } => write!(f, "{}:{line}", file.display()),
            Self::File { file, line: None } => write!(f, "{}", file.display()),
            Self::Environment { variable } => write!(f, "environment {variable}"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.what)?;
        if !self.hint.is_empty() {
            write!(f, " ({})", self.hint)?;
        }
        Ok(())
    }
}
