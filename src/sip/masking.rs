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
    content(format!("{} {} SIP/2.0", request.method, uri(&request.uri, Digits::Hidden)), &request.headers, &request.body)
}

/// A response as it may be shown.
pub(super) fn response(response: &Response) -> String {
    content(format!("SIP/2.0 {} {}", response.status, numbers(&response.phrase)), &response.headers, &response.body)
}

fn content(start: String, headers: &Headers, body: &[u8]) -> String {
    let mut text = String::new();
    let mut add = |line: &str| {
        let room = CONTENT.saturating_sub(text.len() + 1);
        let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LINE).collect();
        if shown.len() <= room {
            text.push_str(&shown);
            text.push('\n');
        }
    };
    add(&start);
    for (name, value) in headers.iter() {
        add(&format!("{name}: {}", header(name, value)));
    }
    if body.is_empty() {
        return text;
    }
    add("");
    match std::str::from_utf8(body).ok().filter(|_| is_session_description(headers)) {
        Some(description) => description.lines().map(description_line).for_each(|line| add(&line)),
        None => add(&format!("({} bytes {MASKED})", body.len())),
    }
    text
}

fn is_session_description(headers: &Headers) -> bool {
    headers.get("Content-Type").is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("application/sdp"))
}

fn header(name: &str, value: &str) -> String {
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
    const TEXTS: [&str; 4] = ["user-agent", "server", "reason", "warning"];
    let name = name.to_ascii_lowercase();
    if ADDRESSES.contains(&name.as_str()) {
        return address(value, if matches!(name.as_str(), "to" | "refer-to" | "route") { Digits::Hidden } else { Digits::Ends });
    }
    if PLAIN.contains(&name.as_str()) {
        return value.to_owned();
    }
    if TEXTS.contains(&name.as_str()) { numbers(value) } else { MASKED.to_owned() }
}

/// Addresses with their parameters, without display names.
fn address(value: &str, digits: Digits) -> String {
    let mut shown = String::new();
    let mut rest = value;
    // A name may hold anything but an end; what follows the address is parameters and further addresses.
    while let Some((name, after)) = rest.split_once('<') {
        let Some((inside, after)) = after.split_once('>') else { break };
        shown.push_str(if name.trim_start_matches([',', ' ']).trim().is_empty() { "" } else { "\"…\" " });
        shown.push_str(&format!("<{}>", uri(inside, digits)));
        let parameters = after.split_once(',').map_or(after, |(own, _)| own);
        shown.push_str(&parameters.chars().take_while(|c| *c != '"').collect::<String>());
        rest = after.get(parameters.len()..).unwrap_or_default();
        if !rest.trim_start_matches([',', ' ']).is_empty() {
            shown.push_str(", ");
        }
    }
    if shown.is_empty() { uri(value, digits) } else { shown }
}

/// A URI whose user's digits, password and headers are masked.
fn uri(text: &str, digits: Digits) -> String {
    let bare = text.split_once('?').map_or(text, |(bare, _)| bare);
    let headers = if bare.len() < text.len() { "?…" } else { "" };
    let Some((scheme, rest)) = bare.split_once(':') else { return format!("{}{headers}", user(bare, digits)) };
    match rest.rsplit_once('@') {
        Some((who, host)) => {
            let (name, password) = who.split_once(':').map_or((who, ""), |(name, _)| (name, ":…"));
            format!("{scheme}:{}{password}@{host}{headers}", user(name, digits))
        }
        None if scheme.eq_ignore_ascii_case("tel") => format!("{scheme}:{}{headers}", user(rest, digits)),
        None => format!("{scheme}:{rest}{headers}"),
    }
}

/// Whoever calls, by what stands before the `@` of an address or, without one, by another name.
pub(super) fn caller(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((who, host)) => format!("{}@{host}", numbers(who)),
        None => text.to_owned(),
    }
}

/// Digits masked; of what is a telephone's number the last two remain if they may.
fn user(text: &str, shown: Digits) -> String {
    let digits = text.chars().filter(char::is_ascii_digit).count();
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
    text.chars().map(mask).collect()
}

/// A text in which numbers of telephones are masked.
fn numbers(text: &str) -> String {
    let mut shown = String::new();
    for run in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let digits = run.trim_end_matches(|c: char| !c.is_ascii_digit());
        shown.push_str(&if digits.len() >= NUMBER { user(run, Digits::Ends) } else { run.to_owned() });
    }
    shown
}

/// A line of a session description (RFC 8866), without names, keys and what is not known to be harmless.
fn description_line(line: &str) -> String {
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
    let Some((kind, value)) = line.split_once('=') else { return MASKED.to_owned() };
    match kind {
        "v" | "c" | "b" | "t" | "m" => line.to_owned(),
        // The user's name there may be a number.
        "o" => format!("o=… {}", value.split_once(' ').map_or("", |(_, rest)| rest)),
        "a" => {
            let (name, value) = value.split_once(':').map_or((value, None), |(name, value)| (name, Some(value)));
            match (name.to_ascii_lowercase().as_str(), value) {
                ("crypto", Some(value)) => {
                    let shown: Vec<_> = value.split_whitespace().take(2).collect();
                    format!("a=crypto:{} inline:{MASKED}", shown.join(" "))
                }
                (known, _) if ATTRIBUTES.contains(&known) => line.to_owned(),
                (_, Some(_)) => format!("a={name}:{MASKED}"),
                (_, None) => format!("a={name}"),
            }
        }
        kind => format!("{kind}={MASKED}"),
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
LocalContact: <sip:4930123456@192.0.2.7>, \"Ada\" <sip:ada@192.0.2.8>;expires=60
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
            let shown = address(odd, Digits::Ends);
            assert!(shown.starts_with(expected) && !shown.contains("4930123456"), "{odd}: {shown}");
        }
    }
}
