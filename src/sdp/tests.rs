//! Descriptions as phones write them. `answers`, `offers`, `srtp` and `dtls` have the rules of offer/answer.

mod answers;
mod dtls;
mod hostile;
mod names;
mod offers;
mod srtp;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use super::session::{MAX_ATTRIBUTES, MAX_FORMATS};
use super::*;
use crate::codec::CodecKind::{self, G722, Opus, Pcma, Pcmu};
use crate::rtp::dtls::DtlsIdentity;
use crate::rtp::payload::{PayloadContent, PayloadFormat};
use crate::rtp::srtp::KeyGenerator;

/// A desk phone of the large switch maker: no session direction, `o=` with a long user, video refused by us.
const DESK: &str = "v=0\r\no=Cisco-SIPUA 22437 0 IN IP4 10.20.30.40\r\ns=SIP Call\r\nb=AS:4064\r\nt=0 0\r\n\
    m=audio 17236 RTP/AVP 114 9 124 0 8 116 18 101\r\nc=IN IP4 10.20.30.40\r\nb=TIAS:64000\r\n\
    a=rtpmap:114 opus/48000/2\r\na=fmtp:114 maxplaybackrate=16000;sprop-maxcapturerate=16000;maxaveragebitrate=64000;stereo=0;sprop-stereo=0;usedtx=0\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:124 ISAC/16000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:116 iLBC/8000\r\na=fmtp:116 mode=20\r\n\
    a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=yes\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n\
    m=video 17238 RTP/AVP 100 126\r\nc=IN IP4 10.20.30.40\r\na=rtpmap:100 H264/90000\r\na=rtpmap:126 H264/90000\r\na=recvonly\r\n";

/// A conference phone: bare LF, no `t=`, wide-band codecs nobody else has first, its own `a=rtcp`.
const CONFERENCE: &str = "v=0\no=- 1700000001 1700000001 IN IP4 192.168.1.60\ns=Polycom IP Phone\nc=IN IP4 192.168.1.60\na=sendrecv\n\
    m=audio 2232 RTP/AVP 121 115 9 0 8 127\na=rtcp:2250 IN IP4 192.168.1.61\na=rtpmap:121 G7221/16000\na=fmtp:121 bitrate=32000\n\
    a=rtpmap:115 G7221/32000\na=rtpmap:9 G722/8000\na=rtpmap:0 PCMU/8000\na=rtpmap:8 PCMA/8000\na=rtpmap:127 telephone-event/8000\n";

/// Another desk phone: ptime, both event clocks, a crypto line that is broken.
const OFFICE: &str = "v=0\r\no=- 20000 20000 IN IP4 172.16.5.9\r\ns=SDP data\r\nc=IN IP4 172.16.5.9\r\nt=0 0\r\n\
    m=audio 11784 RTP/AVP 8 107 0 101 102\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:107 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:102 telephone-event/48000\r\na=fmtp:102 0-15\r\n\
    a=ptime:30\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\na=sendrecv\r\n";

