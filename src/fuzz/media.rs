//! Media: session descriptions, RTP, RTCP, telephone events, DTLS, STUN, voice prompts.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::input::{datagrams, lossy};
use crate::common::units::Hz;
use crate::dsp::key_suppressor::KeySuppressor;
use crate::rtp::dtls::{DtlsAssociation, DtlsIdentity, DtlsParameters, DtlsRole, Fingerprint};
use crate::rtp::dtmf::DtmfReceiver;
use crate::rtp::ice::IceCredentials;
use crate::rtp::payload::{PayloadContent, PayloadFormat};
use crate::rtp::receive::AudioReceiver;
use crate::rtp::rtcp::RtcpSession;
use crate::rtp::srtp::{CryptoSuite, KeyGenerator, SrtpReceiver, SrtpSender};
use crate::rtp::{self, Packet};
use crate::sdp::{self, CryptoAttribute, LocalCapabilities, Preference, SessionDescription, SrtpPolicy};
use crate::{codec, dsp, media, prompt};

fn identity() -> &'static DtlsIdentity {
    static IDENTITY: OnceLock<DtlsIdentity> = OnceLock::new();
    IDENTITY.get_or_init(|| DtlsIdentity::generate().expect("a certificate"))
}

fn ours() -> LocalCapabilities {
    LocalCapabilities {
        address: [192, 0, 2, 1].into(),
        port: 20_000,
        codecs: codec::CODECS.iter().map(|row| row.kind).collect(),
        fallback: crate::codec::FALLBACK_CODECS.into(),
        preference: Preference::Offerer,
        ptime: sdp::DEFAULT_PTIME,
        session_id: 1,
        rtcp_mux: false,
        srtp: SrtpPolicy::Preferred,
        identity: identity().clone(),
        signalling: [10, 0, 0, 1].into(),
        previous: None,
        protection: None,
        ice: None,
    }
}

/// A session description, as an offer and as an answer.
pub fn session(data: &[u8]) {
    let Ok(session) = SessionDescription::parse(data) else { return };
    let mut keys = KeyGenerator::new([1; 32]);
    let printed = session.to_string();
    let again = SessionDescription::parse(printed.as_bytes()).expect("what we print can be read");
    assert_eq!(again.to_string(), printed);
    if let Ok(agreed) = sdp::answer(&session, &ours(), &mut keys) {
        assert_eq!(agreed.local.media.len(), session.media.len(), "one answer for each m-line");
        assert!(agreed.streams.iter().all(|stream| (10..=60).contains(&stream.ptime_send.as_millis())));
        let printed = agreed.local.to_string();
        assert_eq!(SessionDescription::parse(printed.as_bytes()).expect("our answer can be read").to_string(), printed);
    }
    let _ = sdp::accept_answer(&sdp::offer(&ours(), &mut keys), &session, &ours());
    let names = sdp::media_names(&session);
    assert!(names.len() <= sdp::MAX_NAMES);
    let mut resolved = session;
    sdp::resolve(&mut resolved, |_| Some([192, 0, 2, 33].into()));
    assert!(sdp::media_names(&resolved).is_empty(), "each name has an address");
    let printed = resolved.to_string();
    assert_eq!(SessionDescription::parse(printed.as_bytes()).expect("it can be read").to_string(), printed);
}

/// A value of `a=crypto`: what is read and printed is read the same again.
pub fn crypto_attribute(data: &[u8]) {
    let Ok(read) = CryptoAttribute::parse(&lossy(data)) else { return };
    let key_length = read.keys.suite.key_length() + read.keys.suite.salt_length();
    assert!(read.keys.keys.iter().all(|key| key.material().len() == key_length));
    assert_eq!(CryptoAttribute::parse(&read.to_string()), Ok(read));
}

/// Several datagrams, each behind two bytes of length, from somebody without the key: none is taken, and those that the key protects still are.
pub fn srtp(data: &[u8]) {
    let now = Instant::now();
    let (&suite, rest) = data.split_first().unwrap_or((&0, data));
    let suite = CryptoSuite::ALL[usize::from(suite) % CryptoSuite::ALL.len()];
    let keys = KeyGenerator::new([1; 32]).generate(suite);
    let (Ok(mut sender), Ok(mut receiver)) = (SrtpSender::new(&keys), SrtpReceiver::new(&keys)) else { return };
    let mut out = Vec::new();
    for datagram in datagrams(rest) {
        // A tag of 32 bits may be guessed.
        let taken =
            receiver.unprotect_rtp(now, datagram, &mut out).is_ok() || receiver.unprotect_rtcp(now, datagram, &mut out).is_ok();
        assert!(!taken || suite.rtp_tag_length() == 4);
    }
    for seq in 0..3 {
        let mut packet = vec![0x80, 8, 0, seq, 0, 0, 0, 160, 0, 0, 0, 7, 1, 2, 3];
        let plain = packet.clone();
        sender.protect_rtp(&mut packet).expect("an RTP packet");
        receiver.unprotect_rtp(now, &packet, &mut out).expect("a packet of the key");
        assert_eq!(out, plain);
    }
}

