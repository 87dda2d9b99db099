use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::codec::CodecKind::{self, G722, Opus, Pcma, Pcmu};
use crate::common::units::Hz;
use crate::sdp::answer;
use crate::sdp::{AnswerError, Hold, LocalCapabilities, Negotiated, NegotiatedEvents, Preference, accept_answer, offer};

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

/// Another desk phone: ptime, both event clocks, crypto lines that a plain answer ignores.
const OFFICE: &str = "v=0\r\no=- 20000 20000 IN IP4 172.16.5.9\r\ns=SDP data\r\nc=IN IP4 172.16.5.9\r\nt=0 0\r\n\
    m=audio 11784 RTP/AVP 8 107 0 101 102\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:107 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:102 telephone-event/48000\r\na=fmtp:102 0-15\r\n\
    a=ptime:30\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\na=sendrecv\r\n";

fn read(text: &str) -> SessionDescription {
    SessionDescription::parse(text.as_bytes()).unwrap()
}

fn ours() -> LocalCapabilities {
    LocalCapabilities {
        address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        port: 20_000,
        codecs: vec![Opus, G722, Pcma, Pcmu],
        preference: Preference::Offerer,
        ptime: offer::DEFAULT_PTIME,
        session_id: 4711,
        rtcp_mux: false,
        previous: None,
    }
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
    let rtcp = |line: &str, port| audio("5000 RTP/AVP 0", line).media[0].rtcp(rtp(port));
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

// === answering ===

/// The desk phone gets opus in its own numbering and its video refused in place.
#[test]
fn the_desk_phone_gets_opus_in_its_own_numbering_and_its_video() {
    let agreed = answer(&read(DESK), &ours()).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type_send, agreed.payload_type_receive), (Opus, 114, 114));
    assert_eq!(agreed.telephone_event, Some(NegotiatedEvents { send_pt: 101, receive_pt: 101, clock: Hz::NARROW }));
    assert_eq!(agreed.remote, SocketAddr::from(([10, 20, 30, 40], 17_236)));
    assert_eq!(agreed.remote_rtcp.port(), 17_237);
    assert!(agreed.fmtp_send.as_deref().is_some_and(|fmtp| fmtp.starts_with("maxplaybackrate=16000")));
    assert_eq!((agreed.hold, agreed.we_send, agreed.they_send), (Hold::No, true, true));
    let fmtp = CodecRowFmtp::of(Opus);
    assert_eq!(
        agreed.local.to_string(),
        format!(
            "v=0\r\no=roomgate 4711 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n\
             m=audio 20000 RTP/AVP 114 101\r\na=rtpmap:114 opus/48000/2\r\n{}\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n\
             m=video 0 RTP/AVP 100 126\r\n",
            fmtp.map_or(String::new(), |fmtp| format!("a=fmtp:114 {fmtp}\r\n"))
        )
    );
}

/// The codec table's own line, which belongs to another room.
struct CodecRowFmtp;

impl CodecRowFmtp {
    fn of(kind: CodecKind) -> Option<&'static str> {
        crate::codec::CODECS.iter().find(|row| row.kind == kind).and_then(|row| row.fmtp)
    }
}

/// The conference phone gets g722 and its rtcp where it asked for it.
#[test]
fn the_conference_phone_gets_g722_and_its_rtcp_where_it_asked() {
    let agreed = answer(&read(CONFERENCE), &ours()).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type_send), (G722, 9));
    assert_eq!(agreed.telephone_event.map(|event| event.receive_pt), Some(127));
    assert_eq!(agreed.remote_rtcp, SocketAddr::from(([192, 168, 1, 61], 2250)));
}

#[test]
fn the_offerers_order_decides_unless_ours_is_asked_for() {
    let offer = read(OFFICE);
    assert_eq!(answer(&offer, &ours()).unwrap().codec, Pcma);
    assert_eq!(answer(&offer, &LocalCapabilities { preference: Preference::Ours, ..ours() }).unwrap().codec, Opus);
    assert_eq!(answer(&offer, &with(&[Pcmu, G722])).unwrap().codec, Pcmu);
    assert_eq!(answer(&offer, &with(&[G722])).unwrap_err(), AnswerError::NoCommonCodec);
    assert_eq!(answer(&offer, &with(&[])).unwrap_err(), AnswerError::NoCommonCodec);
}

