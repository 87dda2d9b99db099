//! [`Body`]: where a message carries a session description (RFC 3261 section 7.4, RFC 5621).

use super::header::ContentType;
use super::header_names;
use super::headers::Headers;
use super::wire;

/// Bodies inside of bodies that are looked into (RFC 5621 section 3.1 wants nesting to be understood, and sets no limit).
const DEEPEST: usize = 4;
/// Parts of one body that are looked at.
const PARTS: usize = 32;

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

/// What a body, or a part of one, says of its content.
#[derive(Debug, Clone, Copy, Default)]
struct Entity<'a> {
    kind: Option<&'a str>,
    disposition: Option<&'a str>,
}

impl Entity<'_> {
    /// A parameter `handling` of its disposition has this value.
    fn is_handled(&self, handling: &str) -> bool {
        let named = |(name, value): (&str, &str)| name.trim() == "handling" && value.trim().trim_matches('"') == handling;
        let lower = self.disposition.map(str::to_ascii_lowercase).unwrap_or_default();
        lower.split(';').skip(1).filter_map(|parameter| parameter.split_once('=')).any(named)
    }

    /// It describes media before the answer (RFC 3959), which is nothing that we begin.
    fn is_early(&self) -> bool {
        let kind = self.disposition.and_then(|disposition| disposition.split(';').next()).unwrap_or_default();
        kind.trim().eq_ignore_ascii_case("early-session")
    }
}

/// Finds the session description of a message, also inside `multipart/*` (RFC 5621).
#[must_use]
pub fn session_description(headers: &Headers, body: &[u8]) -> Body {
    if body.is_empty() {
        return Body::Nothing;
    }
    let entity =
        Entity { kind: headers.get(header_names::CONTENT_TYPE), disposition: headers.get(header_names::CONTENT_DISPOSITION) };
    // A body without a type is taken for the only kind an INVITE carries.
    if entity.kind.is_none() {
        return Body::Sdp(body.to_vec());
    }
    // A session description is text; other parts may be mangled by this and are not looked at.
    let text = String::from_utf8_lossy(body);
    match read(entity, &text, 0) {
        // Said as it came.
        Body::Sdp(description) if description.len() == text.len() => Body::Sdp(body.to_vec()),
        Body::Foreign if entity.is_handled("optional") => Body::Nothing,
        read => read,
    }
}

fn read(entity: Entity<'_>, text: &str, depth: usize) -> Body {
    let Some(kind) = entity.kind.and_then(ContentType::parse) else { return Body::Foreign };
    if kind.essence == "application/sdp" && !entity.is_early() {
        return Body::Sdp(text.as_bytes().to_vec());
    }
    match kind.params.get("boundary").filter(|_| kind.essence.starts_with("multipart/") && depth < DEEPEST) {
        Some(boundary) => several(text, boundary.trim_matches('"'), (kind.essence == "multipart/alternative", depth + 1)),
        None => Body::Foreign,
    }
}

/// The session description among several parts. One that must be handled and is not known is refused with all the others, unless it is an
/// alternative to them (RFC 5621 section 3.2, 6).
fn several(text: &str, boundary: &str, (is_choice, depth): (bool, usize)) -> Body {
    let mut found = Body::Foreign;
    for part in parts(text, boundary) {
        let (head, content) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")).unwrap_or((part, ""));
        let header = |wanted: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(':'));
            lines.find(|(name, _)| wire::full_name(name.trim()).eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
        };
        let entity = Entity { kind: header(header_names::CONTENT_TYPE), disposition: header(header_names::CONTENT_DISPOSITION) };
        match read(entity, content, depth) {
            description @ Body::Sdp(_) if found == Body::Foreign => found = description,
            Body::Foreign if !is_choice && entity.is_handled("required") => return Body::Foreign,
            _ => {}
        }
    }
    found
}

/// What stands between the delimiters of a body (RFC 2046 section 5.1). A missing last one is forgiven.
fn parts<'a>(text: &'a str, boundary: &str) -> Vec<&'a str> {
    let (mut parts, mut begun, mut at) = (Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let after = line.trim_end().strip_prefix("--").and_then(|line| line.strip_prefix(boundary));
        if let Some(after) = after.filter(|after| after.is_empty() || *after == "--") {
            parts.extend(begun.take().and_then(|start| text.get(start..at)).map(without_line_end));
            if !after.is_empty() || parts.len() >= PARTS {
                return parts;
            }
            begun = Some(at + line.len());
        }
        at += line.len();
    }
    parts.extend(begun.and_then(|start| text.get(start..)));
    parts
}

