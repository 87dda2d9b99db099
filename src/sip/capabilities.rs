//! What we take: the methods, bodies and extensions named in `Allow`, `Accept` and `Supported` (RFC 3261 section 20), and what a peer takes.

use super::header;
use super::message::Headers;
use super::method::Method;

/// Methods we act on; anything else is refused.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REGISTER, MESSAGE, REFER, SUBSCRIBE";
/// Bodies we take.
pub(super) const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf, text/plain";
/// Extensions we know.
pub(super) const SUPPORTED: &str = "timer, 100rel, replaces, norefersub";

/// Whether a peer's `Allow` names a method; `None` when it sent none.
pub(super) fn allows(headers: &Headers, method: &Method) -> Option<bool> {
    headers.get("Allow")?;
    Some(headers.lines("Allow").flat_map(header::tokens).any(|allowed| allowed == method.as_str()))
}

/// Whether a message requires an extension.
pub(super) fn requires(headers: &Headers, extension: &str) -> bool {
    headers.lines("Require").flat_map(header::tokens).any(|tag| tag.eq_ignore_ascii_case(extension))
}