/// Keys run at the codecs clock where offered and at 8000 otherwise.
#[test]
fn keys_run_at_the_codecs_clock_where_offered_and_at_8000() {
    let offer = read(OFFICE);
    let event = |codec| answer(&offer, &with(&[codec])).unwrap().telephone_event;
    assert_eq!(event(Opus), Some(NegotiatedEvents { send_pt: 102, receive_pt: 102, clock: Hz::FULL }));
    assert_eq!(event(Pcma), Some(NegotiatedEvents { send_pt: 101, receive_pt: 101, clock: Hz::NARROW }));
    let narrow_codec_wide_keys = audio("9 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/48000\r\n");
    assert_eq!(answer(&narrow_codec_wide_keys, &ours()).unwrap().telephone_event, None);
}

#[test]
fn packets_last_what_the_peer_asks_for_within_ten_to_sixty() {
    let time = |codec: u8, lines: &str| {
        let offer = audio(&format!("9 RTP/AVP {codec}"), &format!("a=rtpmap:96 opus/48000/2\r\n{lines}"));
        answer(&offer, &ours()).unwrap().ptime_send.as_millis()
    };
    assert_eq!(time(0, ""), 20);
    assert_eq!(time(0, "a=ptime:30\r\n"), 30);
    assert_eq!(time(96, "a=ptime:30\r\n"), 20);
    assert_eq!(time(96, "a=ptime:60\r\n"), 60);
    assert_eq!(time(0, "a=ptime:2\r\n"), 10);
    assert_eq!(time(0, "a=ptime:15\r\n"), 10);
    assert_eq!(time(0, "a=ptime:500\r\n"), 60);
    assert_eq!(time(0, "a=ptime:60\r\na=maxptime:40\r\n"), 40);
    assert_eq!(time(0, "a=maxptime:3\r\n"), 10);
    for nonsense in ["0", "-20", "nan", "inf", "twenty", "1e400", ""] {
        assert_eq!(time(0, &format!("a=ptime:{nonsense}\r\n")), 20, "{nonsense}");
    }
}

#[test]
fn codecs_are_known_by_name_in_any_case_and_by_static_number() {
    let codec = |pt: u8, lines: &str| answer(&audio(&format!("9 RTP/AVP {pt}"), lines), &ours()).map(|agreed| agreed.codec);
    assert_eq!(codec(8, ""), Ok(Pcma));
    assert_eq!(codec(100, "a=rtpmap:100 pcma/8000/1\r\n"), Ok(Pcma));
    assert_eq!(codec(96, "a=rtpmap:96 OPUS/48000\r\n"), Ok(Opus));
    assert_eq!(codec(9, "a=rtpmap:9 g722/16000\r\n"), Ok(G722));
    assert_eq!(codec(0, "a=rtpmap:0 PCMU/16000\r\n"), Err(AnswerError::NoCommonCodec));
    assert_eq!(codec(0, "a=rtpmap:0 GSM/8000\r\n"), Err(AnswerError::NoCommonCodec));
    assert_eq!(codec(96, ""), Err(AnswerError::NoCommonCodec));
}

#[test]
fn every_form_of_hold_is_read_and_mirrored() {
    let hold = |address: &str, direction: &str| {
        let offer = read(&format!("v=0\nc=IN IP4 {address}\nt=0 0\nm=audio 9 RTP/AVP 0\n{direction}\n"));
        let agreed = answer(&offer, &ours()).unwrap();
        (agreed.hold, agreed.we_send, agreed.they_send, agreed.local.direction_of(&agreed.local.media[0]))
    };
    assert_eq!(hold("10.0.0.1", ""), (Hold::No, true, true, Direction::SendRecv));
    assert_eq!(hold("10.0.0.1", "a=sendonly"), (Hold::Held, false, true, Direction::RecvOnly));
    assert_eq!(hold("10.0.0.1", "a=inactive"), (Hold::Inactive, false, false, Direction::Inactive));
    assert_eq!(hold("10.0.0.1", "a=recvonly"), (Hold::No, true, false, Direction::SendOnly));
    assert_eq!(hold("0.0.0.0", "a=sendrecv"), (Hold::Held, false, true, Direction::RecvOnly));
    assert_eq!(hold("0.0.0.0", ""), (Hold::Held, false, true, Direction::RecvOnly));
    assert_eq!(hold("0.0.0.0", "a=inactive"), (Hold::Inactive, false, false, Direction::Inactive));
}

