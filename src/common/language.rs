//! [`LanguageTag`]: the name of a language (RFC 5646), as settings, prompts and their directories have it (K-5).

use std::fmt;

/// A tag in lower case, such as `en` or `pt-br`; also the name of a directory of prompts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LanguageTag(String);

/// The text is not a language tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a language tag such as `en` or `pt-br`")]
pub struct BadLanguageTag;

impl LanguageTag {
    /// Takes a tag of the form of RFC 5646: subtags of 1 to 8 letters or digits, the first of 2 or 3 letters, 35 characters at
    /// most. Case and `_` for `-` do not matter.
    ///
    /// # Errors
    /// [`BadLanguageTag`] for anything else.
    pub fn new(tag: &str) -> Result<Self, BadLanguageTag> {
        let tag = tag.to_ascii_lowercase().replace('_', "-");
        let mut subtags = tag.split('-');
        let fits = tag.len() <= 35
            && subtags.next().is_some_and(|first| matches!(first.len(), 2 | 3) && first.bytes().all(|b| b.is_ascii_lowercase()))
            && subtags.all(|subtag| matches!(subtag.len(), 1..=8) && subtag.bytes().all(|b| b.is_ascii_alphanumeric()));
        if fits { Ok(Self(tag)) } else { Err(BadLanguageTag) }
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
    pub fn primary(&self) -> Self {
        Self(self.0.split('-').next().unwrap_or_default().to_owned())
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_tag_is_read_whatever_its_case() {
        assert_eq!(LanguageTag::new("pt_BR").unwrap().as_str(), "pt-br");
        assert_eq!(LanguageTag::new("pt-BR").unwrap().primary().as_str(), "pt");
        assert_eq!(LanguageTag::new("zh-Hant-TW").unwrap().to_string(), "zh-hant-tw");
    }

    #[test]
    fn what_is_no_language_tag_is_refused() {
        for text in ["", "e", "engl", "..", "en-", "en/..", "e1", "en-abcdefghi", "en-12345678-12345678-12345678-12345678"] {
            assert_eq!(LanguageTag::new(text), Err(BadLanguageTag), "{text}");
        }
    }
}