fn read(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

/// Our certificate, the same in every description.
fn identity() -> DtlsIdentity {
    static IDENTITY: OnceLock<DtlsIdentity> = OnceLock::new();
    IDENTITY.get_or_init(|| DtlsIdentity::generate().unwrap()).clone()
}

fn ours() -> LocalCapabilities {
    LocalCapabilities {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        port: 20_000,
        codecs: vec![Opus, G722, Pcma, Pcmu],
        fallback: crate::codec::FALLBACK_CODECS.into(),
        preference: Preference::Offerer,
        ptime: DEFAULT_PTIME,
        session_id: 4711,
        rtcp_mux: false,
        srtp: SrtpPolicy::Preferred,
        identity: identity(),
        signalling: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        previous: None,
        protection: None,
        ice: None,
    }
}

/// The keys that we make in every test.
fn keys() -> KeyGenerator {
    KeyGenerator::new([7; 32])
}

/// Our answer, with keys that repeat.
fn answer_to(offer: &SessionDescription, ours: &LocalCapabilities) -> Result<Agreement, AnswerError> {
    answer(offer, ours, &mut keys())
}

/// Our offer, with keys that repeat.
fn offer_of(ours: &LocalCapabilities) -> SessionDescription {
    offer(ours, &mut keys())
}

/// What an answer to an offer of ours agrees on.
fn answered(ours: &SessionDescription, theirs: &SessionDescription) -> Result<Agreement, AnswerError> {
    accept_answer(ours, theirs, &self::ours())
}

fn with(codecs: &[CodecKind]) -> LocalCapabilities {
    LocalCapabilities { codecs: codecs.to_vec(), ..ours() }
}

/// A minimal offer with these lines in its only audio section.
fn audio(head: &str, rest: &str) -> SessionDescription {
    read(&format!("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio {head}\r\n{rest}"))
}

// === reading and printing ===

/// What was read is printed in canonical order and reads back the same.
#[test]
fn what_was_read_is_printed_in_canonical_order_and_reads_back() {
    for text in [DESK, CONFERENCE, OFFICE] {
        let session = read(text);
        let printed = session.to_string();
        assert_eq!(read(&printed), session);
        assert!(printed.split_inclusive('\n').all(|line| line.ends_with("\r\n")));
    }
}

/// A description without s and t in any order with bare lf and odd origin is read.
#[test]
fn a_description_without_s_and_t_in_any_order_with_bare_lf() {
    let session = read(
        "junk\nm=audio 4000/2 RTP/AVP 0 x 200 8\n a = ptime : 20 \nc= IN IP6 [2001:db8::5]%eth0\no=me no-number\nv=0\ny=what\n",
    );
    let media = &session.media[0];
    assert_eq!((session.origin.id.as_str(), session.origin.version.as_str()), ("no-number", "0"));
    assert_eq!((media.port, media.payload_types().collect::<Vec<_>>()), (4000, vec![0, 8]));
    assert_eq!(session.connection_of(media), Some(&SdpHost::Ip("2001:db8::5".parse().unwrap())));
    assert_eq!(session.ptime_of(media), Some(Duration::from_millis(20)));
    assert_eq!(session.timing, "0 0");
}

#[test]
fn a_time_of_nothing_but_controls_is_no_time() {
    let session = read("v=0\nt=0 0\nm=audio 4000 RTP/AVP 0\nt=\u{1}\nt=\u{1} \u{2}\n");
    assert_eq!(session.timing, "0 0");
    assert_eq!(read(&session.to_string()).to_string(), session.to_string());
}

#[test]
fn media_level_lines_win_over_session_level_ones() {
    let session = read(
        "c=IN IP4 10.0.0.1\na=sendonly\na=ptime:40\nm=audio 1 RTP/AVP 0\nm=audio 2 RTP/AVP 0\nc=IN IP4 10.0.0.2\na=inactive\na=ptime:10\n",
    );
    let [first, second] = session.media.as_slice() else { panic!("two lines") };
    assert_eq!(session.direction_of(first), Direction::SendOnly);
    assert_eq!(session.direction_of(second), Direction::Inactive);
    assert_eq!(session.ptime_of(first), Some(Duration::from_millis(40)));
    assert_eq!(session.ptime_of(second), Some(Duration::from_millis(10)));
    assert_eq!(session.connection_of(second), Some(&SdpHost::Ip("10.0.0.2".parse().unwrap())));
}

#[test]
fn rtcp_goes_to_the_next_port_unless_the_peer_names_another() {
    let rtp = |port| SocketAddr::from(([10, 0, 0, 1], port));
    let rtcp = |line: &str, port| audio("5000 RTP/AVP 0", line).media[0].rtcp(rtp(port), false);
    assert_eq!(rtcp("", 5000), rtp(5001));
    assert_eq!(rtcp("", 65_535), rtp(65_535));
    assert_eq!(rtcp("a=rtcp:6000\r\n", 5000), rtp(6000));
    assert_eq!(rtcp("a=rtcp:6000 IN IP4 10.9.9.9\r\n", 5000), SocketAddr::from(([10, 9, 9, 9], 6000)));
    assert_eq!(rtcp("a=rtcp:6000 IN IP4 224.0.0.1\r\n", 5000), rtp(6000));
    assert_eq!(rtcp("a=rtcp:0\r\n", 5000), rtp(5001));
}

/// Bodies beyond the bounds and bodies of something else are refused.
#[test]
fn bodies_beyond_the_bounds_and_bodies_of_something_else() {
    assert_eq!(SessionDescription::parse(&vec![b'a'; MAX_BYTES + 1]), Err(ParseError::TooLong));
    assert_eq!(SessionDescription::parse(b"hello"), Err(ParseError::NotSdp));
    assert_eq!(SessionDescription::parse(b""), Err(ParseError::NotSdp));
    assert_eq!(
        SessionDescription::parse("m=audio 1 RTP/AVP 0\n".repeat(MAX_MEDIA + 1).as_bytes()),
        Err(ParseError::TooManyMedia)
    );
    let many = format!("m=audio 1 RTP/AVP{}\n{}", " 0".repeat(1000), "a=x\n".repeat(5000));
    let media = &read(&many).media[0];
    assert_eq!((media.formats.len(), media.attributes.len()), (MAX_FORMATS, MAX_ATTRIBUTES));
}

#[test]
fn nothing_a_peer_writes_can_break_out_of_a_line_we_print() {
    let session = read("o=a\u{1} b c IN IP4 \u{7f}x\rm=au\u{0}dio 9 RTP/AVP 0 8\u{b}\ra=x:\u{0}y\r");
    let printed = session.to_string();
    assert!(printed.chars().all(|c| !c.is_control() || c == '\r' || c == '\n'));
    assert_eq!(read(&printed), session);
}