#[test]
fn an_offer_without_a_usable_plain_audio_line_says_why() {
    let refused = |body: &str| answer(&read(body), &ours()).unwrap_err();
    assert_eq!(refused("v=0\r\n"), AnswerError::NoAudio);
    assert_eq!(refused("c=IN IP4 10.0.0.1\nm=audio 0 RTP/AVP 0\n"), AnswerError::NoAudio);
    assert_eq!(refused("c=IN IP4 10.0.0.1\nm=audio 9 RTP/SAVP 0\n"), AnswerError::SecureOnly);
    assert_eq!(refused("c=IN IP4 10.0.0.1\nm=audio 9 TCP/MRCPv2 0\n"), AnswerError::UnknownTransport);
    assert_eq!(refused("m=audio 9 RTP/AVP 0\n"), AnswerError::UnusableAddress);
    assert_eq!(refused("c=IN IP4 phone.example\nm=audio 9 RTP/AVP 0\n"), AnswerError::UnusableAddress);
    assert_eq!(refused("c=IN IP4 224.1.1.1/127\nm=audio 9 RTP/AVP 0\n"), AnswerError::UnusableAddress);
    assert_eq!(AnswerError::SecureOnly.cause().verdict().status, 488);
}

/// A plain line is taken beside a secure one and both keep their places.
#[test]
fn a_plain_line_is_taken_beside_a_secure_one_and_both_keep() {
    let offer = read("c=IN IP4 10.0.0.1\nm=audio 9 RTP/SAVP 0\nm=application 5 UDP/BFCP *\nm=audio 11 RTP/AVPF 8\n");
    let agreed = answer(&offer, &ours()).unwrap();
    let lines: Vec<_> = agreed.local.media.iter().map(|m| (m.port, m.protocol.as_str())).collect();
    assert_eq!(lines, [(0, "RTP/SAVP"), (0, "UDP/BFCP"), (20_000, "RTP/AVPF")]);
    assert_eq!(agreed.remote.port(), 11);
    assert!(agreed.local.to_string().contains("m=application 0 UDP/BFCP *\r\n"));
}

#[test]
fn rtcp_mux_is_agreed_to_only_where_the_port_can_do_it() {
    let offer = audio("9 RTP/AVP 0", "a=rtcp-mux\r\n");
    let without = answer(&offer, &ours()).unwrap();
    assert_eq!((without.rtcp_mux, without.remote_rtcp.port()), (false, 10));
    let agreed = answer(&offer, &LocalCapabilities { rtcp_mux: true, ..ours() }).unwrap();
    assert_eq!((agreed.rtcp_mux, agreed.remote_rtcp.port()), (true, 9));
    assert!(agreed.local.media[0].attribute("rtcp-mux").is_some());
}

/// The origin keeps its id and counts up only when something changed.
#[test]
fn the_origin_keeps_its_id_and_counts_up_only_when_something() {
    let origin = |agreed: &Negotiated| (agreed.local.origin.id.clone(), agreed.local.origin.version.clone());
    let first = answer(&read(OFFICE), &ours()).unwrap();
    let again = answer(&read(OFFICE), &LocalCapabilities { previous: Some(first.local.clone()), ..ours() }).unwrap();
    assert_eq!(origin(&first), origin(&again));
    let held = read(&OFFICE.replace("a=sendrecv", "a=sendonly"));
    let held = answer(&held, &LocalCapabilities { previous: Some(again.local), ..ours() }).unwrap();
    assert_eq!(origin(&held), ("4711".to_owned(), "2".to_owned()));
}

