//! Keys by INFO (A-2), in the forms that phones, PBXs and gateways write. No RFC describes any.
//!
//! | type | body | who |
//! |---|---|---|
//! | `application/dtmf-relay` | `Signal=5`, `Duration=160`, in any case, order and spacing | Cisco IOS ("SIP INFO Method for DTMF Tone Generation"), PJSIP, Linphone, Janus |
//! | `application/dtmf` | the digit, or the fields of `dtmf-relay` | Cisco IOS, FreeSWITCH, Asterisk |
//! | `audio/telephone-event` | fields, a digit, or an event number | Cisco gateways |
//! | `application/vnd.nortelnetworks.digits` | `p=Digit-Collection`, `y=Digits`, `d=5` | Nortel (Avaya) CS 1000 and MCS, as FreeSWITCH and Asterisk read it |

use std::time::Duration;

use crate::sip::message::header::ContentType;
use crate::sip::message::{Request, StatusCode, header_names};
use crate::sip::transaction::Reply;

/// What an INFO carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Info {
    /// A key.
    Digit(char, Duration),
    /// Nothing, which is fine (RFC 6086 section 4.2.2 and RFC 2976).
    Nothing,
    /// A key that is none.
    Unreadable,
    /// A body we do not take.
    Foreign,
}

const PRESSED: Duration = Duration::from_millis(100);
/// Milliseconds that are taken for a duration.
const DURATIONS: std::ops::RangeInclusive<u64> = 1..=10_000;
/// What carries keys.
const TYPES: [&str; 4] =
    ["application/dtmf-relay", "application/dtmf", "audio/telephone-event", "application/vnd.nortelnetworks.digits"];
/// Names of the field with the key.
const SIGNAL: [&str; 2] = ["signal", "d"];

pub(super) fn read(request: &Request) -> Info {
    if request.body.is_empty() {
        return Info::Nothing;
    }
    let kind = request.headers.get(header_names::CONTENT_TYPE).and_then(ContentType::parse);
    if !kind.is_some_and(|kind| TYPES.iter().any(|known| kind.essence.eq_ignore_ascii_case(known))) {
        return Info::Foreign;
    }
    let body = String::from_utf8_lossy(&request.body);
    let millis = field(&body, &["duration"]).and_then(|millis| millis.parse().ok()).filter(|millis| DURATIONS.contains(millis));
    let signal = field(&body, &SIGNAL).or_else(|| (!body.contains('=')).then(|| bare(&body)));
    match signal.and_then(digit) {
        Some(digit) => Info::Digit(digit, millis.map_or(PRESSED, Duration::from_millis)),
        None => Info::Unreadable,
    }
}

/// A field's value, by any of its names: a line each, or several behind semicolons.
fn field<'a>(body: &'a str, names: &[&str]) -> Option<&'a str> {
    let mut fields = body.split(['\r', '\n', ';']).filter_map(|field| field.split_once('='));
    fields.find(|(name, _)| names.iter().any(|known| name.trim().eq_ignore_ascii_case(known))).map(|(_, value)| bare(value))
}

/// Without the space and quotes around it, and without the NUL of a C string.
fn bare(value: &str) -> &str {
    value.trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\0'))
}

/// A key, or its event number (RFC 4733 section 3.2): some write that for star and pound.
fn digit(signal: &str) -> Option<char> {
    let letter = match signal {
        "10" => '*',
        "11" => '#',
        "12" => 'A',
        "13" => 'B',
        "14" => 'C',
        "15" => 'D',
        other => other.chars().next().filter(|_| other.chars().count() == 1)?.to_ascii_uppercase(),
    };
    (letter.is_ascii_digit() || "*#ABCD".contains(letter)).then_some(letter)
}

/// The key that an INFO carries, and how long it was pressed (A-2).
pub(crate) fn info_digit(request: &Request) -> Option<(char, Duration)> {
    match read(request) {
        Info::Digit(digit, pressed) => Some((digit, pressed)),
        Info::Nothing | Info::Unreadable | Info::Foreign => None,
    }
}

