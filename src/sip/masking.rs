//! Masking of SIP messages for the ladder, for Homer and for the log (O-5): enough to see who sent what, and nothing that is a secret or names
//! somebody.
//!
//! A header's value is shown only if it is known to hold no secret; of all others the name remains. Digits of users, which may be numbers,
//! codes or passcodes, are masked; so are names, bodies other than session descriptions, and in those the keys.

use super::message::{Headers, Request, Response};

/// Characters of one message's contents.
pub(super) const CONTENT: usize = 4 * 1024;
/// Characters of one line.
const LINE: usize = 256;
/// A number of so many digits or more may be a telephone's: its last two remain, where it cannot be a code.
const NUMBER: usize = 7;
/// What stands for what is not shown.
const MASKED: &str = "…";

/// How much of a user's digits is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    /// Nothing: what is dialled may be a code with its passcode (K-1).
    Hidden,
    /// The last two of a number, so that callers can be told apart.
    Ends,
}

/// A request as it may be shown.
pub(super) fn request(request: &Request) -> String {
    let start = |out: &mut String| {
        out.push_str(request.method.as_str());
        out.push(' ');
        uri(out, &request.uri, Digits::Hidden);
        out.push_str(" SIP/2.0");
    };
    content(start, &request.headers, &request.body)
}

/// A response as it may be shown.
pub(super) fn response(response: &Response) -> String {
    let start = |out: &mut String| {
        out.push_str("SIP/2.0 ");
        out.push_str(&response.status.to_string());
        out.push(' ');
        numbers(out, &response.phrase);
    };
    content(start, &response.headers, &response.body)
}

/// A message that is masked line by line: every message of every call is, so nothing is copied that need not be.
struct MaskedText(String);

impl MaskedText {
    /// Adds what `write` appends as a line, cut to its length; nothing where it has no room any more.
    fn line(&mut self, write: impl FnOnce(&mut String)) {
        let Self(text) = self;
        let start = text.len();
        write(text);
        let line = text.get(start..).unwrap_or_default();
        if line.len() > LINE || line.chars().any(char::is_control) {
            let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LINE).collect();
            text.truncate(start);
            text.push_str(&shown);
        }
        if text.len() < CONTENT {
            text.push('\n');
        } else {
            text.truncate(start);
        }
    }
}

fn content(start: impl FnOnce(&mut String), headers: &Headers, body: &[u8]) -> String {
    let mut masked = MaskedText(String::with_capacity(CONTENT / 4));
    masked.line(start);
    for (name, value) in headers.iter() {
        masked.line(|out| {
            out.push_str(name);
            out.push_str(": ");
            header(out, name, value);
        });
    }
    if !body.is_empty() {
        masked.line(|_| {});
        match std::str::from_utf8(body).ok().filter(|_| is_session_description(headers)) {
            Some(description) => description.lines().for_each(|line| masked.line(|out| description_line(out, line))),
            None => masked.line(|out| out.push_str(&format!("({} bytes {MASKED})", body.len()))),
        }
    }
    masked.0
}

fn is_session_description(headers: &Headers) -> bool {
    const SDP: &str = "application/sdp";
    let kind = headers.get("Content-Type").map(str::trim).unwrap_or_default();
    kind.get(..SDP.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(SDP))
}

/// Whether `name` is among those that are known, which are compared without case.
fn is_among(known: &[&str], name: &str) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn header(out: &mut String, name: &str, value: &str) {
    const ADDRESSES: [&str; 12] = [
        "from",
        "to",
        "contact",
        "route",
        "record-route",
        "refer-to",
        "referred-by",
        "p-asserted-identity",
        "p-preferred-identity",
        "remote-party-id",
        "diversion",
        "path",
    ];
    const PLAIN: [&str; 30] = [
        "via",
        "cseq",
        "call-id",
        "max-forwards",
        "content-type",
        "content-length",
        "allow",
        "supported",
        "require",
        "proxy-require",
        "unsupported",
        "accept",
        "expires",
        "min-expires",
        "min-se",
        "session-expires",
        "rseq",
        "rack",
        "retry-after",
        "event",
        "subscription-state",
        "timestamp",
        "date",
        "allow-events",
        "content-disposition",
        "privacy",
        "mime-version",
        "sip-etag",
        "in-reply-to",
        "priority",
    ];
    // What is dialled may be a code with its passcode.
    const DIALLED: [&str; 3] = ["to", "refer-to", "route"];
    const TEXTS: [&str; 4] = ["user-agent", "server", "reason", "warning"];
    if is_among(&PLAIN, name) {
        out.push_str(value);
    } else if is_among(&ADDRESSES, name) {
        address(out, value, if is_among(&DIALLED, name) { Digits::Hidden } else { Digits::Ends });
    } else if is_among(&TEXTS, name) {
        numbers(out, value);
    } else {
        out.push_str(MASKED);
    }
}