#[test]
fn a_reinvite_with_another_codec_changes_the_codec() {
    let first = answer(&audio("9 RTP/AVP 0", ""), &ours()).unwrap();
    let second = answer(&audio("9 RTP/AVP 8", ""), &LocalCapabilities { previous: Some(first.local), ..ours() }).unwrap();
    assert_eq!((second.codec, second.local.origin.version.as_str()), (Pcma, "2"));
}

#[test]
fn the_line_that_was_open_stays_the_one_that_is_taken() {
    let first = read("c=IN IP4 10.0.0.1\nm=audio 0 RTP/AVP 0\nm=audio 11 RTP/AVP 0\n");
    let agreed = answer(&first, &ours()).unwrap();
    let second = read("c=IN IP4 10.0.0.1\nm=audio 13 RTP/AVP 0\nm=audio 11 RTP/AVP 0\n");
    let agreed = answer(&second, &LocalCapabilities { previous: Some(agreed.local), ..ours() }).unwrap();
    assert_eq!(agreed.remote.port(), 11);
}

// === offering ===

/// Our offer lists every codec in our order and keys at each clock.
#[test]
fn our_offer_lists_every_codec_in_our_order_and_keys() {
    let offered = offer(&ours());
    let media = &offered.media[0];
    assert_eq!(media.formats, ["111", "9", "8", "0", "110", "101"]);
    assert_eq!(media.rtpmap(111), Some(RtpMap { name: "opus", clock: 48_000, channels: 2 }));
    assert_eq!(media.rtpmap(110).map(|map| map.clock), Some(48_000));
    assert_eq!(read(&offered.to_string()), offered);
    assert_eq!(offer(&with(&[Pcmu])).media[0].formats, ["0", "101"]);
}

/// The answer to our offer gives each direction its own payload types.
#[test]
fn the_answer_to_our_offer_gives_each_direction_its_own_payload() {
    let ours = offer(&ours());
    let answered =
        audio("30000 RTP/AVP 97 8 18 100", "a=rtpmap:97 opus/48000/2\r\na=rtpmap:100 telephone-event/48000\r\na=ptime:40\r\n");
    let agreed = accept_answer(&ours, &answered).unwrap();
    assert_eq!((agreed.codec, agreed.payload_type_send, agreed.payload_type_receive), (Opus, 97, 111));
    assert_eq!(agreed.also_receive, [(8, Pcma)]);
    assert_eq!(agreed.telephone_event, Some(NegotiatedEvents { send_pt: 100, receive_pt: 110, clock: Hz::FULL }));
    assert_eq!((agreed.ptime_send.as_millis(), agreed.remote.port(), &agreed.local), (40, 30_000, &ours));
}

/// An answer that refuses or holds or makes no sense is told apart.
#[test]
fn an_answer_that_refuses_or_holds_or_makes_no_sense_is_told() {
    let ours = offer(&ours());
    let read_answer = |head: &str, lines: &str| accept_answer(&ours, &audio(head, lines));
    assert_eq!(read_answer("0 RTP/AVP 0", "").unwrap_err(), AnswerError::NoAudio);
    assert_eq!(read_answer("9 RTP/AVP 18", "").unwrap_err(), AnswerError::NoCommonCodec);
    assert_eq!(read_answer("9 RTP/SAVP 0", "").unwrap_err(), AnswerError::SecureOnly);
    assert_eq!(accept_answer(&ours, &read("v=0\n")).unwrap_err(), AnswerError::NoAudio);
    let held = read_answer("9 RTP/AVP 0", "a=inactive\r\n").unwrap();
    assert_eq!((held.hold, held.we_send, held.they_send), (Hold::Inactive, false, false));
}

/// A later offer of ours keeps lines and payload types of the session.
#[test]
fn a_later_offer_of_ours_keeps_lines_and_payload_types() {
    // The desk phone again, with our customary numbers used the other way round.
    let theirs = read(&DESK.replace("101", "110").replace("114", "101"));
    let agreed = answer(&theirs, &ours()).unwrap();
    assert_eq!(agreed.payload_type_receive, 101);
    let again = offer(&LocalCapabilities { previous: Some(agreed.local.clone()), ..ours() });
    let media = &again.media[0];
    assert_eq!(media.rtpmap(101).map(|map| map.name), Some("opus"));
    assert_eq!(media.rtpmap(110).map(|map| map.clock), Some(8000));
    assert_eq!((again.media.len(), again.media[1].port), (2, 0));
    let mut numbers = media.formats.clone();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), media.formats.len(), "no number means two things");
    assert_eq!(again.origin.version, "2");
}

