//! One function for each parser that reads what others wrote: it parses, and checks what must hold whatever the bytes are.
//!
//! `tests/fuzz` calls them with what libFuzzer finds; the ordinary tests replay the corpora there and 10⁵ seeded mutations of
//! them. What must hold: no panic, no more output than input allows, and what was read and printed is read the same again.
#![allow(clippy::disallowed_methods, reason = "machines need one real instant to count from")]

use std::time::{Duration, Instant};

use crate::common::display_name;
use crate::common::units::Hz;
use crate::config;
use crate::http;
use crate::prompt;
use crate::relay::provider;
use crate::rtp::dtmf::DtmfReceiver;
use crate::rtp::receive::AudioReceiver;
use crate::rtp::rtcp::RtcpSession;
use crate::rtp::{self, Packet};
use crate::sdp::{self, LocalCapabilities, Preference, SessionDescription};
use crate::service::embedded::signalling;
use crate::sip::auth::{Account, Accounts, Algorithm, Authenticator, DigestVerdict};
use crate::sip::header::{CSeq, ContentType, NameAddr, Reason, Via};
use crate::sip::message::{Message, Request, session_description};
use crate::sip::method::Method;
use crate::sip::uri::{Host, Params};
use crate::sip::wire::{Framed, Framer, WireLimits, split_outside};
use crate::sip::{self, Uri};
use crate::store;
use crate::{codec, dsp, media};

/// What a target is run by.
pub type FuzzTarget = fn(&[u8]);

/// Every target, by the name of its file and its corpus in `tests/fuzz`.
pub const TARGETS: &[(&str, FuzzTarget)] = &[
    ("config", config_file),
    ("digest", digest),
    ("dtls", dtls),
    ("dtmf", dtmf),
    ("http", http_head),
    ("ledger_heads", ledger_heads),
    ("rtcp", rtcp),
    ("rtp", rtp_packet),
    ("sdp", session),
    ("signalling", page),
    ("sip_framing", sip_framing),
    ("sip_header", sip_header),
    ("sip_info", sip_info),
    ("sip_message", sip_message),
    ("sip_uri", sip_uri),
    ("smpp", smpp),
    ("stun", stun),
    ("wav", wav),
];

fn lossy(data: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// A file of heads of the ledger that was copied from elsewhere (N-8).
pub fn ledger_heads(data: &[u8]) {
    let text = lossy(data);
    let found = store::read_heads(&text);
    assert!(found.len() <= text.lines().count());
    for head in found {
        assert_eq!(store::read_heads(&head.to_string()), [head]);
    }
}

// === HTTP ===

/// A request's head, and what is looked at in it before anybody is known.
pub fn http_head(data: &[u8]) {
    http::head(data);
}

// === SIP ===

/// Printing may expand: Latin-1 becomes UTF-8, compact names become full ones, and a `Content-Length` is added.
fn roomier() -> WireLimits {
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
    let again = Message::parse(&printed, &roomier()).expect("what we print can be read");
    match (&message, &again) {
        (Message::Request(one), Message::Request(other)) => {
            assert_eq!((&one.method, &one.uri, &one.body), (&other.method, &other.uri, &other.body));
            assert_eq!(other.to_bytes(), printed);
            let answer = one.response(200, Some("tag")).to_bytes();
            Message::parse(&answer, &roomier()).expect("our answer can be read");
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
    request.headers.push("Content-Type", if kind.is_multiple_of(2) { "application/dtmf-relay" } else { "application/dtmf" });
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
    let mut door =
        Authenticator::new(Accounts { realm: "gateway".to_owned(), algorithms: Algorithm::ALL.into(), users, secret: [7; 32] });
    let challenge = door.challenge(now, "192.0.2.1", false).remove(0);
    if let (Some((_, given)), Some((before, theirs))) = (challenge.split_once("nonce=\""), text.split_once("nonce=\""))
        && let (Some((given, _)), Some((_, after))) = (given.split_once('"'), theirs.split_once('"'))
    {
        text = format!("{before}nonce=\"{given}\"{after}");
    }
    let mut request = Request::new(Method::Register, "sip:gateway");
    request.headers.push("Authorization", text);
    let verdict = door.judge(now, &request, "192.0.2.1");
    assert!(!matches!(verdict, DigestVerdict::Proven { .. }), "{verdict:?}");
}

// === Media ===

fn ours() -> LocalCapabilities {
    LocalCapabilities {
        address: [192, 0, 2, 1].into(),
        port: 20_000,
        codecs: codec::CODECS.iter().map(|row| row.kind).collect(),
        preference: Preference::Offerer,
        ptime: sdp::offer::DEFAULT_PTIME,
        session_id: 1,
        rtcp_mux: false,
        previous: None,
    }
}

/// A session description, as an offer and as an answer.
pub fn session(data: &[u8]) {
    let Ok(session) = SessionDescription::parse(data) else { return };
    let printed = session.to_string();
    let again = SessionDescription::parse(printed.as_bytes()).expect("what we print can be read");
    assert_eq!(again.to_string(), printed);
    if let Ok(agreed) = sdp::answer(&session, &ours()) {
        assert_eq!(agreed.local.media.len(), session.media.len(), "one answer for each m-line");
        assert!((10..=60).contains(&agreed.ptime_send.as_millis()));
        let printed = agreed.local.to_string();
        assert_eq!(SessionDescription::parse(printed.as_bytes()).expect("our answer can be read").to_string(), printed);
    }
    let _ = sdp::accept_answer(&sdp::offer(&ours()), &session);
}

/// Several RTP datagrams, each behind two bytes of length, into a receiver that plays meanwhile.
pub fn rtp_packet(data: &[u8]) {
    let start = Instant::now();
    let Ok(mut receiver) = AudioReceiver::new(codec::CodecKind::Pcmu, 0) else { return };
    let mut frame = dsp::Frame::silence(Hz::NARROW);
    for (n, datagram) in (0_u32..).zip(datagrams(data)) {
        let now = start + Duration::from_millis(20) * n;
        if let Ok(packet) = Packet::parse(datagram) {
            assert!(packet.payload.len() + rtp::packet::HEADER_LENGTH <= datagram.len());
            assert!(!rtp::packet::is_rtcp(datagram));
            receiver.insert(now, &packet);
        }
        receiver.pull(now, &mut frame);
        assert_eq!(frame.samples().len(), 160);
    }
    assert!(receiver.stats().received <= data.len() as u64);
}

/// Telephone events: no more keys than packets, and each is one.
pub fn dtmf(data: &[u8]) {
    let now = Instant::now();
    let mut receiver = DtmfReceiver::new();
    let (mut packets, mut digits) = (0, 0);
    for datagram in datagrams(data) {
        if let Ok(packet) = Packet::parse(datagram) {
            packets += 1;
            if let Some(digit) = receiver.handle(now, &packet) {
                digits += 1;
                assert!(digit.digit.is_ascii_digit() || "*#ABCD".contains(digit.digit));
            }
        }
    }
    assert!(digits <= packets);
    assert!(!receiver.active(now + Duration::from_secs(1)), "a key does not stay down for ever");
}

/// At most 64 datagrams, each behind two bytes of length; the last may be cut off.
fn datagrams(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&[high, low], rest) = data.split_first_chunk::<2>()?;
        let (datagram, behind) = rest.split_at(usize::from(u16::from_be_bytes([high, low])).min(rest.len()));
        data = behind;
        Some(datagram)
    })
    .take(64)
}