/// Addresses with their parameters, without display names.
fn address(out: &mut String, value: &str, digits: Digits) {
    let start = out.len();
    let mut rest = value;
    // A name may hold anything but an end; what follows the address is parameters and further addresses.
    while let Some((name, after)) = rest.split_once('<') {
        let Some((inside, after)) = after.split_once('>') else { break };
        out.push_str(if name.trim_start_matches([',', ' ']).trim().is_empty() { "<" } else { "\"…\" <" });
        uri(out, inside, digits);
        out.push('>');
        let parameters = after.split_once(',').map_or(after, |(own, _)| own);
        out.push_str(parameters.split_once('"').map_or(parameters, |(unquoted, _)| unquoted));
        rest = after.get(parameters.len()..).unwrap_or_default();
        if !rest.trim_start_matches([',', ' ']).is_empty() {
            out.push_str(", ");
        }
    }
    if out.len() == start {
        uri(out, value, digits);
    }
}

/// A URI whose user's digits, password and headers are masked.
fn uri(out: &mut String, text: &str, digits: Digits) {
    let bare = text.split_once('?').map_or(text, |(bare, _)| bare);
    match bare.split_once(':') {
        None => user(out, bare, digits),
        Some((scheme, rest)) => {
            out.push_str(scheme);
            out.push(':');
            match rest.rsplit_once('@') {
                Some((who, host)) => {
                    let (name, password) = who.split_once(':').map_or((who, ""), |(name, _)| (name, ":…"));
                    user(out, name, digits);
                    for part in [password, "@", host] {
                        out.push_str(part);
                    }
                }
                None if scheme.eq_ignore_ascii_case("tel") => user(out, rest, digits),
                None => out.push_str(rest),
            }
        }
    }
    if bare.len() < text.len() {
        out.push_str("?…");
    }
}

/// Whoever calls, by what stands before the `@` of an address or, without one, by another name.
pub(super) fn caller(text: &str) -> String {
    let Some((who, host)) = text.rsplit_once('@') else { return text.to_owned() };
    let mut shown = String::with_capacity(text.len());
    numbers(&mut shown, who);
    shown.push('@');
    shown.push_str(host);
    shown
}

/// Digits masked; of what is a telephone's number the last two remain if they may.
fn user(out: &mut String, text: &str, shown: Digits) {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits >= NUMBER && !text.contains(['*', '#']);
    let shown = if is_number && shown == Digits::Ends { 2 } else { 0 };
    let mut left = digits;
    let mask = |c: char| {
        if !c.is_ascii_digit() {
            return c;
        }
        left -= 1;
        if left < shown { c } else { '*' }
    };
    out.extend(text.chars().map(mask));
}

/// A text in which numbers of telephones are masked.
fn numbers(out: &mut String, text: &str) {
    for run in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        if run.bytes().filter(u8::is_ascii_digit).count() >= NUMBER {
            user(out, run, Digits::Ends);
        } else {
            out.push_str(run);
        }
    }
}