/// Several RTP datagrams, each behind two bytes of length, into a receiver that plays meanwhile.
pub fn rtp_packet(data: &[u8]) {
    let start = Instant::now();
    let audio = |payload_type, kind| PayloadFormat { payload_type, content: PayloadContent::Audio(kind) };
    let noise = PayloadFormat { payload_type: 13, content: PayloadContent::ComfortNoise(Hz::NARROW) };
    let formats = [audio(0, codec::CodecKind::Pcmu), audio(9, codec::CodecKind::G722), noise];
    let Ok(mut receiver) = AudioReceiver::new(codec::CodecKind::Pcmu, &formats) else { return };
    let mut frame = dsp::Frame::silence(Hz::NARROW);
    for (n, datagram) in (0_u32..).zip(datagrams(data)) {
        let now = start + Duration::from_millis(20) * n;
        if let Ok(packet) = Packet::parse(datagram) {
            assert!(packet.payload.len() + rtp::packet::HEADER_LENGTH <= datagram.len());
            assert!(!rtp::packet::is_rtcp(datagram));
            let _ = receiver.insert(now, &packet);
        }
        receiver.pull(now, &mut frame);
        assert_eq!(frame.samples().len(), frame.rate().0 as usize / 50);
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

/// Sound in which keys are looked for, 16 bits a sample; the first byte chooses the rate and the look-ahead.
pub fn inband_keys(data: &[u8]) {
    let (&how, sound) = data.split_first().unwrap_or((&0, data));
    let rate = [Hz::NARROW, Hz::WIDE, Hz::FULL][usize::from(how) % 3];
    let mut suppressor = KeySuppressor::new(rate);
    if how & 0x80 != 0 {
        suppressor.look_ahead();
    }
    let samples: Vec<i16> = sound.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let mut down = None;
    for chunk in samples.chunks(rate.samples(Duration::from_millis(20))) {
        let mut frame = dsp::Frame::silence(rate);
        frame.samples_mut()[..chunk.len()].copy_from_slice(chunk);
        let found = suppressor.process(frame.samples_mut(), how & 0x40 != 0);
        if found.released.is_some() {
            assert_eq!(found.released, down.take(), "what is released was pressed");
        }
        if let Some(digit) = found.pressed {
            assert!(digit.is_ascii_digit() || "*#ABCD".contains(digit));
            assert!(down.replace(digit).is_none(), "one key at a time");
        }
    }
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

/// Datagrams of a browser to the DTLS server of its connection, each behind two bytes of length; and of a device to either end of a handshake.
pub fn dtls(data: &[u8]) {
    let datagrams = datagrams(data);
    let sent = media::dtls_answers(Instant::now(), datagrams).expect("a server");
    // A flight of ours to each of 64 datagrams and each retransmission; by far less where no cookie comes back.
    assert!(sent <= 100 * 4096, "{sent} octets in answer to {}", data.len());
    handshakes_with_devices(data);
}

fn handshakes_with_devices(data: &[u8]) {
    let (now, device) = (Instant::now(), SocketAddr::from(([10, 0, 0, 1], 4000)));
    for role in [DtlsRole::Client, DtlsRole::Server] {
        // A certificate that nobody has gives no keys, whatever is sent.
        let fingerprints = vec![Fingerprint::of(b"nobody")];
        let mut association = DtlsAssociation::new(now, DtlsParameters { role, fingerprints, identity: identity().clone() });
        association.begin(now, device);
        for datagram in datagrams(data) {
            assert!(association.handle(now, device, datagram).is_none_or(|outcome| outcome.is_err()));
        }
        let sent: usize = std::iter::from_fn(|| association.poll_transmit()).map(|(_, datagram)| datagram.len()).sum();
        assert!(sent <= 100 * 4096, "{sent} octets in answer to {}", data.len());
    }
}

/// A STUN request: whose peer it is for; and what a port answers to one that is not made with its password.
pub fn stun(data: &[u8]) {
    if let Some(ufrag) = rtp::stun::local_ufrag(data) {
        assert!(ufrag.len() < data.len() && !ufrag.contains(':'));
    }
    let credentials =
        IceCredentials { ufrag: "evtj".into(), password: "VOkJxbRl1RmTxUk/WvJxBt".into(), remote_ufrag: "h6vY".into() };
    assert!(credentials.check(([10, 0, 0, 1], 4000).into(), data).is_none());
}

/// A voice prompt.
pub fn wav(data: &[u8]) {
    if let Ok(clip) = prompt::decode(data) {
        assert!(!clip.samples.is_empty() && clip.samples.len() <= data.len());
        assert!((Hz::NARROW..=Hz::FULL).contains(&clip.rate));
    }
}
