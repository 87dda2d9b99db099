//! [`Secret`]: a passcode, PIN or password. Written in place, or read from a file or a systemd credential (O-1).

use std::fmt;
use std::path::Path;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Longest secret file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// A text that is never printed, and overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Hides `text` from now on.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Reads a file; line ends after the text do not belong to it.
    ///
    /// # Errors
    /// What is wrong with the file, without its contents.
    pub fn from_file(file: &Path) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
        let size = std::fs::metadata(file).map_err(cannot)?.len();
        if size > MAX_FILE {
            return Err(format!("{} is longer than {MAX_FILE} bytes", file.display()));
        }
        let text = Zeroizing::new(std::fs::read_to_string(file).map_err(cannot)?);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() { Err(format!("{} is empty", file.display())) } else { Ok(Self::new(text)) }
    }

    /// Compares without telling by its time how much fits.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The text itself; whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_and_never_shown() {
        let secret = Secret::new("4321");
        assert!(secret.matches("4321") && !secret.matches("432") && !secret.matches("43210"));
        assert_eq!(format!("{secret:?}"), "***");
    }
}
