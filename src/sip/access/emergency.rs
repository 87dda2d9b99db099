//! Calls for help (S-10): an emergency number or `urn:service:sos` never reaches the menu.

use std::collections::BTreeSet;

use crate::sip::message::uri::unescape;

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
/// Calls for help that are told by voice at once that nobody answers them here; further ones are told by their status alone.
pub(crate) const SPOKEN: usize = 4;
/// What is dialled before a number to reach it from abroad or by trunk code.
const NATIONAL: [&str; 4] = ["", "+", "0", "00"];

/// What is dialled for help, and what becomes of such a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emergency {
    numbers: BTreeSet<String>,
    /// Digits for an outside line, which may stand before a number.
    prefixes: BTreeSet<String>,
    /// Where they are sent to; `None`: they are refused, with words.
    pub target: Option<String>,
}

impl Default for Emergency {
    /// Those of everywhere, by the usual outside lines, refused.
    fn default() -> Self {
        Self::new(&[], &[], None)
    }
}

impl Emergency {
    /// Outside-line prefixes of most PBXs.
    pub const OUTSIDE_LINES: [&'static str; 2] = ["0", "9"];

    /// The numbers of some countries, and others besides, by the usual outside lines.
    #[must_use]
    pub fn new(countries: &[&'static str], others: &[String], target: Option<String>) -> Self {
        let known = COUNTRIES.iter().filter(|(country, _)| countries.contains(country)).flat_map(|(_, numbers)| numbers.iter());
        let numbers = known.chain(&EVERYWHERE).map(|number| (*number).to_owned()).chain(others.iter().cloned()).collect();
        let prefixes = Self::OUTSIDE_LINES.map(str::to_owned).into();
        Self { numbers, prefixes, target }
    }

    /// The same by other outside lines.
    #[must_use]
    pub fn with_outside_lines(self, prefixes: Vec<String>) -> Self {
        Self { prefixes: prefixes.into_iter().collect(), ..self }
    }

    /// The name of a country whose numbers are known, as [`Emergency::new`] takes it.
    #[must_use]
    pub fn country(name: &str) -> Option<&'static str> {
        COUNTRIES.iter().map(|(country, _)| *country).find(|country| country.eq_ignore_ascii_case(name))
    }

    /// Whether whoever dials this wants help: an emergency number, or one after `+`, `0`, `00` or an outside-line prefix, or after both
    /// an outside-line prefix and one of those. The `#` that ends dialling on some keypads does not count.
    #[must_use]
    pub fn is_dialled(&self, dialled: &str) -> bool {
        let is_number = |dialled: &str| self.numbers.contains(dialled);
        let after_trunk_code = |dialled: &str| NATIONAL.iter().any(|code| dialled.strip_prefix(code).is_some_and(is_number));
        let after_outside_line = |dialled: &str| {
            let lines = self.prefixes.iter().filter_map(|prefix| dialled.strip_prefix(prefix.as_str()));
            after_trunk_code(dialled) || lines.into_iter().any(after_trunk_code)
        };
        after_outside_line(dialled) || after_outside_line(dialled.trim_end_matches('#'))
    }

    /// Whether a call to this Request-URI is one for help (RFC 5031 for the URN). The text is read more leniently than as a URI: whatever is
    /// wrong with its host or its parameters, who dialled 112 is not told so.
    #[must_use]
    pub fn is_meant(&self, uri: &str) -> bool {
        let Some((scheme, rest)) = uri.trim().split_once(':') else { return false };
        match scheme.to_ascii_lowercase().as_str() {
            "sip" | "sips" | "tel" => {
                // Without a user part the host is what was dialled; a password, parameters and headers are not.
                let user = rest.split_once('@').map_or(rest, |(user, _)| user);
                let user = user.split([':', ';', '?']).next().unwrap_or(user);
                let user = unescape(user);
                let dialled = user.split(';').next().unwrap_or_default();
                let digits: String = dialled.chars().filter(|one| !one.is_whitespace() && !"-./()".contains(*one)).collect();
                self.is_dialled(&digits)
            }
            "urn" => {
                let service = unescape(rest).to_ascii_lowercase();
                let sos = service.strip_prefix("service:sos");
                sos.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ';', '?', '#']))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of the country, those of everywhere, and the URN are calls for help.
    #[test]
    fn s10_numbers_and_the_urn_are_calls_for_help() {
        let emergency = Emergency::new(&["de"], &["*77".to_owned()], None);
        for uri in
            ["sip:112@x", "sips:911@x;user=phone", "tel:110;phone-context=+49", "sip:1-1-2@x", "urn:service:sos", "sip:*77@x"]
        {
            assert!(emergency.is_meant(uri), "{uri}");
        }
        assert!(emergency.is_meant("URN:service:SOS.police") && emergency.is_meant("sip:%3112@x"));
        for uri in ["sip:999@x", "sip:1120@x", "sip:1001@x", "urn:service:sosial", "urn:service:counseling", "sip:x", "112", ""] {
            assert!(!emergency.is_meant(uri), "{uri}");
        }
        assert_eq!((Emergency::country("DE"), Emergency::country("xx")), (Some("de"), None));
    }

    /// What is dialled before and after a number, and how it is written, makes no difference.
    #[test]
    fn s10_what_is_dialled_around_a_number_makes_no_difference() {
        let emergency = Emergency::default();
        for number in ["112", "911"] {
            for before in ["", "+", "%2B", "%2b", "0", "00", "9", "90", "9+", "9%2B", "900", "0+", "000"] {
                for after in
                    ["", "#", "%23", "##", ";phone-context=+49", ";phone-context=example.com;ext=1", ":secret", "%3Bpostd=1"]
                {
                    for uri in [
                        format!("sip:{before}{number}{after}@pbx.example.com"),
                        format!("SIPS:{before}{number}{after}@192.0.2.1:5061;user=phone;transport=tls?Subject=x"),
                        format!("Tel:{before}{number}{after}"),
                        format!("sip:{before}{number}{after}@no host:99999"),
                    ] {
                        assert!(emergency.is_meant(&uri), "{uri}");
                    }
                }
            }
        }
        for uri in [
            "sip:(1.1) 2@x",
            "sip:1%201%202@x",
            "tel:+1-1-2",
            "sip:9/112@x",
            "sip:112",
            "sip:112:5060;transport=udp",
            " sip:112@x ",
            "sip:112@x?From=a@b",
        ] {
            assert!(emergency.is_meant(uri), "{uri}");
        }
        for uri in ["urn:service:sos.fire.x", "urn:service:%73os", "urn:service:sos?x", "urn:SERVICE:sos;y=1"] {
            assert!(emergency.is_meant(uri), "{uri}");
        }
        for uri in [
            "sip:1912@x",
            "sip:8112@x",
            "sip:11@2",
            "sip:x112@x",
            "sip:1001;x=112@x",
            "sip:1001@112",
            "sip:99112@x",
            "sip:0000112@x",
        ] {
            assert!(!emergency.is_meant(uri), "{uri}");
        }
    }

    #[test]
    fn s10_outside_lines_are_as_configured() {
        let emergency = Emergency::default().with_outside_lines(vec!["8".to_owned(), "*9".to_owned()]);
        assert!(["8112", "80112", "8+112", "*9112", "0112", "00112", "+112"].iter().all(|dialled| emergency.is_dialled(dialled)));
        assert!(!["9112", "88112", "0000112"].iter().any(|dialled| emergency.is_dialled(dialled)));
        let emergency = Emergency::default().with_outside_lines(Vec::new());
        assert!(emergency.is_dialled("0112") && !emergency.is_dialled("9112"));
    }

    #[test]
    fn every_country_is_written_once_with_digits_alone() {
        assert!(COUNTRIES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let digits = |number: &&str| (2..=5).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        assert!(COUNTRIES.iter().all(|(country, numbers)| country.len() == 2 && numbers.iter().all(digits)));
    }
}
