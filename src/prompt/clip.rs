//! [`Clip`] and [`Language`]: samples of a prompt, and the language of its voice (K-5).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::common::units::Hz;

/// Mono sound at its file's rate, cheap to clone. Whoever plays it resamples.
#[derive(Clone, PartialEq, Eq)]
pub struct Clip {
    /// Samples a second: 8 to 48 kHz.
    pub rate: Hz,
    /// At least one sample, at most a minute.
    pub samples: Arc<[i16]>,
}

impl Clip {
    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.rate.duration(self.samples.len())
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clip({:?} at {})", self.duration(), self.rate)
    }
}

/// A language tag in lower case, such as `en` or `pt-br`: the name of a directory of prompts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(String);

/// The text is not a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a language tag such as `en` or `pt-br`")]
pub struct BadLanguage;

impl Language {
    /// Takes a tag of the form of RFC 5646: subtags of 1 to 8 letters or digits, the first of 2 or 3 letters, 35 characters at
    /// most. Case and `_` for `-` do not matter.
    ///
    /// # Errors
    /// [`BadLanguage`] for anything else.
    pub fn new(tag: &str) -> Result<Self, BadLanguage> {
        let tag = tag.to_ascii_lowercase().replace('_', "-");
        let mut subtags = tag.split('-');
        let fits = tag.len() <= 35
            && subtags.next().is_some_and(|first| matches!(first.len(), 2 | 3) && first.bytes().all(|b| b.is_ascii_lowercase()))
            && subtags.all(|subtag| matches!(subtag.len(), 1..=8) && subtag.bytes().all(|b| b.is_ascii_alphanumeric()));
        if fits { Ok(Self(tag)) } else { Err(BadLanguage) }
    }

    /// English, in which every phrase exists.
    #[must_use]
    pub fn english() -> Self {
        Self("en".to_owned())
    }

    /// The tag in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language without region or script: `pt` of `pt-br`.
    #[must_use]
    pub(super) fn primary(&self) -> Self {
        Self(self.0.split('-').next().unwrap_or_default().to_owned())
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_tag_is_read_whatever_its_case() {
        assert_eq!(Language::new("pt_BR").unwrap().as_str(), "pt-br");
        assert_eq!(Language::new("pt-BR").unwrap().primary().as_str(), "pt");
        assert_eq!(Language::new("zh-Hant-TW").unwrap().to_string(), "zh-hant-tw");
    }

    #[test]
    fn what_is_no_language_tag_is_refused() {
        for text in ["", "e", "engl", "..", "en-", "en/..", "e1", "en-abcdefghi", "en-12345678-12345678-12345678-12345678"] {
            assert_eq!(Language::new(text), Err(BadLanguage), "{text}");
        }
    }

    #[test]
    fn a_clip_knows_how_long_it_plays() {
        let clip = Clip { rate: Hz::WIDE, samples: vec![0; 24_000].into() };
        assert_eq!(clip.duration(), Duration::from_millis(1500));
    }
}