#[test]
fn a_held_call_offers_both_ways_again() {
    let held = answer(&audio("9 RTP/AVP 0", "a=sendonly\r\n"), &ours()).unwrap();
    let again = offer(&LocalCapabilities { previous: Some(held.local), ..ours() });
    assert_eq!(again.direction_of(&again.media[0]), Direction::SendRecv);
}

#[test]
fn an_offer_of_ours_that_we_answer_ourselves_is_agreed_on() {
    for codec in [Opus, G722, Pcma, Pcmu] {
        let offered = offer(&with(&[codec]));
        let agreed = answer(&read(&offered.to_string()), &ours()).unwrap();
        let seen = accept_answer(&offered, &read(&agreed.local.to_string())).unwrap();
        assert_eq!((agreed.codec, seen.codec), (codec, codec));
        assert_eq!(agreed.telephone_event, seen.telephone_event);
        assert!(seen.telephone_event.is_some() && seen.we_send && seen.they_send);
    }
}

// === hostile input (X-1) ===

#[test]
fn an_address_with_a_control_character_is_printed_as_it_is_read() {
    let session = read("v=0\no=- 1 2 IN IP6 2001:db8::7\u{1e}\nc=IN IP6 \u{1}[2001:db8::7]\nm=audio 9 RTP/AVP 0\n");
    let printed = session.to_string();
    assert!(printed.contains("o=- 1 2 IN IP6 2001:db8::7\r\n") && printed.contains("c=IN IP6 2001:db8::7\r\n"), "{printed}");
}

/// A small generator of our own: the same storm at every run.
struct Storm(u64);

impl Storm {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

/// Twenty thousand mutated bodies are read answered and printed without harm.
#[test]
fn twenty_thousand_mutated_bodies_are_read_answered_and_printed() {
    let pieces: [&[u8]; 12] = [
        b"m=audio 9 RTP/AVP 0\r\n",
        b"c=IN IP4 0.0.0.0\r\n",
        b"a=rtpmap:",
        b"a=fmtp:0 ",
        b"99999999999999999999",
        b"\r",
        b"\0",
        b"\xff\xfe",
        b"=",
        b":",
        b"/",
        b"a=ptime:-1e999\r\n",
    ];
    let mut storm = Storm(7);
    let mut understood = 0;
    for round in 0..20_000 {
        let mut body = [DESK, CONFERENCE, OFFICE][round % 3].as_bytes().to_vec();
        for _ in 0..=storm.below(6) {
            let at = storm.below(body.len());
            let end = (at + storm.below(40)).min(body.len());
            match storm.below(4) {
                0 => body[at] = u8::try_from(storm.below(256)).unwrap(),
                1 => drop(body.drain(at..end)),
                2 => body.splice(at..at, pieces[storm.below(pieces.len())].iter().copied()).for_each(drop),
                _ => {
                    let copy = body[at..end].to_vec();
                    body.extend(copy);
                }
            }
        }
        let Ok(session) = SessionDescription::parse(&body) else { continue };
        let printed = session.to_string();
        assert_eq!(read(&printed).to_string(), printed);
        if let Ok(agreed) = answer(&session, &ours()) {
            understood += 1;
            assert_eq!(agreed.local.media.len(), session.media.len());
            assert!((10..=60).contains(&agreed.ptime_send.as_millis()));
            let again = offer(&LocalCapabilities { previous: Some(agreed.local.clone()), ..ours() });
            let printed = again.to_string();
            assert_eq!(read(&printed).to_string(), printed);
            let _ = accept_answer(&again, &session);
        }
        let _ = accept_answer(&offer(&ours()), &session);
    }
    assert!(understood > 5_000, "the storm leaves enough to answer: {understood}");
}
