//! [`PhoneNumber`]: a subscriber's telephone number, which no log may show (C-8).

use std::fmt;
use std::sync::Arc;

use crate::common::redact::Redacted;

/// The fewest and the most digits of a number with its country code (ITU-T E.164 section 6.1; the fewest by use).
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Country codes of two digits (list annexed to ITU-T E.164); those of one digit are 1 and 7, all others have three.
const TWO_DIGITS: &[&str] = &[
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51", "52", "53",
    "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94",
    "95", "98",
];

/// A telephone number in international form. Printed, it is masked; [`PhoneNumber::expose`] is the only way to all of it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads `+` and 7 to 15 digits, the first of them no zero; blanks, dots, hyphens and brackets between them are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bare: String = text.trim().chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
        let digits = bare.strip_prefix('+')?;
        let fits = DIGITS.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        fits.then_some(Self(bare))
    }

    /// Comes before all others.
    pub(super) const fn lowest() -> Self {
        Self(String::new())
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

    /// Reads a number as a short message centre writes it: `national`, it lacks the country code of `own`, our number there.
    #[must_use]
    pub fn sent(digits: &str, national: bool, own: &Self) -> Option<Self> {
        let digits = digits.trim();
        if national && !digits.starts_with('+') && !digits.starts_with("00") {
            return Self::parse(&format!("+{}{}", own.country_code(), digits.trim_start_matches('0')));
        }
        match (digits.strip_prefix('+').or_else(|| digits.strip_prefix("00")), digits.strip_prefix('0')) {
            (Some(rest), _) => Self::parse(&format!("+{rest}")),
            (None, Some(rest)) => Self::parse(&format!("+{}{rest}", own.country_code())),
            (None, None) => Self::parse(&format!("+{digits}")),
        }
    }

    /// Its country code, without the `+`: one digit for zones 1 and 7, else two or three (ITU-T E.164 annex D).
    #[must_use]
    pub fn country_code(&self) -> &str {
        let digits = self.0.trim_start_matches('+');
        let two = digits.get(..2).unwrap_or(digits);
        let length = match two.as_bytes() {
            [b'1' | b'7', ..] => 1,
            _ if TWO_DIGITS.contains(&two) => 2,
            _ => 3,
        };
        digits.get(..length).unwrap_or(digits)
    }

    /// All of it, with the `+`; whoever calls this answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// How numbers are keyed in where the devices are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberingPlan(Option<Arc<str>>);

impl NumberingPlan {
    /// The country code that numbers with one leading `0` lack; `None`: every number is keyed in with its own.
    #[must_use]
    pub fn new(country_code: Option<&str>) -> Self {
        Self(country_code.map(Into::into))
    }

    /// The number that somebody has keyed in, if it is one.
    #[must_use]
    pub fn number(&self, digits: &Redacted<String>) -> Option<PhoneNumber> {
        PhoneNumber::keyed(digits.expose(), self.0.as_deref())
    }
}

/// Whom messages may go to, by the first digits of their numbers: premium numbers abroad are nobody's to pay for (C-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixes(Vec<String>);

impl Prefixes {
    /// These, each read by [`Prefixes::parse`].
    #[must_use]
    pub const fn new(prefixes: Vec<String>) -> Self {
        Self(prefixes)
    }

    /// The country of this number alone.
    #[must_use]
    pub fn of_country(number: &PhoneNumber) -> Self {
        Self(vec![format!("+{}", number.country_code())])
    }

    /// A prefix: `+`, and 1 to 15 digits of which the first is no zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<String> {
        let digits = text.strip_prefix('+')?;
        let fits = (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        fits.then(|| text.to_owned())
    }

    /// A message may go to this number.
    #[must_use]
    pub fn allow(&self, number: &PhoneNumber) -> bool {
        self.0.iter().any(|prefix| number.0.starts_with(prefix.as_str()))
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, tail) = (self.0.get(..3).unwrap_or_default(), self.0.get(self.0.len() - 2..).unwrap_or_default());
        write!(f, "{head}…{tail}")
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_as_it_is_written_or_keyed_in() {
        let plain = PhoneNumber::parse("+49 (171) 555-01.23");
        assert_eq!(plain.as_ref().map(PhoneNumber::expose), Some("+491715550123"));
        for (digits, home) in [("00491715550123", None), ("491715550123", None), ("01715550123", Some("49"))] {
            assert_eq!(PhoneNumber::keyed(digits, home), plain, "{digits}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "+", "112", "+012345678", "+1234567890123456", "+49171abc", "0171 555"] {
            assert_eq!(PhoneNumber::parse(text), None, "{text}");
        }
        for digits in ["", "0", "00", "112", "01715550123", "12345678901234567890"] {
            assert_eq!(PhoneNumber::keyed(digits, None), None, "{digits}");
        }
    }

    /// A prefix is a country or a part of one and anybody else is not written to.
    #[test]
    fn c2_a_prefix_is_a_country_or_a_part_of_one_and_anybody_else() {
        let number = |text: &str| PhoneNumber::parse(text).unwrap();
        for (text, code) in [("+12025550100", "1"), ("+79161234567", "7"), ("+491715550123", "49"), ("+35312345678", "353")] {
            assert_eq!(number(text).country_code(), code);
        }
        let home = Prefixes::of_country(&number("+491715550123"));
        assert!(home.allow(&number("+4930123456")) && !home.allow(&number("+12025550100")));
        let mobile = Prefixes::new(vec!["+4915".to_owned(), "+4917".to_owned()]);
        assert!(mobile.allow(&number("+491715550123")) && !mobile.allow(&number("+499001234567")));
        assert_eq!((Prefixes::parse("+49").as_deref(), Prefixes::parse("49"), Prefixes::parse("+")), (Some("+49"), None, None));
        assert_eq!((Prefixes::parse("+0"), Prefixes::parse("+4x"), Prefixes::parse("")), (None, None, None));
    }

    #[test]
    fn c2_a_centre_writes_the_same_number_in_several_ways() {
        let own = PhoneNumber::parse("+491700000000").unwrap();
        for (digits, national) in
            [("491715550123", false), ("+491715550123", false), ("00491715550123", false), ("01715550123", false)]
                .into_iter()
                .chain([("1715550123", true), ("01715550123", true), ("+491715550123", true)])
        {
            let read = PhoneNumber::sent(digits, national, &own);
            assert_eq!(read.as_ref().map(PhoneNumber::expose), Some("+491715550123"), "{digits} {national}");
        }
        assert_eq!(PhoneNumber::sent("Example", false, &own), None);
    }

    #[test]
    fn c8_a_number_is_masked_wherever_it_is_printed() {
        let number = PhoneNumber::parse("+491715550123").unwrap();
        assert_eq!((number.to_string(), format!("{number:?}")), ("+49…23".to_owned(), "+49…23".to_owned()));
    }
}
