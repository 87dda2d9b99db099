//! [`Request`] and [`Response`]: what the wire's lines mean, and their exact print.

use std::fmt;

use super::header::NameAddr;
use super::header_names;
use super::headers::{Headers, clean};
use super::method::Method;
use super::status::phrase;
use super::wire::{self, Head, WireError, WireLimits};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// The Request-URI as written.
    pub uri: String,
    /// Header lines.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 100 to 699.
    pub status: u16,
    /// The phrase; means nothing to machines.
    pub phrase: String,
    /// Header lines.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A request or a response, as the wire brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Reads exactly one message. Bytes beyond `Content-Length` are dropped; without one the body is all that follows (RFC 3261 section 18.3).
    ///
    /// # Errors
    /// [`WireError`] when it cannot be read; [`Message::parse_broken`] then finds what an answer needs.
    pub fn parse(bytes: &[u8], limits: &WireLimits) -> Result<Self, WireError> {
        let head = wire::head(bytes, limits)?;
        let rest = bytes.get(head.body_at..).unwrap_or_default();
        let length = wire::content_length(&head.headers)?.unwrap_or(rest.len());
        if length > limits.body_bytes {
            return Err(WireError::BodyTooLarge);
        }
        let body = rest.get(..length).ok_or(WireError::BadLength)?.to_vec();
        Self::from_head(head, body)
    }

    /// Reads what an answer to a request needs that is broken otherwise: whose `Content-Length` lies, or whose first line has a method
    /// and a version but no address between them; or whose head is too long, of which the beginning is read.
    #[must_use]
    pub fn parse_broken(bytes: &[u8], limits: &WireLimits) -> Option<Request> {
        let head = wire::head_of_broken(bytes, limits)?;
        let (method, rest) = head.start.split_once(' ')?;
        let (uri, version) = rest.trim_end().rsplit_once(' ')?;
        version.get(..4).filter(|start| start.eq_ignore_ascii_case("SIP/"))?;
        let method = Method::parse(method)?;
        Some(Request { method, uri: uri.trim().to_owned(), headers: Headers(head.headers), body: Vec::new() })
    }

    fn from_head(head: Head, body: Vec<u8>) -> Result<Self, WireError> {
        let headers = Headers(head.headers);
        let mut words = head.start.split_ascii_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { return Err(WireError::BadStartLine) };
        if first.eq_ignore_ascii_case("SIP/2.0") {
            let status = second.parse().ok().filter(|status| (100..700).contains(status)).ok_or(WireError::BadStartLine)?;
            let phrase = clean(words.collect::<Vec<_>>().join(" ")).split_whitespace().collect::<Vec<_>>().join(" ");
            return Ok(Self::Response(Response { status, phrase, headers, body }));
        }
        let version = words.next().ok_or(WireError::BadStartLine)?;
        if words.next().is_some() {
            return Err(WireError::BadStartLine);
        }
        let method = Method::parse(first).ok_or(WireError::BadStartLine)?;
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            let other = version.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/"));
            return Err(if other { WireError::Version } else { WireError::BadStartLine });
        }
        Ok(Self::Request(Request { method, uri: second.to_owned(), headers, body }))
    }
}

fn print(start: String, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut text = start;
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(header_names::CONTENT_LENGTH)) {
        text.push_str(name);
        text.push_str(": ");
        text.push_str(value);
        text.push_str("\r\n");
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl Request {
    /// A request with nothing but its first line.
    #[must_use]
    pub fn new(method: Method, uri: impl fmt::Display) -> Self {
        Self { method, uri: uri.to_string(), headers: Headers::default(), body: Vec::new() }
    }

    /// The bytes, with a true `Content-Length`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        print(format!("{} {} SIP/2.0\r\n", self.method, self.uri), &self.headers, &self.body)
    }

    /// A response with the headers that RFC 3261 section 8.2.6.2 copies; `to_tag` is added where there is none.
    #[must_use]
    pub fn response(&self, status: u16, to_tag: Option<&str>) -> Response {
        let mut headers = Headers::default();
        for name in [header_names::VIA, header_names::FROM, header_names::TO, header_names::CALL_ID, header_names::CSEQ] {
            let lines = self.headers.lines(name);
            let wanted = if name == header_names::VIA { usize::MAX } else { 1 };
            for value in lines.take(wanted) {
                let untagged = || NameAddr::parse(value).filter(|to| to.tag().is_none());
                match to_tag.filter(|_| name == header_names::TO).and_then(|tag| Some(untagged()?.with_tag(tag))) {
                    Some(to) => headers.push(name, to),
                    None => headers.push(name, value),
                }
            }
        }
        if status == 100
            && let Some(timestamp) = self.headers.get(header_names::TIMESTAMP)
        {
            headers.push(header_names::TIMESTAMP, timestamp);
        }
        Response { status, phrase: phrase(status).to_owned(), headers, body: Vec::new() }
    }
}

impl Response {
    /// The bytes, with a true `Content-Length`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        print(format!("SIP/2.0 {} {}\r\n", self.status, clean(self.phrase.clone())), &self.headers, &self.body)
    }
}