/// A line of a session description (RFC 8866), without names, keys and what is not known to be harmless.
fn description_line(out: &mut String, line: &str) {
    const ATTRIBUTES: [&str; 24] = [
        "rtpmap",
        "fmtp",
        "ptime",
        "maxptime",
        "sendrecv",
        "sendonly",
        "recvonly",
        "inactive",
        "rtcp",
        "rtcp-mux",
        "rtcp-fb",
        "rtcp-xr",
        "mid",
        "group",
        "setup",
        "fingerprint",
        "candidate",
        "label",
        "content",
        "silencesupp",
        "msid-semantic",
        "end-of-candidates",
        "ice-lite",
        "extmap",
    ];
    let Some((kind, value)) = line.split_once('=') else { return out.push_str(MASKED) };
    match kind {
        "v" | "c" | "b" | "t" | "m" => out.push_str(line),
        // The user's name there may be a number.
        "o" => {
            out.push_str("o=… ");
            out.push_str(value.split_once(' ').map_or("", |(_, rest)| rest));
        }
        "a" => {
            let (name, value) = value.split_once(':').map_or((value, None), |(name, value)| (name, Some(value)));
            if is_among(&ATTRIBUTES, name) {
                return out.push_str(line);
            }
            out.push_str("a=");
            out.push_str(name);
            match value {
                Some(value) if name.eq_ignore_ascii_case("crypto") => {
                    let shown: Vec<_> = value.split_whitespace().take(2).collect();
                    out.push_str(&format!(":{} inline:{MASKED}", shown.join(" ")));
                }
                Some(_) => out.push_str(&format!(":{MASKED}")),
                None => {}
            }
        }
        kind => out.push_str(&format!("{kind}={MASKED}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Message;
    use super::super::wire::WireLimits;
    use super::*;

    const SECRETS: [&str; 14] = [
        "4321",
        "1001",
        "4930123456",
        "4989765432",
        "Ada",
        "Lovelace",
        "sesame",
        "0a4f113b",
        "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        "hidden-word",
        "a8f2c0",
        "upwdupwd",
        "Signal",
        "secret-thing",
    ];

    fn shown(text: &str) -> String {
        match Message::parse(text.replace('\n', "\r\n").as_bytes(), &WireLimits::default()).expect("a message") {
            Message::Request(message) => request(&message),
            Message::Response(message) => response(&message),
        }
    }

    fn assert_no_secret(shown: &str) {
        for secret in SECRETS {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }

    #[test]
    fn o5_a_message_is_shown_without_numbers_names_codes_and_keys() {
        let invite = "INVITE sip:1001*4321@gw.example;transport=tcp?Subject=hidden-word SIP/2.0
Via: SIP/2.0/TCP 192.0.2.7:5060;branch=z9hG4bK7;rport
From: \"Ada Lovelace\" <sip:+493012345678:sesame@pbx.example>;tag=1
To: Lovelace, Ada <tel:+4989765432;phone-context=example>
Contact: <sip:4930123456@192.0.2.7>, \"Ada\" <sip:ada@192.0.2.8>;expires=60
Call-ID: 77@192.0.2.7
CSeq: 1 INVITE
Authorization: Digest username=\"Ada\", response=\"0a4f113b\", nonce=\"a8f2c0\"
Subject: hidden-word
X-Account: secret-thing
User-Agent: Phone 4.2 4930123456
Content-Type: application/sdp
Content-Length: 352

v=0
o=4930123456 1 1 IN IP4 192.0.2.7
s=Ada
c=IN IP4 192.0.2.7
t=0 0
k=clear:sesame
m=audio 5004 RTP/SAVP 9 101
a=rtpmap:9 G722/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj
a=ice-pwd:upwdupwd
a=sendrecv
";
        let length = invite.split_once("\n\n").expect("a body").1.replace('\n', "\r\n").len();
        let shown = shown(&invite.replace("Content-Length: 352", &format!("Content-Length: {length}")));
        println!("{shown}");
        assert_no_secret(&shown);
        for line in [
            "INVITE sip:*********@gw.example;transport=tcp?… SIP/2.0",
            "Via: SIP/2.0/TCP 192.0.2.7:5060;branch=z9hG4bK7;rport",
            "From: \"…\" <sip:+**********78:…@pbx.example>;tag=1",
            "Authorization: …",
            "X-Account: …",
            "o=… 1 1 IN IP4 192.0.2.7",
            "s=…",
            "m=audio 5004 RTP/SAVP 9 101",
            "a=rtpmap:9 G722/8000",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…",
            "a=ice-pwd:…",
            "a=sendrecv",
        ] {
            assert!(shown.lines().any(|is| is == line || is.starts_with(line)), "{line} in {shown}");
        }
    }

    #[test]
    fn o5_keys_and_texts_that_are_sent_in_bodies_are_not_shown() {
        for body in ["Signal=4\nDuration=160\n", "hidden-word"] {
            let kind = if body.contains('=') { "application/dtmf-relay" } else { "text/plain" };
            let body = body.replace('\n', "\r\n");
            let head = "INFO sip:roomgate@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.7\nFrom: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: 1\nCSeq: 2 INFO";
            let shown = shown(&format!("{head}\nContent-Type: {kind}\nContent-Length: {}\n\n{body}", body.len()));
            assert_no_secret(&shown);
            assert!(shown.contains(&format!("({} bytes …)", body.len())), "{shown}");
        }
    }

    #[test]
    fn addresses_that_make_no_sense_are_masked_as_well() {
        for (odd, expected) in [
            ("<sip:4930123456@x", "<sip:********56@x"),
            ("4930123456", "********56"),
            ("sip:4321@x", "sip:****@x"),
            ("\"a <b> c\" <sip:4930123456@x>", "\"…\" <b>"),
            ("", ""),
        ] {
            let mut shown = String::new();
            address(&mut shown, odd, Digits::Ends);
            assert!(shown.starts_with(expected) && !shown.contains("4930123456"), "{odd}: {shown}");
        }
    }
}
