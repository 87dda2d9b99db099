//! `[sip.emergency]`: which numbers are calls for help, and where they are sent (S-10).

use crate::config::readers::{WrongValue, list, text};
use crate::config::section::Section;
use crate::config::value::Value;
use crate::sip::uri::Scheme;
use crate::sip::{Emergency, Uri};

pub(super) fn emergency(s: &mut Section<'_>) -> Emergency {
    let (countries, numbers) = (s.get("countries", list(country)), s.get("numbers", list(emergency_number)));
    let prefixes = s.get("outside_line_prefixes", list(outside_line_prefix));
    let target = s.optional("target", emergency_target);
    let known = Emergency::new(&countries.unwrap_or_default(), &numbers.unwrap_or_default(), target);
    match prefixes {
        Some(prefixes) => known.with_outside_lines(prefixes),
        None => known,
    }
}

fn country(value: &Value) -> Result<&'static str, WrongValue> {
    let hint = "write the two letters of ISO 3166; for a country that is not known here list its numbers";
    Emergency::country(&text(value)?).ok_or_else(|| WrongValue::new("is no country whose emergency numbers are known", hint))
}

fn emergency_number(value: &Value) -> Result<String, WrongValue> {
    let number = text(value)?;
    if (2..=8).contains(&number.len()) && is_dialled(&number) {
        Ok(number)
    } else {
        Err(WrongValue::new("is no number that is dialled for help", "write 2 to 8 digits in quotes"))
    }
}

fn outside_line_prefix(value: &Value) -> Result<String, WrongValue> {
    let prefix = text(value)?;
    if (1..=4).contains(&prefix.len()) && is_dialled(&prefix) {
        Ok(prefix)
    } else {
        Err(WrongValue::new("is nothing that is dialled for an outside line", "write 1 to 4 digits in quotes"))
    }
}

fn is_dialled(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"*#".contains(&byte))
}

fn emergency_target(value: &Value) -> Result<String, WrongValue> {
    let target = text(value)?;
    let fits = Uri::parse(&target).is_some_and(|uri| uri.scheme == Scheme::Tel || uri.host.is_some());
    if fits {
        Ok(target)
    } else {
        Err(WrongValue::new("is no SIP or tel address", "write one such as \"sip:112@pbx.example.com\""))
    }
}