/// A compound RTCP packet.
pub fn rtcp(data: &[u8]) {
    let now = Instant::now();
    let mut session = RtcpSession::new(now, 0x1234_5678, "cname", Hz::NARROW, 1);
    session.sent(now, 1, 160, 160);
    session.handle(now, data);
    let _ = (session.round_trip(), session.said_goodbye());
    while let Some(span) = session.poll_span() {
        assert!(span.lost <= span.packets() && span.upto <= 1, "what was not sent is not reported");
    }
    assert!(session.build(now, 0).len() < 1500, "a report of ours fits a datagram whatever came in");
}

/// Datagrams of a browser to the DTLS server of its connection, each behind two bytes of length.
pub fn dtls(data: &[u8]) {
    let datagrams = datagrams(data);
    let sent = media::dtls_answers(Instant::now(), datagrams).expect("a server");
    // A flight of ours to each of 64 datagrams and each retransmission; by far less where no cookie comes back.
    assert!(sent <= 100 * 4096, "{sent} octets in answer to {}", data.len());
}

/// A STUN request: whose peer it is for.
pub fn stun(data: &[u8]) {
    if let Some(ufrag) = media::stun::local_ufrag(data) {
        assert!(ufrag.len() < data.len() && !ufrag.contains(':'));
    }
}

/// A voice prompt.
pub fn wav(data: &[u8]) {
    if let Ok(clip) = prompt::decode(data) {
        assert!(!clip.samples.is_empty() && clip.samples.len() <= data.len());
        assert!((Hz::NARROW..=Hz::FULL).contains(&clip.rate));
    }
}

// === Texts ===

/// What a page says.
pub fn page(data: &[u8]) {
    let text = lossy(data);
    assert!(signalling::heard(&text) <= 2, "one message asks for one thing; a refusal may close the page");
    let name = display_name::clean(&text, "Guest");
    assert!(!name.is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control));
}

/// A configuration file.
pub fn config_file(data: &[u8]) {
    if let Err(problems) = config::read_text(&lossy(data)) {
        assert!(!problems.is_empty(), "a refusal says why");
    }
}

// === SMS ===

/// What a short message centre sends.
pub fn smpp(data: &[u8]) {
    provider::fuzz_smpp(data);
}

#[cfg(test)]
mod tests;
