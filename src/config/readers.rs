//! Readers of values: each gives a [`Value`] the type that is wanted, or says what to write instead.

use std::fmt::Display;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;

use super::value::Value;
use crate::common::ids::MeetingName;
use crate::common::language::LanguageTag;
use crate::common::number;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// What to write where an address is wanted.
pub(super) const ADDRESS: &str = "an IP address, such as \"192.0.2.1\" or \"::\"";
/// What to write where a network is wanted.
pub(super) const NETWORK: &str = "a network or an address, such as \"10.0.0.0/8\"";

/// What is wrong with a value, and what to do about it.
#[derive(Debug)]
pub(super) struct WrongValue {
    pub(super) what: String,
    pub(super) hint: String,
}

impl WrongValue {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

fn mismatch(value: &Value, wanted: &str) -> WrongValue {
    let found = match value {
        Value::Text(text) | Value::Untyped(text) => format!("{:?}", text.as_str()),
        Value::Integer(number) => number.to_string(),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::List(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::Foreign(kind) => (*kind).to_owned(),
    };
    WrongValue::new(format!("{found} does not fit"), format!("write {wanted}"))
}

pub(super) fn text(value: &Value) -> Result<String, WrongValue> {
    match value {
        Value::Text(text) | Value::Untyped(text) => Ok(text.to_string()),
        other => Err(mismatch(other, "a text in quotes")),
    }
}

/// An address that secrets are sent to, by one of the `encrypted` schemes, or by one of the `plain` ones where it is of this machine.
/// `secrets` and `hint` are for whoever has written another one.
pub(super) fn address_for(
    secrets: &'static str,
    hint: &'static str,
    (encrypted, plain): (&'static [&'static str], &'static [&'static str]),
) -> impl FnOnce(&Value) -> Result<String, WrongValue> {
    move |value| {
        let address = text(value)?;
        let uri: Uri = address.parse().map_err(|_| WrongValue::new("is no address", hint))?;
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let scheme = uri.scheme_str().unwrap_or_default();
        match (encrypted.contains(&scheme), plain.contains(&scheme)) {
            (true, _) if !host.is_empty() => Ok(address.trim_end_matches('/').to_owned()),
            (_, true) if is_here => Ok(address.trim_end_matches('/').to_owned()),
            _ => Err(WrongValue::new(format!("is no address that {secrets} could be sent to"), hint)),
        }
    }
}

/// A text of at least one visible character and at most `longest`, without control characters.
pub(super) fn label(longest: usize) -> impl FnOnce(&Value) -> Result<String, WrongValue> {
    move |value| {
        let label = text(value)?.trim().to_owned();
        let fits = (1..=longest).contains(&label.chars().count()) && !label.chars().any(char::is_control);
        if fits { Ok(label) } else { Err(mismatch(value, &format!("1 to {longest} visible characters"))) }
    }
}

pub(super) fn path(value: &Value) -> Result<PathBuf, WrongValue> {
    let text = text(value)?;
    if text.is_empty() { Err(mismatch(value, "a path")) } else { Ok(PathBuf::from(text)) }
}

pub(super) fn boolean(value: &Value) -> Result<bool, WrongValue> {
    match value {
        Value::Boolean(boolean) => Ok(*boolean),
        Value::Untyped(text) if text.as_str() == "true" => Ok(true),
        Value::Untyped(text) if text.as_str() == "false" => Ok(false),
        other => Err(mismatch(other, "true or false")),
    }
}

