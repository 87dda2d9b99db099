//! [`Body`]: where a message carries a session description (RFC 3261 section 7.4, RFC 5621).

use super::header::ContentType;
use super::header_names;
use super::headers::Headers;
use super::wire;

/// What a body turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// None, or one that may be ignored (`handling=optional`, RFC 3261 section 20.11).
    Nothing,
    /// A session description.
    Sdp(Vec<u8>),
    /// Something else that must be understood.
    Foreign,
}

/// Finds the session description of a message, also inside `multipart/*` (RFC 5621).
#[must_use]
pub fn session_description(headers: &Headers, body: &[u8]) -> Body {
    if body.is_empty() {
        return Body::Nothing;
    }
    let optional = headers
        .get(header_names::CONTENT_DISPOSITION)
        .is_some_and(|value| value.to_ascii_lowercase().contains("handling=optional"));
    let foreign = if optional { Body::Nothing } else { Body::Foreign };
    // A body without a type is taken for the only kind an INVITE carries.
    let Some(kind) = headers.get(header_names::CONTENT_TYPE) else { return Body::Sdp(body.to_vec()) };
    let Some(kind) = ContentType::parse(kind) else { return foreign };
    if kind.essence == "application/sdp" {
        return Body::Sdp(body.to_vec());
    }
    let Some(boundary) = kind.params.get("boundary").filter(|_| kind.essence.starts_with("multipart/")) else { return foreign };
    let boundary = boundary.trim_matches('"');
    // A session description is text; other parts may be mangled by this and are not looked at.
    let text = String::from_utf8_lossy(body);
    let delimiter = format!("--{boundary}");
    for part in text.split(delimiter.as_str()).skip(1) {
        let part = part.trim_start_matches([' ', '\t']).trim_start_matches("\r\n").trim_start_matches('\n');
        let Some((head, content)) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")) else { continue };
        let sdp = head.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
            let name = wire::full_name(name.trim());
            name.eq_ignore_ascii_case(header_names::CONTENT_TYPE)
                && ContentType::parse(value).is_some_and(|kind| kind.essence == "application/sdp")
        });
        if sdp {
            return Body::Sdp(content.as_bytes().to_vec());
        }
    }
    foreign
}
