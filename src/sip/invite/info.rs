//! Keys by INFO: `application/dtmf-relay` and `application/dtmf`, which no RFC describes and every PBX sends.

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

pub(super) fn read(request: &Request) -> Info {
    if request.body.is_empty() {
        return Info::Nothing;
    }
    let kind = request.headers.get(header_names::CONTENT_TYPE).and_then(ContentType::parse);
    let body = String::from_utf8_lossy(&request.body);
    let (signal, duration) = match kind.as_ref().map(|kind| kind.essence.as_str()) {
        Some("application/dtmf") => (body.trim().to_owned(), PRESSED),
        Some("application/dtmf-relay") => {
            let field = |wanted: &str| {
                let mut fields = body.lines().filter_map(|line| line.split_once('='));
                fields.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
            };
            let duration = field("duration").and_then(|millis| millis.parse().ok());
            let millis: u64 = duration.filter(|millis| (1..=10_000).contains(millis)).unwrap_or(100);
            (field("signal").unwrap_or_default(), Duration::from_millis(millis))
        }
        _ => return Info::Foreign,
    };
    // Some devices write the event numbers of RFC 4733 for star and pound.
    let digit = match signal.as_str() {
        "10" => Some('*'),
        "11" => Some('#'),
        other => other.chars().next().map(|letter| letter.to_ascii_uppercase()).filter(|_| other.chars().count() == 1),
    };
    match digit.filter(|digit| digit.is_ascii_digit() || "*#ABCD".contains(*digit)) {
        Some(digit) => Info::Digit(digit, duration),
        None => Info::Unreadable,
    }
}

/// The key that an INFO carries, and how long it was pressed.
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
        Info::Foreign => Reply::new(StatusCode::UnsupportedMediaType)
            .with([(header_names::ACCEPT, "application/dtmf-relay, application/dtmf".to_owned())]),
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

    #[test]
    fn keys_are_read_in_both_forms() {
        assert_eq!(info("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), Info::Digit('5', Duration::from_millis(160)));
        assert_eq!(info("application/DTMF-relay", "signal = d\nduration = x"), Info::Digit('D', PRESSED));
        assert_eq!(info("application/dtmf", " # "), Info::Digit('#', PRESSED));
        assert_eq!(info("application/dtmf", "10"), Info::Digit('*', PRESSED));
        assert_eq!(info("application/dtmf", "12"), Info::Unreadable);
        assert_eq!(info("application/media_control+xml", "<x/>"), Info::Foreign);
        assert_eq!(info("application/dtmf", ""), Info::Nothing);
    }
}