/// A whole number within `range`.
pub(super) fn number<T>(range: RangeInclusive<T>) -> impl FnOnce(&Value) -> Result<T, WrongValue>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    move |value| {
        let number = match value {
            Value::Integer(number) => Some(*number),
            Value::Untyped(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.and_then(|number| T::try_from(number).ok()).filter(|number| range.contains(number));
        number.ok_or_else(|| mismatch(value, &format!("a whole number from {} to {}", range.start(), range.end())))
    }
}

/// Anything that is written as a text with a form of its own.
pub(super) fn parsed<T: FromStr>(wanted: &'static str) -> impl Fn(&Value) -> Result<T, WrongValue> {
    move |value| match value {
        Value::Text(text) | Value::Untyped(text) => text.trim().parse().map_err(|_| mismatch(value, wanted)),
        other => Err(mismatch(other, wanted)),
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(choices: &'static [(&'static str, T)]) -> impl Fn(&Value) -> Result<T, WrongValue> {
    move |value| {
        let found = match value {
            Value::Text(text) | Value::Untyped(text) => choices.iter().find(|(word, _)| *word == text.as_str()),
            _ => None,
        };
        let words = || choices.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        found.map(|(_, choice)| *choice).ok_or_else(|| mismatch(value, &format!("one of {}", words())))
    }
}

/// A list; one bare item counts as a list of one, and the environment separates items by commas.
pub(super) fn list<T>(item: impl Fn(&Value) -> Result<T, WrongValue>) -> impl FnOnce(&Value) -> Result<Vec<T>, WrongValue> {
    move |value| match value {
        Value::List(items) => items.iter().map(item).collect(),
        Value::Untyped(text) => {
            let text = text.trim().trim_start_matches('[').trim_end_matches(']');
            let items = text.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty());
            items.map(|text| item(&Value::Untyped(text.to_owned().into()))).collect()
        }
        Value::Text(text) if text.is_empty() => Ok(Vec::new()),
        one => Ok(vec![item(one)?]),
    }
}

/// A length of time within `range`: `"500ms"`, `"20s"`, `"1h30m"`, `"30d"`; `"0"` needs no unit.
pub(super) fn time(range: RangeInclusive<Duration>) -> impl FnOnce(&Value) -> Result<Duration, WrongValue> {
    move |value| {
        let time = match value {
            Value::Text(text) | Value::Untyped(text) => parse_time(text),
            Value::Integer(0) => Some(Duration::ZERO),
            _ => None,
        };
        time.filter(|time| range.contains(time)).ok_or_else(|| {
            let (low, high) = (range.start(), range.end());
            let (low, high) = (written(*low), written(*high));
            mismatch(value, &format!("a time with its unit, such as \"20s\" or \"10m\", from {low} to {high}"))
        })
    }
}

/// A length of time as somebody would write it: in the largest unit that divides it.
fn written(time: Duration) -> String {
    let seconds = time.as_secs();
    let unit = [(86_400, 'd'), (3600, 'h'), (60, 'm')].into_iter().find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    match unit {
        Some((unit, letter)) => format!("{}{letter}", seconds / unit),
        None if time.subsec_millis() > 0 => format!("{}ms", time.as_millis()),
        None => format!("{seconds}s"),
    }
}

/// Reads a length of time as it is written in the configuration: `"500ms"`, `"20s"`, `"1h30m"`, `"30d"`, `"0"`.
#[must_use]
pub fn parse_time(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let milliseconds: u64 = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let part = digits.parse::<u64>().ok()?.checked_mul(milliseconds)?;
        total = total.checked_add(Duration::from_millis(part))?;
        rest = tail;
    }
    (!text.trim().is_empty()).then_some(total)
}

/// At least one item.
pub(super) fn some<T>(
    read: impl FnOnce(&Value) -> Result<Vec<T>, WrongValue>,
) -> impl FnOnce(&Value) -> Result<Vec<T>, WrongValue> {
    move |value| {
        let items = read(value)?;
        if items.is_empty() { Err(WrongValue::new("is an empty list", "write at least one")) } else { Ok(items) }
    }
}

/// A telephone number as it is written, grouped and with a `+` or without; kept as its digits, by which numbers are compared (K-1).
pub(super) fn telephone_number(most: usize) -> impl FnOnce(&Value) -> Result<String, WrongValue> {
    move |value| {
        let hint = format!(
            "write 1 to {most} digits in quotes, as a phone can key them in; a + before and blanks or - between are allowed"
        );
        let Ok(written) = text(value) else { return Err(WrongValue::new("is not written as a text", hint)) };
        match number::digits(&written).filter(|digits| digits.len() <= most) {
            Some(digits) => Ok(digits),
            None => Err(WrongValue::new(format!("{written:?} is not made of digits only"), hint)),
        }
    }
}

