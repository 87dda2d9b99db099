//! Copies of a call's messages for a capture server such as Homer (O-5), in HEP version 3: what the ladder shows, so without numbers, names,
//! codes, keys and texts, and with other tags and branches than the call has.
//!
//! A packet is the letters `HEP3`, its length, and chunks of vendor, type, length and value, all in network order ("The Extensible
//! Encapsulation Protocol", revision 36).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::{Flow, Transport};
use crate::common::redact::Redacted;

/// Where copies go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The capture server, by UDP.
    pub server: SocketAddr,
    /// Names us there.
    pub id: u32,
    /// What the server lets us in for.
    pub password: Option<Redacted<String>>,
}

/// A message of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// From the peer to us.
    pub inbound: bool,
    /// The way the call's messages take.
    pub flow: Flow,
    /// The Call-ID.
    pub call_id: String,
    /// The message, masked, as [`super::LadderLine::content`] has it.
    pub content: String,
}

/// Hides what would let a reader of copies act in a call: tags and branches get other names, the same ones throughout a run of the daemon,
/// so that messages can still be put together.
pub(super) struct Pseudonyms([u8; 32]);

impl Pseudonyms {
    /// Other names for every key.
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn name(&self, value: &str) -> String {
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A line of a head with its tags and branches hidden.
    fn hide(&self, line: &str) -> String {
        let (mut text, mut rest) = (String::with_capacity(line.len()), line);
        while let Some((at, name)) = first_secret(rest) {
            let (before, after) = rest.split_at(at + name.len());
            let end = after.find(ENDS).unwrap_or(after.len());
            let (value, more) = after.split_at(end);
            text.push_str(before);
            text.push_str(&self.name(value));
            rest = more;
        }
        text.push_str(rest);
        text
    }
}

/// What comes before a tag or a branch, in lower case; in the headers of an address they are escaped.
const SECRETS: [&str; 4] = ["tag=", "tag%3d", "branch=", "branch%3d"];
/// What comes after one.
const ENDS: [char; 9] = [';', ',', '>', '&', '?', '%', '"', ' ', '\t'];

fn first_secret(text: &str) -> Option<(usize, &'static str)> {
    let lower = text.to_ascii_lowercase();
    SECRETS.into_iter().filter_map(|name| Some((lower.find(name)?, name))).min()
}

/// The packet for a message that was seen `at`, since 1970.
pub(super) fn packet(copied: &Copied, capture: &Capture, veil: &Pseudonyms, at: Duration) -> Vec<u8> {
    let Copied { inbound, flow, call_id, content } = copied;
    let (source, target) = if *inbound { (flow.peer, flow.local) } else { (flow.local, flow.peer) };
    let mut packet = b"HEP3\0\0".to_vec();
    addresses(&mut packet, source.ip(), target.ip());
    chunk(&mut packet, PROTOCOL, &[if flow.transport == Transport::Udp { 17 } else { 6 }]);
    chunk(&mut packet, SOURCE_PORT, &source.port().to_be_bytes());
    chunk(&mut packet, TARGET_PORT, &target.port().to_be_bytes());
    chunk(&mut packet, SECONDS, &u32::try_from(at.as_secs()).unwrap_or(u32::MAX).to_be_bytes());
    chunk(&mut packet, MICROSECONDS, &at.subsec_micros().to_be_bytes());
    chunk(&mut packet, KIND, &[SIP]);
    chunk(&mut packet, AGENT, &capture.id.to_be_bytes());
    if let Some(password) = &capture.password {
        chunk(&mut packet, PASSWORD, password.expose().as_bytes());
    }
    chunk(&mut packet, CORRELATION, call_id.as_bytes());
    chunk(&mut packet, PAYLOAD, message(content, veil).as_bytes());
    let length = u16::try_from(packet.len()).unwrap_or(u16::MAX);
    if let Some(field) = packet.get_mut(4..6) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    packet
}

const FAMILY: u16 = 1;
const PROTOCOL: u16 = 2;
const SOURCE_4: u16 = 3;
const TARGET_4: u16 = 4;
const SOURCE_6: u16 = 5;
const TARGET_6: u16 = 6;
const SOURCE_PORT: u16 = 7;
const TARGET_PORT: u16 = 8;
const SECONDS: u16 = 9;
const MICROSECONDS: u16 = 10;
const KIND: u16 = 11;
const AGENT: u16 = 12;
const PASSWORD: u16 = 14;
const PAYLOAD: u16 = 15;
const CORRELATION: u16 = 17;
/// As [`KIND`] says it.
const SIP: u8 = 1;

fn chunk(packet: &mut Vec<u8>, kind: u16, value: &[u8]) {
    // A packet has room for all that a Call-ID, a password and a message may be together.
    let length = u16::try_from(value.len() + 6).unwrap_or(u16::MAX);
    packet.extend([0, 0]);
    packet.extend(kind.to_be_bytes());
    packet.extend(length.to_be_bytes());
    packet.extend(value.iter().take(usize::from(length - 6)));
}

fn addresses(packet: &mut Vec<u8>, source: IpAddr, target: IpAddr) {
    if let (IpAddr::V4(source), IpAddr::V4(target)) = (source, target) {
        chunk(packet, FAMILY, &[2]);
        chunk(packet, SOURCE_4, &source.octets());
        return chunk(packet, TARGET_4, &target.octets());
    }
    let octets = |address| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    chunk(packet, FAMILY, &[10]);
    chunk(packet, SOURCE_6, &octets(source));
    chunk(packet, TARGET_6, &octets(target));
}

/// The message as it would stand on the wire, were it masked there: line ends, the blank line, and the length of what is left of its body.
fn message(content: &str, veil: &Pseudonyms) -> String {
    let (head, body) = content.split_once("\n\n").unwrap_or((content.trim_end(), ""));
    let body = body.replace('\n', "\r\n");
    let mut text = String::with_capacity(content.len() + 64);
    let is_length = |line: &&str| line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    for line in head.lines().filter(|line| !is_length(line)) {
        text.push_str(&veil.hide(line));
        text.push_str("\r\n");
    }
    format!("{text}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copied(peer: &str) -> Copied {
        let flow = Flow {
            transport: Transport::Tls,
            listener: 0,
            connection: None,
            local: "192.0.2.1:5061".parse().unwrap(),
            peer: peer.parse().unwrap(),
        };
        let content = "SIP/2.0 200 OK\nCSeq: 1 INVITE\nContent-Length: 999\n\nv=0\nt=0 0\n".to_owned();
        Copied { inbound: false, flow, call_id: "abc".to_owned(), content }
    }

    fn chunks(packet: &[u8]) -> Vec<(u16, Vec<u8>)> {
        assert_eq!(packet[..4], *b"HEP3");
        assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len());
        let (mut rest, mut found) = (&packet[6..], Vec::new());
        while !rest.is_empty() {
            assert_eq!(rest[..2], [0, 0]);
            let length = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
            found.push((u16::from_be_bytes([rest[2], rest[3]]), rest[6..length].to_vec()));
            rest = &rest[length..];
        }
        found
    }

