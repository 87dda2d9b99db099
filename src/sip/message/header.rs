//! Typed readers for the headers we act on. Each takes one value (see [`crate::sip::message::Headers::values`] for lists).

use std::fmt;

use super::method::Method;
use super::uri::{Host, Params, Uri};
use super::wire::{is_token, split_outside};

/// One `Via` value (RFC 3261 section 20.42).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// Of the protocol: `2.0`, but in requests that are answered 505.
    pub version: String,
    /// `UDP`, `TCP`, `TLS`…, in capitals.
    pub transport: String,
    /// The sent-by host.
    pub host: Host,
    /// The sent-by port, if written.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport`…
    pub params: Params,
}

impl Via {
    /// Reads one value; blanks around the slashes are forgiven.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        Self::parse_any_version(value).filter(|via| via.version == "2.0")
    }

    /// The same, also of a version that we do not speak: it says where the 505 goes (RFC 3261 section 21.5.6).
    #[must_use]
    pub fn parse_any_version(value: &str) -> Option<Self> {
        let (protocol, rest) = value.split_once('/')?;
        let (version, rest) = rest.split_once('/')?;
        let version = version.trim().to_owned();
        if !protocol.trim().eq_ignore_ascii_case("SIP") || !is_token(&version) {
            return None;
        }
        let (transport, rest) = rest.trim_start().split_once(|letter: char| letter.is_ascii_whitespace())?;
        let (sent_by, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = Host::parse_with_port(sent_by)?;
        let transport = transport.to_ascii_uppercase();
        is_token(&transport).then(|| Self { version, transport, host, port, params: Params::parse(params) })
    }

    /// The transaction's branch, if given.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/{}/{} {}", self.version, self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)
    }
}

/// A name and an address: `From`, `To`, `Contact`, `Route`, `Record-Route`, `Refer-To`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header, such as `tag`.
    pub params: Params,
}

impl NameAddr {
    /// An address alone.
    #[must_use]
    pub fn of(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    /// Reads one value. Without angle brackets every parameter belongs to the header (RFC 3261 section 20.10);
    /// an unquoted display name of any characters and a missing closing bracket are forgiven.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim();
        if let Some(quoted) = value.strip_prefix('"') {
            let (display, rest) = unquote(quoted)?;
            let (uri, params) = bracketed(rest.trim_start().strip_prefix('<')?)?;
            return Some(Self { display: shown(&display), uri, params });
        }
        if let Some((display, rest)) = value.split_once('<') {
            let (uri, params) = bracketed(rest)?;
            let display = display.split_whitespace().collect::<Vec<_>>().join(" ");
            return Some(Self { display: shown(&display), uri, params });
        }
        let (uri, params) = value.split_once(';').unwrap_or((value, ""));
        Some(Self { display: None, uri: Uri::parse(uri)?, params: Params::parse(params) })
    }

    /// The tag, if there is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The same with this tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", Some(tag.to_owned()));
        self
    }
}

/// A display name without what must not be printed; `None` if nothing is left.
fn shown(display: &str) -> Option<String> {
    Some(display.chars().filter(|letter| !letter.is_control()).collect()).filter(|name: &String| !name.is_empty())
}

/// Takes what follows `<`.
fn bracketed(rest: &str) -> Option<(Uri, Params)> {
    let (uri, params) = rest.split_once('>').unwrap_or((rest, ""));
    Some((Uri::parse(uri)?, Params::parse(params)))
}

/// Takes what follows an opening quote; gives the text and what follows the closing one.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return text.get(at + 1..).map(|rest| (inner, rest)),
            '\\' => inner.push(letters.next()?.1),
            letter => inner.push(letter),
        }
    }
    None
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            f.write_str("\"")?;
            for letter in display.chars().filter(|letter| !letter.is_control()) {
                if letter == '"' || letter == '\\' {
                    f.write_str("\\")?;
                }
                write!(f, "{letter}")?;
            }
            f.write_str("\" ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

/// `CSeq` (RFC 3261 section 20.16).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// Below 2³¹.
    pub number: u32,
    /// The method it counts.
    pub method: Method,
}

impl CSeq {
    /// Reads `1 INVITE`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (number, method) = value.trim().split_once(|letter: char| letter.is_ascii_whitespace())?;
        let number = number.parse().ok().filter(|&number: &u32| number < 1 << 31)?;
        Some(Self { number, method: Method::parse(method.trim())? })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// `RAck` (RFC 3262 section 7.2): which provisional response a PRACK is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RAck {
    /// The response's `RSeq`.
    pub rseq: u32,
    /// Its `CSeq`.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads `776656 1 INVITE`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (rseq, cseq) = value.trim().split_once(|letter: char| letter.is_ascii_whitespace())?;
        Some(Self { rseq: rseq.parse().ok()?, cseq: CSeq::parse(cseq)? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

/// `Content-Type` (RFC 3261 section 20.15), in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    /// `application/sdp`.
    pub essence: String,
    /// `boundary`…
    pub params: Params,
}

impl ContentType {
    /// Reads `application/sdp;charset=x`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (essence, params) = value.split_once(';').unwrap_or((value, ""));
        let (kind, subtype) = essence.split_once('/')?;
        let essence = format!("{}/{}", kind.trim(), subtype.trim()).to_ascii_lowercase();
        Some(Self { essence, params: Params::parse(params) })
    }
}

/// One `Reason` value (RFC 3326, S-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `Q.850` or `SIP`.
    pub protocol: String,
    /// The cause number.
    pub cause: Option<u16>,
    /// For people, without quotes.
    pub text: Option<String>,
}