/// The name in a certificate that somebody is known by.
pub(super) fn certificate_name(value: &Value) -> Result<String, WrongValue> {
    label(255)(value).map(|name| name.to_ascii_lowercase())
}

/// What can stand before `@` without escapes.
pub(super) fn username(value: &Value) -> Result<String, WrongValue> {
    let name = text(value)?;
    let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()+=&$".contains(&byte));
    let hint = "write 1 to 64 letters, digits or -_.+, the user part of its SIP address";
    if legal && (1..=64).contains(&name.len()) {
        Ok(name)
    } else {
        Err(WrongValue::new(format!("{name:?} is no user name"), hint))
    }
}

pub(super) fn meeting_name(value: &Value) -> Result<MeetingName, WrongValue> {
    let name = text(value)?;
    MeetingName::new(name.as_str())
        .map_err(|_| WrongValue::new(format!("{name:?} is no name of a meeting"), "write the X of a [meeting.X]"))
}

pub(super) fn language(value: &Value) -> Result<String, WrongValue> {
    let text = text(value)?;
    // Written as directories of prompts are, although these are found whatever their case.
    let fits = |tag: LanguageTag| text.starts_with(tag.primary().as_str()) && !text.contains('_');
    let hint = "write a language tag, such as \"en\" or \"pt-BR\": the name of a directory of prompts";
    match LanguageTag::new(&text).is_ok_and(fits) {
        true => Ok(text),
        false => Err(WrongValue::new(format!("{text:?} is no language tag"), hint)),
    }
}

/// `20000-20999`.
pub(super) fn ports(value: &Value) -> Result<RangeInclusive<u16>, WrongValue> {
    let text = text(value)?;
    let wrong =
        || WrongValue::new(format!("{text:?} is no range of ports"), "write \"20000-20999\": from 1024, two ports a call");
    let (low, high) = text.split_once('-').ok_or_else(wrong)?;
    let (low, high): (u16, u16) = (low.trim().parse().map_err(|_| wrong())?, high.trim().parse().map_err(|_| wrong())?);
    if low >= 1024 && high > low { Ok(low..=high) } else { Err(wrong()) }
}

pub(super) fn url(schemes: &'static [&'static str]) -> impl Fn(&Value) -> Result<String, WrongValue> {
    move |value| {
        let url = text(value)?;
        let rest = schemes.iter().find_map(|scheme| url.strip_prefix(scheme));
        let fits = rest.is_some_and(|rest| !rest.is_empty()) && url.chars().all(|c| c.is_ascii_graphic() && c != '"');
        if fits {
            Ok(url)
        } else {
            Err(WrongValue::new(format!("{url:?} is no address for this"), format!("begin it with {}", schemes.join(" or "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        let seconds = |text| parse_time(text).map(|time| time.as_secs_f64());
        assert_eq!(seconds("20s"), Some(20.0));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds(" 30d "), Some(2_592_000.0));
        assert_eq!(seconds("0"), Some(0.0));
        for text in ["", "20", "s", "20 parsecs", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn port_ranges_have_two_ends_in_order() {
        let read = |text: &str| ports(&Value::Text(text.to_owned().into())).ok();
        assert_eq!(read("20000-20999"), Some(20_000..=20_999));
        assert_eq!(read(" 1024 - 65535 "), Some(1024..=65_535));
        for text in ["", "20000", "20999-20000", "20000-20000", "80-90", "20000-70000", "a-b", "-"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn language_tags_name_directories_and_nothing_else() {
        let fits = |text: &str| language(&Value::Text(text.to_owned().into())).is_ok();
        assert!(fits("en") && fits("pt-BR") && fits("zh-Hant-TW") && fits("gsw"));
        assert!(!fits("") && !fits("../etc") && !fits("EN") && !fits("en/us") && !fits("english") && !fits("en-"));
    }
}