/// The line end before a delimiter belongs to that.
fn without_line_end(part: &str) -> &str {
    let part = part.strip_suffix('\n').unwrap_or(part);
    part.strip_suffix('\r').unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SDP: &str = "v=0\r\nm=audio 4000 RTP/AVP 0\r\n";

    fn found(kind: &str, body: &str) -> Body {
        let mut headers = Headers::default();
        headers.push(header_names::CONTENT_TYPE, kind);
        session_description(&headers, body.as_bytes())
    }

    fn part(head: &str, content: &str) -> String {
        format!("--outer\r\n{head}\r\n\r\n{content}\r\n")
    }

    fn mixed(parts: &[String]) -> Body {
        found("multipart/mixed;boundary=\"outer\"", &format!("A preamble\r\n{}--outer--\r\n", parts.concat()))
    }

    fn sdp() -> Body {
        Body::Sdp(SDP.as_bytes().to_vec())
    }

    /// A description is found however deep it is, also where one boundary begins like another.
    #[test]
    fn s8_a_description_is_found_in_nested_bodies() {
        let inner = format!("--outer2\r\nc: application/sdp\r\n\r\n{SDP}\r\n--outer2--");
        let nested = part("Content-Type: multipart/alternative;boundary=outer2", &inner);
        let pidf = part("Content-Type: application/pidf+xml", "<presence/>");
        assert_eq!(mixed(&[nested.clone(), pidf.clone()]), sdp());
        assert_eq!(mixed(&[pidf.clone(), nested]), sdp());
        assert_eq!(mixed(&[pidf]), Body::Foreign);
        let mut deep = format!("Content-Type: application/sdp\r\n\r\n{SDP}");
        for level in 0..10 {
            deep = format!("Content-Type: multipart/mixed;boundary=b{level}\r\n\r\n--b{level}\r\n{deep}\r\n--b{level}--");
        }
        assert_eq!(found("multipart/mixed;boundary=x", &format!("--x\r\n{deep}\r\n--x--")), Body::Foreign);
    }

    /// What must be handled and is not known refuses the whole; what need not be, does not (RFC 3261 section 20.11).
    #[test]
    fn s8_a_part_that_must_be_handled_and_is_not_known_is_refused() {
        let description = part("Content-Type: application/sdp", SDP);
        let isup =
            |handling: &str| part(&format!("Content-Type: application/ISUP\r\nContent-Disposition: signal{handling}"), "\u{1}");
        for (handling, expected) in [
            ("", sdp()),
            (";handling=optional", sdp()),
            ("; Handling = \"required\"", Body::Foreign),
            (";handling=required", Body::Foreign),
        ] {
            assert_eq!(mixed(&[description.clone(), isup(handling)]), expected, "{handling}");
            assert_eq!(mixed(&[isup(handling), description.clone()]), expected, "{handling}");
        }
        let alternatives = format!("{}{description}--outer--", isup(";handling=required"));
        assert_eq!(found("multipart/alternative;boundary=outer", &alternatives), sdp());
    }

    /// A description of early media is not that of the session (RFC 3959).
    #[test]
    fn s4_early_media_described_beside_the_session_is_passed_over() {
        let early = part("Content-Type: application/sdp\r\nContent-Disposition: early-session;handling=optional", "v=1\r\n");
        assert_eq!(mixed(&[early, part("Content-Type: application/sdp", SDP)]), sdp());
    }

    /// Bodies that are broken are no description, whatever they are made of.
    #[test]
    fn x1_broken_bodies_of_several_parts_are_refused() {
        let part = "--outer\r\nContent-Type: application/sdp\r\n\r\n";
        assert_eq!(found("multipart/mixed;boundary=outer", &format!("{part}{SDP}")), sdp(), "no last delimiter");
        for body in ["", "--outer", "--outer--", "--outer\r\n", "x", "--outer\r\n--outer\r\n--outer--"] {
            let body = format!("{body}\u{fffd}");
            assert_eq!(found("multipart/mixed;boundary=outer", &body), Body::Foreign, "{body:?}");
        }
        assert_eq!(found("multipart/mixed", "--\r\n\r\n"), Body::Foreign);
        assert_eq!(found("multipart/mixed;boundary=", &"--\r\n".repeat(5000)), Body::Foreign);
    }
}
