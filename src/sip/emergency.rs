//! Calls for help (S-10): an emergency number or `urn:service:sos` never reaches the menu.

use std::collections::BTreeSet;

use super::uri::{Scheme, Uri};

/// Emergency numbers by country (ISO 3166-1 alpha-2, in lower case). 112 and 911 are such everywhere: mobile phones dial them in any
/// country (3GPP TS 22.101 section 10.1).
const COUNTRIES: &[(&str, &[&str])] = &[
    ("ar", &["100", "101", "107"]),
    ("at", &["122", "133", "144"]),
    ("au", &["000", "106"]),
    ("be", &["100", "101"]),
    ("bg", &[]),
    ("br", &["190", "192", "193"]),
    ("ca", &[]),
    ("ch", &["117", "118", "144", "1414"]),
    ("cn", &["110", "119", "120", "122"]),
    ("cy", &["199"]),
    ("cz", &["150", "155", "156", "158"]),
    ("de", &["110"]),
    ("dk", &[]),
    ("ee", &[]),
    ("es", &["061", "062", "080", "091", "092"]),
    ("fi", &[]),
    ("fr", &["15", "17", "18", "114", "115", "119", "196", "197"]),
    ("gb", &["999"]),
    ("gr", &["100", "108", "166", "199"]),
    ("hk", &["999"]),
    ("hr", &["192", "193", "194", "195"]),
    ("hu", &["104", "105", "107"]),
    ("ie", &["999"]),
    ("il", &["100", "101", "102"]),
    ("in", &["100", "101", "102", "108"]),
    ("is", &[]),
    ("it", &["113", "115", "118"]),
    ("jp", &["110", "118", "119"]),
    ("kr", &["119"]),
    ("li", &["117", "118", "144"]),
    ("lt", &[]),
    ("lu", &["113"]),
    ("lv", &["110", "113"]),
    ("mt", &[]),
    ("mx", &[]),
    ("nl", &[]),
    ("no", &["110", "113"]),
    ("nz", &["111"]),
    ("pl", &["997", "998", "999"]),
    ("pt", &[]),
    ("ro", &[]),
    ("se", &[]),
    ("sg", &["995", "999"]),
    ("si", &["113"]),
    ("sk", &["150", "155", "158"]),
    ("tr", &["110", "155", "156"]),
    ("ua", &["101", "102", "103"]),
    ("us", &[]),
    ("za", &["10111", "10177"]),
];
const EVERYWHERE: [&str; 2] = ["112", "911"];

/// What is dialled for help, and what becomes of such a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    numbers: BTreeSet<String>,
    /// Where they are sent to; `None`: they are refused, with words.
    pub target: Option<String>,
}

impl Default for Emergency {
    /// Those of everywhere, refused.
    fn default() -> Self {
        Self::new(&[], &[], None)
    }
}

impl Emergency {
    /// The numbers of some countries, and others besides.
    #[must_use]
    pub fn new(countries: &[&'static str], others: &[String], target: Option<String>) -> Self {
        let known = COUNTRIES.iter().filter(|(country, _)| countries.contains(country)).flat_map(|(_, numbers)| numbers.iter());
        let numbers = known.chain(&EVERYWHERE).map(|number| (*number).to_owned()).chain(others.iter().cloned()).collect();
        Self { numbers, target }
    }

    /// The name of a country whose numbers are known, as [`Emergency::new`] takes it.
    #[must_use]
    pub fn country(name: &str) -> Option<&'static str> {
        COUNTRIES.iter().map(|(country, _)| *country).find(|country| country.eq_ignore_ascii_case(name))
    }

    /// Whether these digits are an emergency number.
    #[must_use]
    pub fn is_number(&self, digits: &str) -> bool {
        self.numbers.contains(digits)
    }

    /// Whether a call to this address is one for help (RFC 5031 for the URN).
    #[must_use]
    pub fn is_meant(&self, uri: &Uri) -> bool {
        let user = uri.user_text().unwrap_or_default();
        match &uri.scheme {
            Scheme::Sip | Scheme::Sips | Scheme::Tel => {
                let digits: String = user.chars().filter(|letter| !"-. ()".contains(*letter)).collect();
                self.is_number(&digits)
            }
            Scheme::Other(scheme) => {
                let service = user.to_ascii_lowercase();
                scheme == "urn" && (service == "service:sos" || service.starts_with("service:sos."))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s10_numbers_of_the_country_those_of_everywhere_and_the_urn_are_calls_for_help() {
        let emergency = Emergency::new(&["de"], &["0112".to_owned()], None);
        let meant = |uri: &str| emergency.is_meant(&Uri::parse(uri).unwrap());
        for uri in
            ["sip:112@x", "sips:911@x;user=phone", "tel:110;phone-context=+49", "sip:1-1-2@x", "urn:service:sos", "sip:0112@x"]
        {
            assert!(meant(uri), "{uri}");
        }
        assert!(meant("URN:service:SOS.police") && meant("sip:%3112@x"));
        for uri in ["sip:999@x", "sip:1120@x", "sip:1001@x", "urn:service:sosial", "urn:service:counseling", "sip:x"] {
            assert!(!meant(uri), "{uri}");
        }
        assert_eq!((Emergency::country("DE"), Emergency::country("xx")), (Some("de"), None));
    }

    #[test]
    fn every_country_is_written_once_with_digits_alone() {
        assert!(COUNTRIES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let digits = |number: &&str| (2..=5).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        assert!(COUNTRIES.iter().all(|(country, numbers)| country.len() == 2 && numbers.iter().all(digits)));
    }
}
