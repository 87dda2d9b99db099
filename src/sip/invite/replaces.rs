//! Replaces (RFC 3891; M-18): an INVITE that takes the place of a call which is up.

use crate::sip::dialog::DialogKey;
use crate::sip::message::header_names;
use crate::sip::message::uri::{Params, unescape};

/// The dialog that is meant, as its receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sip) struct Replaces {
    pub(in crate::sip) dialog: DialogKey,
    /// Only while it is not answered yet.
    pub(in crate::sip) early_only: bool,
}

impl Replaces {
    /// Reads a header's value (section 6.1).
    pub(in crate::sip) fn parse(value: &str) -> Option<Self> {
        let (call_id, params) = value.split_once(';')?;
        let params = Params::parse(params);
        let tag = |name: &str| params.get(name).filter(|tag| !tag.is_empty()).map(str::to_owned);
        let call_id = call_id.trim();
        let legal = !call_id.is_empty() && call_id.bytes().all(|byte| byte.is_ascii_graphic());
        let dialog = DialogKey { call_id: call_id.to_owned(), local: tag("to-tag")?, remote: tag("from-tag")? };
        legal.then_some(Self { dialog, early_only: params.has("early-only") })
    }

    /// The value among the headers of a URI, `?Replaces=…&…` (RFC 3261 section 19.1.1), readable again.
    pub(in crate::sip) fn escaped(headers: &str) -> Option<String> {
        let mut pairs = headers.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case(header_names::REPLACES))?;
        Some(unescape(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_by_itself_and_escaped_in_an_address() {
        let escaped = "Replaces=7%40a%3Bto-tag%3Dt%3Bfrom-tag%3Df%3Bearly-only&Require=replaces";
        let text = Replaces::escaped(escaped).unwrap();
        assert_eq!(text, "7@a;to-tag=t;from-tag=f;early-only");
        let replaces = Replaces::parse(&text).unwrap();
        let dialog = DialogKey { call_id: "7@a".into(), local: "t".into(), remote: "f".into() };
        assert_eq!(replaces, Replaces { dialog, early_only: true });
    }

    #[test]
    fn a_value_without_both_tags_or_with_line_ends_is_none() {
        for value in ["", "7@a", "7@a;to-tag=t", ";to-tag=t;from-tag=f", "7\r\nX: y;to-tag=t;from-tag=f"] {
            assert_eq!(Replaces::parse(value), None, "{value:?}");
        }
        assert_eq!(Replaces::escaped("Subject=hello"), None);
    }
}
