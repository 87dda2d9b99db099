//! What we take: the methods, bodies and extensions named in `Allow`, `Accept` and `Supported` (RFC 3261 section 20), and what a peer takes.

use super::message::header;
use super::message::method::Method;
use super::message::uri::{Scheme, Uri};
use super::message::{Headers, Request};
use super::transaction::Reply;
use crate::sip::message::{StatusCode, header_names};

/// Methods we act on; anything else is refused.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REGISTER, MESSAGE, REFER, SUBSCRIBE";
/// Bodies we take.
pub(super) const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf, text/plain";
/// Extensions we know.
pub(super) const SUPPORTED: &str = "timer, 100rel, replaces, norefersub";

/// Whether a peer's `Allow` names a method; `None` when it sent none.
pub(super) fn allows(headers: &Headers, method: &Method) -> Option<bool> {
    headers.get(header_names::ALLOW)?;
    Some(headers.lines(header_names::ALLOW).flat_map(header::tokens).any(|allowed| allowed == method.as_str()))
}

/// Whether a message requires an extension.
pub(super) fn requires(headers: &Headers, extension: &str) -> bool {
    headers.lines(header_names::REQUIRE).flat_map(header::tokens).any(|tag| tag.eq_ignore_ascii_case(extension))
}

/// What must hold of a request outside of dialogs for where it goes (section 8.2.2.1), and before its method counts. Other methods than ours are
/// refused for that.
pub(super) fn refused_target(request: &Request) -> Option<Reply> {
    let method = request.method.as_str();
    if request.method == Method::Cancel || !header::tokens(ALLOW).any(|ours| ours == method) {
        return None;
    }
    match Uri::parse(&request.uri) {
        Some(Uri { scheme: Scheme::Other(other), .. }) if other != "urn" => Some(Reply::new(StatusCode::UnsupportedUriScheme)),
        // The registrar knows extensions of its own.
        Some(_) if request.method == Method::Register => None,
        Some(_) => refusal(request),
        None => Some(Reply::new(StatusCode::BadRequest)),
    }
}

/// Why a request is refused before its method counts: it wants an extension or an encoding that we do not know (RFC 3261 section 8.2.2.3, 8.2.3).
pub(super) fn refusal(request: &Request) -> Option<Reply> {
    let unknown = |tag: &&str| !header::tokens(SUPPORTED).any(|ours| ours.eq_ignore_ascii_case(tag));
    let required: Vec<&str> = request.headers.lines(header_names::REQUIRE).flat_map(header::tokens).filter(unknown).collect();
    if !required.is_empty() {
        return Some(Reply::new(StatusCode::BadExtension).with([(header_names::UNSUPPORTED, required.join(", "))]));
    }
    let coding = request.headers.get(header_names::CONTENT_ENCODING).filter(|_| !request.body.is_empty());
    let encoded = coding.is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity"));
    encoded.then(|| Reply::new(StatusCode::UnsupportedMediaType).with([(header_names::ACCEPT_ENCODING, "identity".to_owned())]))
}

/// Whether a caller takes other bodies than session descriptions only (section 20.1). An empty list is taken for none.
pub(super) fn takes_no_description(request: &Request) -> bool {
    let takes = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or(kind).trim().to_ascii_lowercase();
        ["application/sdp", "application/*", "*/*"].contains(&kind.as_str())
    };
    let mut kinds = request.headers.values(header_names::ACCEPT).filter(|kind| !kind.trim().is_empty()).peekable();
    kinds.peek().is_some() && !kinds.any(takes)
}

/// A body that is none of [`ACCEPT`].
pub(super) fn foreign_body() -> Reply {
    Reply::new(StatusCode::UnsupportedMediaType).with([(header_names::ACCEPT, ACCEPT.to_owned())])
}
