//! [`Number`]: a subscriber's telephone number, which no log may show (C-8).

use std::fmt;
use std::sync::Arc;

use crate::redact::Redacted;

/// The fewest and the most digits of a number with its country code (ITU-T E.164 section 6.1; the fewest by use).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// A telephone number in international form. Printed, it is masked; [`Number::expose`] is the only way to all of it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number(String);

impl Number {
    /// Reads `+` and 7 to 15 digits, the first of them no zero; blanks, dots, hyphens and brackets between them are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bare: String = text.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        let digits = bare.strip_prefix('+')?;
        let fits = DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        fits.then_some(Self(bare))
    }

    /// Reads what somebody has keyed in, where there is no `+`: `00` goes before a country code, and one `0` before a number of
    /// the country whose code is `home`. Without `home` every number has its country code.
    #[must_use]
    fn keyed(digits: &str, home: Option<&str>) -> Option<Self> {
        let international = match (digits.strip_prefix("00"), digits.strip_prefix('0'), home) {
            (Some(rest), _, _) => format!("+{rest}"),
            (None, Some(rest), Some(home)) => format!("+{home}{rest}"),
            (None, _, _) => format!("+{digits}"),
        };
        Self::parse(&international)
    }

    /// All of it, with the `+`; whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// How numbers are keyed in where the devices are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Home(Option<Arc<str>>);

impl Home {
    /// The country code that numbers with one leading `0` lack; `None`: every number is keyed in with its own.
    #[must_use]
    pub fn new(country_code: Option<&str>) -> Self {
        Self(country_code.map(Into::into))
    }

    /// The number that somebody has keyed in, if it is one.
    #[must_use]
    pub fn number(&self, digits: &Redacted<String>) -> Option<Number> {
        Number::keyed(digits.expose(), self.0.as_deref())
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, tail) = (self.0.get(..3).unwrap_or_default(), self.0.get(self.0.len() - 2..).unwrap_or_default());
        write!(f, "{head}…{tail}")
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_is_written_or_keyed_in() {
        let plain = Number::parse("+49 (171) 555-01.23");
        assert_eq!(plain.as_ref().map(Number::expose), Some("+491715550123"));
        for (digits, home) in [("00491715550123", None), ("491715550123", None), ("01715550123", Some("49"))] {
            assert_eq!(Number::keyed(digits, home), plain, "{digits}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "+", "112", "+012345678", "+1234567890123456", "+49171abc", "0171 555"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        for digits in ["", "0", "00", "112", "01715550123", "12345678901234567890"] {
            assert_eq!(Number::keyed(digits, None), None, "{digits}");
        }
    }

    #[test]
    fn c8_a_number_is_masked_wherever_it_is_printed() {
        let number = Number::parse("+491715550123").unwrap();
        assert_eq!((number.to_string(), format!("{number:?}")), ("+49…23".to_owned(), "+49…23".to_owned()));
    }
}