    const VEIL: Pseudonyms = Pseudonyms::new([7; 32]);

    /// A copy names no tag and no branch of a call and the same other ones throughout.
    #[test]
    fn s7_a_copy_names_no_tag_and_no_branch_of_a_call() {
        let content = "BYE sip:a SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKsecret;rport\nFrom: <sip:a@b>;tag=one\n\
                       To: \"T\" <sip:c@d>;Tag=two;x=y\nReplaces: c;to-tag=one;from-tag=two\n\
                       Refer-To: <sip:e@f?Replaces=c%3Bto-tag%3Done%3Bfrom-tag%3Dtwo>\n\nbody tag=kept";
        let text = message(content, &VEIL);
        let head = text.split("\r\n\r\n").next().unwrap();
        for secret in ["secret", "=one", "=two", "%3Done", "%3Dtwo"] {
            assert!(!head.contains(secret), "{secret}: {text}");
        }
        let (one, two) = (VEIL.name("one"), VEIL.name("two"));
        assert!(text.contains(&format!("From: <sip:a@b>;tag={one}\r\n")) && text.contains(&format!("Tag={two};x=y")), "{text}");
        assert!(text.contains(&format!("to-tag={one};from-tag={two}")), "{text}");
        assert!(text.contains(&format!("to-tag%3D{one}%3Bfrom-tag%3D{two}>")), "{text}");
        assert!(text.contains(";rport") && text.ends_with("body tag=kept"), "{text}");
        assert_ne!(Pseudonyms::new([8; 32]).name("one"), one);
    }

    #[test]
    fn o5_a_copy_says_from_where_to_where_when_and_what() {
        let capture = Capture { server: "192.0.2.9:9060".parse().unwrap(), id: 2001, password: Some("open".to_owned().into()) };
        let found = chunks(&packet(&copied("192.0.2.7:40000"), &capture, &VEIL, Duration::new(1_795_000_000, 5_000)));
        let message = b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\nContent-Length: 12\r\n\r\nv=0\r\nt=0 0\r\n";
        let expected: [(u16, &[u8]); 13] = [
            (FAMILY, &[2]),
            (SOURCE_4, &[192, 0, 2, 1]),
            (TARGET_4, &[192, 0, 2, 7]),
            (PROTOCOL, &[6]),
            (SOURCE_PORT, &5061_u16.to_be_bytes()),
            (TARGET_PORT, &40_000_u16.to_be_bytes()),
            (SECONDS, &1_795_000_000_u32.to_be_bytes()),
            (MICROSECONDS, &5_u32.to_be_bytes()),
            (KIND, &[1]),
            (AGENT, &2001_u32.to_be_bytes()),
            (PASSWORD, b"open"),
            (CORRELATION, b"abc"),
            (PAYLOAD, message),
        ];
        assert_eq!(found, expected.map(|(kind, value)| (kind, value.to_vec())));
        let found = chunks(&packet(&copied("[2001:db8::7]:5060"), &capture, &VEIL, Duration::ZERO));
        assert_eq!((found[0].clone(), found[1].0, found[2].1.len()), ((FAMILY, vec![10]), SOURCE_6, 16));
    }

    /// A message without a body ends with its blank line and what is too long is cut.
    #[test]
    fn a_message_without_a_body_ends_with_its_blank_line() {
        assert_eq!(message("BYE sip:a SIP/2.0\n", &VEIL), "BYE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n");
        let capture = Capture { server: "192.0.2.9:9060".parse().unwrap(), id: 1, password: None };
        let long = Copied { call_id: "x".repeat(70_000), ..copied("192.0.2.7:5060") };
        assert!(packet(&long, &capture, &VEIL, Duration::ZERO).len() > 65_000, "sent to nobody, and nothing breaks");
    }
}
