//! Media: session descriptions, RTP, RTCP, telephone events, DTLS, STUN, voice prompts.

use std::time::{Duration, Instant};

use super::input::datagrams;
use crate::common::units::Hz;
use crate::rtp::dtmf::DtmfReceiver;
use crate::rtp::receive::AudioReceiver;
use crate::rtp::rtcp::RtcpSession;
use crate::rtp::{self, Packet};
use crate::sdp::{self, LocalCapabilities, Preference, SessionDescription};
use crate::{codec, dsp, media, prompt};

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
