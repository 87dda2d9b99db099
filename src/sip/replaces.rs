//! Replaces (RFC 3891; M-18): an INVITE that takes the place of a call which is up.

use super::dialog::DialogKey;
use super::endpoint::Endpoint;
use super::identity::{Identity, Proof};
use super::invite::Phase;
use super::message::Request;
use super::uri::{Params, unescape};
use crate::common::ids::CallId;

/// The dialog that is meant, as its receiver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Replaces {
    pub(super) dialog: DialogKey,
    /// Only while it is not answered yet.
    pub(super) early_only: bool,
}

impl Replaces {
    /// Reads a header's value (section 6.1).
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (call_id, params) = value.split_once(';')?;
        let params = Params::parse(params);
        let tag = |name: &str| params.get(name).filter(|tag| !tag.is_empty()).map(str::to_owned);
        let call_id = call_id.trim();
        let legal = !call_id.is_empty() && call_id.bytes().all(|byte| byte.is_ascii_graphic());
        let dialog = DialogKey { call_id: call_id.to_owned(), local: tag("to-tag")?, remote: tag("from-tag")? };
        legal.then_some(Self { dialog, early_only: params.has("early-only") })
    }

    /// The value among the headers of a URI, `?Replaces=…&…` (RFC 3261 section 19.1.1), readable again.
    pub(super) fn escaped(headers: &str) -> Option<String> {
        let mut pairs = headers.trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("Replaces"))?;
        Some(unescape(value))
    }
}

impl Endpoint {
    /// The call that an INVITE takes the place of, if it says so; or the status that refuses it (section 3).
    pub(super) fn replaced(&self, request: &Request, identity: Option<&Identity>, proof: Proof) -> Result<Option<CallId>, u16> {
        let mut lines = request.headers.lines("Replaces");
        let Some(line) = lines.next() else { return Ok(None) };
        let replaces = Replaces::parse(line).filter(|_| lines.next().is_none()).ok_or(400_u16)?;
        // Whoever overhears a dialog's tags must not get its place: only somebody we know does.
        if matches!(identity, None | Some(Identity::Unlisted)) {
            return Err(403);
        }
        let id = self.dialogs.get(&replaces.dialog).ok_or(481_u16)?;
        let call = self.calls.get(id);
        // What was proven is not taken over by what is only said to come from somewhere.
        if call.is_some_and(|call| Self::is_proven(call.proof) && !Self::is_proven(proof)) {
            return Err(403);
        }
        match call.map(|call| call.phase) {
            Some(Phase::Live) if replaces.early_only => Err(486),
            Some(Phase::Live) => Ok(Some(*id)),
            Some(Phase::Over) => Err(603),
            Some(Phase::Ringing | Phase::Calling) | None => Err(481),
        }
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