/// The answer to an INFO.
pub(super) fn answer(info: Info) -> Reply {
    match info {
        Info::Unreadable => Reply::new(StatusCode::BadRequest),
        Info::Foreign => Reply::new(StatusCode::UnsupportedMediaType).with([(header_names::ACCEPT, TYPES.join(", "))]),
        Info::Digit(..) | Info::Nothing => Reply::new(StatusCode::OK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::method::Method;

    fn info(kind: &str, body: &str) -> Info {
        let mut request = Request::new(Method::Info, "sip:a@b");
        request.headers.push("Content-Type", kind);
        request.body = body.as_bytes().to_vec();
        read(&request)
    }

    /// Keys are read in every form that phones write.
    #[test]
    fn a2_keys_by_info_are_read_in_every_form_of_phones() {
        let of = |key, millis| Info::Digit(key, Duration::from_millis(millis));
        let relay = "application/dtmf-relay";
        for (kind, body, read) in [
            (relay, "Signal=5\r\nDuration=160\r\n", of('5', 160)),
            (relay, "Signal=5\r\nDuration=160", of('5', 160)),
            (relay, "Signal=5\nDuration=160\n", of('5', 160)),
            (relay, "Signal=5\rDuration=160\r", of('5', 160)),
            (relay, "Signal= *\r\nDuration= 250\r\n", of('*', 250)),
            (relay, "SIGNAL = #\r\nDURATION = 250\r\n", of('#', 250)),
            (relay, "Duration=250\r\nSignal=0\r\n", of('0', 250)),
            (relay, "\r\nsignal=b\r\n\r\n", of('B', 100)),
            (relay, "Signal=5;Duration=160", of('5', 160)),
            (relay, "Signal=\"5\"\r\nDuration=160", of('5', 160)),
            (relay, "Signal=10\r\nDuration=160", of('*', 160)),
            (relay, "Signal=11", of('#', 100)),
            (relay, "Signal=15", of('D', 100)),
            (relay, "Signal=5\r\nDuration=0", of('5', 100)),
            (relay, "Signal=5\r\nDuration=99999999999999999999", of('5', 100)),
            (relay, "5\r\n", of('5', 100)),
            ("application/DTMF-Relay; charset=utf-8", "signal = d\nduration = x", of('D', 100)),
            ("application/dtmf", "5", of('5', 100)),
            ("application/dtmf", "5\r\n", of('5', 100)),
            ("application/dtmf", " # ", of('#', 100)),
            ("application/dtmf", "10", of('*', 100)),
            ("application/dtmf", "5\0", of('5', 100)),
            ("application/dtmf", "Signal=5\r\nDuration=160\r\n", of('5', 160)),
            ("APPLICATION/DTMF", "Signal=*", of('*', 100)),
            ("audio/telephone-event", "7\r\n", of('7', 100)),
            ("audio/telephone-event", "11", of('#', 100)),
            ("audio/telephone-event", "Signal=7\r\nDuration=90\r\n", of('7', 90)),
            ("application/vnd.nortelnetworks.digits", "p=Digit-Collection\r\ny=Digits\r\nd=8\r\n", of('8', 100)),
            ("application/vnd.nortelnetworks.digits", "d=*", of('*', 100)),
            (relay, "Signal=16", Info::Unreadable),
            (relay, "Signal=", Info::Unreadable),
            (relay, "Duration=160", Info::Unreadable),
            ("application/dtmf", "12345", Info::Unreadable),
            ("application/dtmf", "\r\n", Info::Unreadable),
            ("application/dtmf", "", Info::Nothing),
            ("application/media_control+xml", "<x/>", Info::Foreign),
            ("text/plain", "5", Info::Foreign),
        ] {
            assert_eq!(info(kind, body), read, "{kind} {body:?}");
        }
    }
}
