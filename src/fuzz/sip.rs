//! SIP: messages, their framing on a connection, headers, URIs, INFO, digest.

use std::time::{Duration, Instant};

use super::input::lossy;
use crate::sip::auth::{Account, Accounts, Algorithm, Authenticator, DigestVerdict};
use crate::sip::header::{CSeq, ContentType, NameAddr, Reason, Via};
use crate::sip::message::{Message, Request, session_description};
use crate::sip::method::Method;
use crate::sip::uri::{Host, Params};
use crate::sip::wire::{Framed, Framer, WireLimits, split_outside};
use crate::sip::{self, Uri};

/// Printing may expand: Latin-1 becomes UTF-8, compact names become full ones, and a `Content-Length` is added.
fn wider_limits() -> WireLimits {
    let limits = WireLimits::default();
    WireLimits { head_bytes: limits.head_bytes * 16, body_bytes: limits.body_bytes, headers: limits.headers + 1 }
}

/// A datagram.
pub fn sip_message(data: &[u8]) {
    let Ok(message) = Message::parse(data, &WireLimits::default()) else { return };
    let (printed, body) = match &message {
        Message::Request(request) => (request.to_bytes(), &request.body),
        Message::Response(response) => (response.to_bytes(), &response.body),
    };
    assert!(body.len() <= data.len());
    let again = Message::parse(&printed, &wider_limits()).expect("what we print can be read");
    match (&message, &again) {
        (Message::Request(one), Message::Request(other)) => {
            assert_eq!((&one.method, &one.uri, &one.body), (&other.method, &other.uri, &other.body));
            assert_eq!(other.to_bytes(), printed);
            let answer = one.response(200, Some("tag")).to_bytes();
            Message::parse(&answer, &wider_limits()).expect("our answer can be read");
            let _ = session_description(&one.headers, &one.body);
        }
        (Message::Response(one), Message::Response(other)) => {
            assert_eq!((one.status, &one.body), (other.status, &other.body));
            assert_eq!(other.to_bytes(), printed);
        }
        _ => panic!("a request became a response, or the other way round"),
    }
}

/// A connection: the same messages come out, however the bytes are cut.
pub fn sip_framing(data: &[u8]) {
    let limits = WireLimits { head_bytes: 512, body_bytes: 512, headers: 16 };
    let (&chunk, stream) = data.split_first().unwrap_or((&0, data));
    let cut = |size: usize| {
        let (mut framer, mut found) = (Framer::new(limits), Vec::new());
        for piece in stream.chunks(size.max(1)) {
            framer.push(piece);
            loop {
                match framer.next() {
                    Ok(Some(framed)) => found.push(framed),
                    Ok(None) => break,
                    Err(_) => return (found, true),
                }
            }
        }
        (found, false)
    };
    let (found, lost) = cut(usize::from(chunk));
    let bytes: usize = found.iter().map(|framed| if let Framed::Message(bytes) = framed { bytes.len() } else { 4 }).sum();
    assert!(bytes <= stream.len(), "nothing comes out that did not go in");
    // Byte by byte an oversized head is found out sooner than the end of it comes; so only streams without loss compare.
    let (slowly, lost_slowly) = cut(1);
    if !lost && !lost_slowly {
        assert_eq!(found, slowly);
    }
}

/// A URI, a host, parameters.
pub fn sip_uri(data: &[u8]) {
    let text = lossy(data);
    if let Some(uri) = Uri::parse(&text) {
        let printed = uri.to_string();
        assert_eq!(Uri::parse(&printed).as_ref(), Some(&uri), "{printed:?}");
        let _ = (uri.user_text(), uri.is_loose_route(), uri == uri.clone());
    }
    if let Some((host, _)) = Host::parse_with_port(&text) {
        assert_eq!(Host::parse(&host.to_string()).as_ref(), Some(&host));
    }
    let params = Params::parse(&text);
    assert!(params.iter().count() <= text.len() + 1);
}

/// The headers we act on.
pub fn sip_header(data: &[u8]) {
    let text = lossy(data);
    if let Some(via) = Via::parse(&text) {
        let printed = via.to_string();
        assert_eq!(Via::parse(&printed).map(|via| via.to_string()), Some(printed));
    }
    if let Some(name) = NameAddr::parse(&text) {
        let printed = name.to_string();
        let again = NameAddr::parse(&printed).expect("what we print can be read");
        assert_eq!((&again.uri, again.to_string()), (&name.uri, printed));
    }
    if let Some(cseq) = CSeq::parse(&text) {
        assert_eq!(CSeq::parse(&cseq.to_string()), Some(cseq));
    }
    if let Some(reason) = Reason::parse(&text) {
        assert!(Reason::parse(&reason.to_string()).is_some());
    }
    let _ = (ContentType::parse(&text), sip::header::retry_after(&text), sip::header::tokens(&text).count());
    let parts: usize = split_outside(&text, ',').map(str::len).sum();
    assert!(parts <= text.len());
}

/// The body of an INFO; the first byte chooses its type.
pub fn sip_info(data: &[u8]) {
    let (&kind, body) = data.split_first().unwrap_or((&0, data));
    let mut request = Request::new(Method::Info, "sip:a@b");
    let types = ["application/dtmf-relay", "application/dtmf", "audio/telephone-event", "application/vnd.nortelnetworks.digits"];
    request.headers.push("Content-Type", types[usize::from(kind) % types.len()]);
    request.body = body.to_vec();
    if let Some((digit, pressed)) = sip::info_digit(&request) {
        assert!(digit.is_ascii_digit() || "*#ABCD".contains(digit), "{digit:?}");
        assert!(pressed <= Duration::from_secs(10), "{pressed:?}");
    }
}

/// An `Authorization`, with the nonce that its sender was given in place of the first that it names: nobody is let in who does not know
/// the password.
pub fn digest(data: &[u8]) {
    let now = Instant::now();
    let mut text: String = lossy(data).chars().filter(|letter| !letter.is_control()).collect();
    let account = Account::new("room", "room", "gateway", "a password that no corpus holds");
    let users = [("room".to_owned(), account)].into_iter().collect();
    let mut authenticator =
        Authenticator::new(Accounts { realm: "gateway".to_owned(), algorithms: Algorithm::ALL.into(), users, secret: [7; 32] });
    let challenge = authenticator.challenge(now, "192.0.2.1", false).remove(0);
    if let (Some((_, given)), Some((before, theirs))) = (challenge.split_once("nonce=\""), text.split_once("nonce=\""))
        && let (Some((given, _)), Some((_, after))) = (given.split_once('"'), theirs.split_once('"'))
    {
        text = format!("{before}nonce=\"{given}\"{after}");
    }
    let mut request = Request::new(Method::Register, "sip:gateway");
    request.headers.push("Authorization", text);
    let verdict = authenticator.judge(now, &request, "192.0.2.1");
    assert!(!matches!(verdict, DigestVerdict::Proven { .. }), "{verdict:?}");
}
