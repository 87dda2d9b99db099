//! [`Request`] and [`Response`]: what the wire's lines mean, and their exact print.

use std::fmt;

use super::header::{self, CSeq, ContentType, NameAddr, Via};
use super::wire::{self, Head, WireError, WireLimits, is_token, split_outside};

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A method. The type is open: one we do not know is kept as written; case matters (RFC 3261 section 7.1).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Method {
            $($(#[$doc])* $name,)*
            /// Any other token.
            Other(String),
        }

        impl Method {
            /// Reads a method; `None` when it is no token.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    other => is_token(other).then(|| Self::Other(other.to_owned())),
                }
            }

            /// As on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(other) => other,
                }
            }
        }
    };
}

methods! {
    /// RFC 3261
    Invite = "INVITE",
    /// RFC 3261
    Ack = "ACK",
    /// RFC 3261
    Bye = "BYE",
    /// RFC 3261
    Cancel = "CANCEL",
    /// RFC 3261
    Options = "OPTIONS",
    /// RFC 3261
    Register = "REGISTER",
    /// RFC 6086
    Info = "INFO",
    /// RFC 3311
    Update = "UPDATE",
    /// RFC 3262
    Prack = "PRACK",
    /// RFC 6665
    Subscribe = "SUBSCRIBE",
    /// RFC 6665
    Notify = "NOTIFY",
    /// RFC 3515
    Refer = "REFER",
    /// RFC 3428
    Message = "MESSAGE",
    /// RFC 3903
    Publish = "PUBLISH",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Header lines in order. Names are compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value line of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every line of this name, as written.
    pub fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Every value of this name, several on one line taken apart. For headers that are lists; not for `Subject` or dates.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines(name).flat_map(|line| split_outside(line, ','))
    }

    /// Adds a line at the end. Line ends in `value` are dropped, so that nothing can be smuggled into a message.
    pub fn push(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push((name.to_owned(), clean(&value.to_string())));
    }

    /// Adds a line at the front.
    pub fn push_front(&mut self, name: &str, value: impl fmt::Display) {
        self.0.insert(0, (name.to_owned(), clean(&value.to_string())));
    }

    /// Replaces the first value of this name, and leaves further values of the same line where they are.
    pub fn replace_first(&mut self, name: &str, value: impl fmt::Display) {
        if let Some((_, line)) = self.0.iter_mut().find(|(given, _)| given.eq_ignore_ascii_case(name)) {
            let mut values: Vec<String> = split_outside(line, ',').map(str::to_owned).collect();
            if let Some(first) = values.first_mut() {
                *first = clean(&value.to_string());
            }
            *line = values.join(", ");
        }
    }

    /// All lines.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn clean(value: &str) -> String {
    if value.contains(['\r', '\n', '\0']) { value.replace(['\r', '\n', '\0'], " ") } else { value.to_owned() }
}

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

/// Either.
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
    /// and a version but no address between them.
    #[must_use]
    pub fn parse_broken(bytes: &[u8], limits: &WireLimits) -> Option<Request> {
        let head = wire::head(bytes, limits).ok()?;
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
            let phrase = clean(&words.collect::<Vec<_>>().join(" ")).split_whitespace().collect::<Vec<_>>().join(" ");
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
    for (name, value) in headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("Content-Length")) {
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

    /// Whether a proxy has passed it on: the second `Via` is that of whoever sent it there.
    #[must_use]
    pub fn was_passed_on(&self) -> bool {
        self.headers.values("Via").nth(1).is_some()
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
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            let lines = self.headers.lines(name);
            let wanted = if name == "Via" { usize::MAX } else { 1 };
            for value in lines.take(wanted) {
                match (name, to_tag, NameAddr::parse(value)) {
                    ("To", Some(tag), Some(to)) if to.tag().is_none() => headers.push(name, to.with_tag(tag)),
                    _ => headers.push(name, value),
                }
            }
        }
        if status == 100
            && let Some(timestamp) = self.headers.get("Timestamp")
        {
            headers.push("Timestamp", timestamp);
        }
        Response { status, phrase: phrase(status).to_owned(), headers, body: Vec::new() }
    }
}

impl Response {
    /// The bytes, with a true `Content-Length`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        print(format!("SIP/2.0 {} {}\r\n", self.status, clean(&self.phrase)), &self.headers, &self.body)
    }
}

/// What every message must have to be routed at all (RFC 3261 section 8.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Essentials {
    /// The topmost Via.
    pub via: Via,
    /// `From`.
    pub from: NameAddr,
    /// `To`.
    pub to: NameAddr,
    /// `Call-ID`, as written.
    pub call_id: String,
    /// `CSeq`.
    pub cseq: CSeq,
}

impl Essentials {
    /// Reads them; the error names the header that is missing, said twice or unreadable.
    ///
    /// # Errors
    /// The header's name.
    pub fn read(headers: &Headers) -> Result<Self, &'static str> {
        fn one<'a>(headers: &'a Headers, name: &'static str) -> Result<&'a str, &'static str> {
            let mut lines = headers.lines(name);
            match (lines.next(), lines.next()) {
                (Some(value), None) if !value.is_empty() => Ok(value),
                _ => Err(name),
            }
        }
        let via = headers.values("Via").next().unwrap_or_default();
        // One semicolon too many is some phones' habit; with more of them it cannot be told what was meant (RFC 4475 section 3.1.2.1).
        if via.split(';').skip(1).filter(|param| param.trim().is_empty()).count() > 1 {
            return Err("Via");
        }
        Ok(Self {
            via: Via::parse(via).ok_or("Via")?,
            from: NameAddr::parse(one(headers, "From")?).ok_or("From")?,
            to: NameAddr::parse(one(headers, "To")?).ok_or("To")?,
            call_id: one(headers, "Call-ID")?.to_owned(),
            cseq: CSeq::parse(one(headers, "CSeq")?).ok_or("CSeq")?,
        })
    }
}

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
    let optional =
        headers.get("Content-Disposition").is_some_and(|value| value.to_ascii_lowercase().contains("handling=optional"));
    let foreign = if optional { Body::Nothing } else { Body::Foreign };
    // A body without a type is taken for the only kind an INVITE carries.
    let Some(kind) = headers.get("Content-Type") else { return Body::Sdp(body.to_vec()) };
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
            name.eq_ignore_ascii_case("Content-Type")
                && ContentType::parse(value).is_some_and(|kind| kind.essence == "application/sdp")
        });
        if sdp {
            return Body::Sdp(content.as_bytes().to_vec());
        }
    }
    foreign
}

/// Whether a peer's `Allow` names a method; `None` when it sent none.
#[must_use]
pub fn allows(headers: &Headers, method: &Method) -> Option<bool> {
    headers.get("Allow")?;
    Some(headers.lines("Allow").flat_map(header::tokens).any(|allowed| allowed == method.as_str()))
}

/// The usual phrase of a status (RFC 3261 section 21 and the IANA registry).
#[must_use]
pub fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        439 => "First Hop Lacks Outbound Support",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        513 => "Message Too Large",
        603 => "Decline",
        other => match other / 100 {
            1 => "Progress",
            2 => "OK",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}