impl Reason {
    /// Reads `Q.850;cause=16;text="x"`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (protocol, params) = value.split_once(';').unwrap_or((value, ""));
        let params = Params::parse(params);
        let text = params.get("text").map(|text| text.trim_matches('"').to_owned());
        let protocol = protocol.trim().to_owned();
        is_token(&protocol).then(|| Self { cause: params.get("cause").and_then(|cause| cause.parse().ok()), protocol, text })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if let Some(text) = &self.text {
            write!(f, ";text=\"{}\"", text.replace(['"', '\\'], ""))?;
        }
        Ok(())
    }
}

/// Seconds of a `Retry-After`; the comment and parameters are not ours to use.
#[must_use]
pub fn retry_after(value: &str) -> Option<u32> {
    value.trim_start().split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// The option tags or tokens of one list value.
pub fn tokens(value: &str) -> impl Iterator<Item = &str> {
    split_outside(value, ',').filter(|part| is_token(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_via_is_read_in_all_its_forms() {
        let via = Via::parse("SIP / 2.0 / udp  [2001:db8::9]:5062;Branch=z9hG4bK1;rport").unwrap();
        assert_eq!((via.transport.as_str(), via.port, via.branch()), ("UDP", Some(5062), Some("z9hG4bK1")));
        assert!(via.params.has("rport"));
        assert_eq!(via.to_string(), "SIP/2.0/UDP [2001:db8::9]:5062;Branch=z9hG4bK1;rport");
        assert_eq!(Via::parse("SIP/2.0/UDP first.example.com: 4000;ttl=16").unwrap().port, Some(4000));
        let later = "SIP/7.0/UDP a;branch=x";
        assert!(Via::parse(later).is_none() && Via::parse_any_version(later).is_some_and(|via| via.to_string() == later));
        for bad in ["", "SIP/2.0/UDP", "SIP/3.0/UDP a", "HTTP/2.0/TCP a", "SIP/2.0/UDP a:b"] {
            assert!(Via::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn names_and_addresses_are_read_as_phones_write_them() {
        let named = NameAddr::parse(r#""A, \"B\" <x>" <sip:a@b;lr>;tag=1"#).unwrap();
        assert_eq!(named.display.as_deref(), Some(r#"A, "B" <x>"#));
        assert_eq!((named.tag(), named.uri.is_loose_route()), (Some("1"), true));
        assert_eq!(NameAddr::parse(&named.to_string()).unwrap(), named);
        let loose = NameAddr::parse("Board  Room 7 <sip:b@c>;tag=x").unwrap();
        assert_eq!((loose.display.as_deref(), loose.tag()), (Some("Board Room 7"), Some("x")));
        let bare = NameAddr::parse("sip:a@b;tag=2").unwrap();
        assert_eq!((bare.tag(), bare.uri.params.has("tag")), (Some("2"), false));
        assert!(NameAddr::parse("\"open <sip:a@b>").is_none());
        let unseen = NameAddr::parse("\"\u{1}\" <sip:a@b>").unwrap();
        assert_eq!((unseen.display, unseen.uri.to_string().as_str()), (None, "sip:a@b"), "what cannot be printed is no name");
    }

    #[test]
    fn small_headers_are_read() {
        assert_eq!(CSeq::parse("  0009   INVITE ").unwrap(), CSeq { number: 9, method: Method::Invite });
        assert!(CSeq::parse("2147483648 INVITE").is_none());
        assert!(CSeq::parse("36893488147419103232 REGISTER").is_none());
        assert_eq!(RAck::parse(" 776656  1 INVITE").unwrap().to_string(), "776656 1 INVITE");
        assert!(RAck::parse("1 INVITE").is_none());
        assert_eq!(ContentType::parse("Application / SDP ; charset=x").unwrap().essence, "application/sdp");
        let reason = Reason::parse("Q.850 ;cause=16 ;text=\"Terminated\"").unwrap();
        assert_eq!(reason.to_string(), "Q.850;cause=16;text=\"Terminated\"");
        assert_eq!(retry_after("18000;duration=3600"), Some(18000));
        assert_eq!(retry_after(" 120 (busy)"), Some(120));
        assert_eq!(tokens("100rel, ,timer").collect::<Vec<_>>(), ["100rel", "timer"]);
    }
}
