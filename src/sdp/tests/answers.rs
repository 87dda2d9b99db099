//! Answers to the offers of phones.

use super::*;
use crate::common::units::Hz;

/// The desk phone gets opus in its own numbering and its video refused in place.
#[test]
fn the_desk_phone_gets_opus_in_its_own_numbering_and_its_video() {
    let agreed = answer_to(&read(DESK), &ours()).unwrap();
    assert_eq!(
        (agreed.streams[0].codec, agreed.streams[0].payload_type_send, agreed.streams[0].payload_type_receive),
        (Opus, 114, 114)
    );
    assert_eq!(agreed.streams[0].telephone_event, Some(NegotiatedEvents { send_pt: 101, receive_pt: 101, clock: Hz::NARROW }));
    assert_eq!(agreed.transport.remote, SocketAddr::from(([10, 20, 30, 40], 17_236)));
    assert_eq!(agreed.transport.remote_rtcp.port(), 17_237);
    assert!(agreed.streams[0].fmtp_send.as_deref().is_some_and(|fmtp| fmtp.starts_with("maxplaybackrate=16000")));
    assert_eq!((agreed.streams[0].hold, agreed.streams[0].we_send, agreed.streams[0].they_send), (Hold::No, true, true));
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
    let agreed = answer_to(&read(CONFERENCE), &ours()).unwrap();
    assert_eq!((agreed.streams[0].codec, agreed.streams[0].payload_type_send), (G722, 9));
    assert_eq!(agreed.streams[0].telephone_event.map(|event| event.receive_pt), Some(127));
    assert_eq!(agreed.transport.remote_rtcp, SocketAddr::from(([192, 168, 1, 61], 2250)));
}

#[test]
fn the_offerers_order_decides_unless_ours_is_asked_for() {
    let offer = read(OFFICE);
    assert_eq!(answer_to(&offer, &ours()).unwrap().streams[0].codec, Pcma);
    assert_eq!(answer_to(&offer, &LocalCapabilities { preference: Preference::Ours, ..ours() }).unwrap().streams[0].codec, Opus);
    assert_eq!(answer_to(&offer, &with(&[Pcmu, G722])).unwrap().streams[0].codec, Pcmu);
    assert_eq!(answer_to(&offer, &with(&[G722])).unwrap_err(), AnswerError::NoCommonCodec);
    assert_eq!(answer_to(&offer, &with(&[])).unwrap_err(), AnswerError::NoCommonCodec);
}

/// Keys run at the codecs clock where offered and at 8000 otherwise.
#[test]
fn keys_run_at_the_codecs_clock_where_offered_and_at_8000() {
    let offer = read(OFFICE);
    let event = |codec| answer_to(&offer, &with(&[codec])).unwrap().streams[0].telephone_event;
    assert_eq!(event(Opus), Some(NegotiatedEvents { send_pt: 102, receive_pt: 102, clock: Hz::FULL }));
    assert_eq!(event(Pcma), Some(NegotiatedEvents { send_pt: 101, receive_pt: 101, clock: Hz::NARROW }));
    let narrow_codec_wide_keys = audio("9 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/48000\r\n");
    assert_eq!(answer_to(&narrow_codec_wide_keys, &ours()).unwrap().streams[0].telephone_event, None);
}

#[test]
fn packets_last_what_the_peer_asks_for_within_ten_to_sixty() {
    let time = |codec: u8, lines: &str| {
        let offer = audio(&format!("9 RTP/AVP {codec}"), &format!("a=rtpmap:96 opus/48000/2\r\n{lines}"));
        answer_to(&offer, &ours()).unwrap().streams[0].ptime_send.as_millis()
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
    let codec =
        |pt: u8, lines: &str| answer_to(&audio(&format!("9 RTP/AVP {pt}"), lines), &ours()).map(|agreed| agreed.streams[0].codec);
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
        let agreed = answer_to(&offer, &ours()).unwrap();
        (
            agreed.streams[0].hold,
            agreed.streams[0].we_send,
            agreed.streams[0].they_send,
            agreed.local.direction_of(&agreed.local.media[0]),
        )
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
    let refused = |body: &str| answer_to(&read(body), &ours()).unwrap_err();
    assert_eq!(refused("v=0\r\n"), AnswerError::NoAudio);
    assert_eq!(refused("c=IN IP4 10.0.0.1\nm=audio 0 RTP/AVP 0\n"), AnswerError::NoAudio);
    assert_eq!(refused("c=IN IP4 10.0.0.1\nm=audio 9 RTP/SAVP 0\n"), AnswerError::NoCommonSuite);
    assert_eq!(refused("c=IN IP4 10.0.0.1\nm=audio 9 TCP/MRCPv2 0\n"), AnswerError::UnknownTransport);
    assert_eq!(refused("m=audio 9 RTP/AVP 0\n"), AnswerError::UnusableAddress);
    assert_eq!(refused("c=IN IP4 phone.example\nm=audio 9 RTP/AVP 0\n"), AnswerError::UnknownName);
    assert_eq!(refused("c=IN IP4 224.1.1.1/127\nm=audio 9 RTP/AVP 0\n"), AnswerError::UnusableAddress);
    assert_eq!(AnswerError::NoCommonSuite.cause().verdict().status, 488);
}

/// A plain line is taken beside a secure one and both keep their places.
#[test]
fn a_plain_line_is_taken_beside_a_secure_one_and_both_keep() {
    let offer = read("c=IN IP4 10.0.0.1\nm=audio 9 RTP/SAVP 0\nm=application 5 UDP/BFCP *\nm=audio 11 RTP/AVPF 8\n");
    let agreed = answer_to(&offer, &ours()).unwrap();
    let lines: Vec<_> = agreed.local.media.iter().map(|m| (m.port, m.protocol.as_str())).collect();
    assert_eq!(lines, [(0, "RTP/SAVP"), (0, "UDP/BFCP"), (20_000, "RTP/AVPF")]);
    assert_eq!(agreed.transport.remote.port(), 11);
    assert!(agreed.local.to_string().contains("m=application 0 UDP/BFCP *\r\n"));
}

#[test]
fn rtcp_mux_is_agreed_to_only_where_the_port_can_do_it() {
    let offer = audio("9 RTP/AVP 0", "a=rtcp-mux\r\n");
    let without = answer_to(&offer, &ours()).unwrap();
    assert_eq!((without.transport.rtcp_mux, without.transport.remote_rtcp.port()), (false, 10));
    let agreed = answer_to(&offer, &LocalCapabilities { rtcp_mux: true, ..ours() }).unwrap();
    assert_eq!((agreed.transport.rtcp_mux, agreed.transport.remote_rtcp.port()), (true, 9));
    assert!(agreed.local.media[0].attribute("rtcp-mux").is_some());
}

/// The origin keeps its id and counts up only when something changed.
#[test]
fn the_origin_keeps_its_id_and_counts_up_only_when_something() {
    let origin = |agreed: &Agreement| (agreed.local.origin.id.clone(), agreed.local.origin.version.clone());
    let first = answer_to(&read(OFFICE), &ours()).unwrap();
    let again = answer_to(&read(OFFICE), &LocalCapabilities { previous: Some(first.local.clone()), ..ours() }).unwrap();
    assert_eq!(origin(&first), origin(&again));
    let held = read(&OFFICE.replace("a=sendrecv", "a=sendonly"));
    let held = answer_to(&held, &LocalCapabilities { previous: Some(again.local), ..ours() }).unwrap();
    assert_eq!(origin(&held), ("4711".to_owned(), "2".to_owned()));
}

#[test]
fn a_reinvite_with_another_codec_changes_the_codec() {
    let first = answer_to(&audio("9 RTP/AVP 0", ""), &ours()).unwrap();
    let second = answer_to(&audio("9 RTP/AVP 8", ""), &LocalCapabilities { previous: Some(first.local), ..ours() }).unwrap();
    assert_eq!((second.streams[0].codec, second.local.origin.version.as_str()), (Pcma, "2"));
}

#[test]
fn the_line_that_was_open_stays_the_one_that_is_taken() {
    let first = read("c=IN IP4 10.0.0.1\nm=audio 0 RTP/AVP 0\nm=audio 11 RTP/AVP 0\n");
    let agreed = answer_to(&first, &ours()).unwrap();
    let second = read("c=IN IP4 10.0.0.1\nm=audio 13 RTP/AVP 0\nm=audio 11 RTP/AVP 0\n");
    let agreed = answer_to(&second, &LocalCapabilities { previous: Some(agreed.local), ..ours() }).unwrap();
    assert_eq!(agreed.transport.remote.port(), 11);
}

/// Comfort noise is answered where it is offered beside a codec that has none of its own, and stays in later offers of ours.
#[test]
fn a1_comfort_noise_is_answered_where_it_is_offered() {
    let agreed = |head: &str, rest: &str| answer_to(&audio(head, rest), &ours()).unwrap();
    for (head, rest, noise) in [
        ("4000 RTP/AVP 0 13 101", "a=rtpmap:101 telephone-event/8000\r\n", Some(13)),
        ("4000 RTP/AVP 9 98", "a=rtpmap:98 cn/8000\r\n", Some(98)),
        ("4000 RTP/AVP 8 98", "a=rtpmap:98 CN/16000\r\n", None),
        ("4000 RTP/AVP 0", "", None),
        ("4000 RTP/AVP 107 0 13", "a=rtpmap:107 opus/48000/2\r\n", None),
    ] {
        let agreement = agreed(head, rest);
        assert_eq!(agreement.audio().unwrap().comfort_noise, noise, "{head}");
        let named = agreement.local.media[0].payload_types().any(|pt| Some(pt) == noise);
        assert_eq!(named, noise.is_some(), "{head}");
        let later = offer_of(&LocalCapabilities { previous: Some(agreement.local), ..ours() });
        assert_eq!(later.media[0].payload_types().any(|pt| Some(pt) == noise), noise.is_some(), "{head}");
    }
    let understood = agreed("4000 RTP/AVP 107 0 13", "a=rtpmap:107 opus/48000/2\r\n");
    let noise = PayloadFormat { payload_type: 13, content: PayloadContent::ComfortNoise(crate::common::units::Hz::NARROW) };
    assert!(understood.audio().unwrap().formats.contains(&noise), "a device may send what it has named");
    assert!(!offer_of(&ours()).to_string().contains("CN/8000"), "ours alone offers none");
}

/// L16 is taken in any of its forms where nothing else of ours is offered, in packets that fit a datagram; we offer none.
#[test]
fn a1_linear_pcm_is_taken_where_nothing_else_is() {
    let agreed = |head: &str, rest: &str| answer_to(&audio(head, rest), &ours()).map(|agreed| agreed.streams[0].clone());
    for (head, rest, codec, ms) in [
        ("4000 RTP/AVP 11", "", CodecKind::L16Disc, 10),
        ("4000 RTP/AVP 97", "a=rtpmap:97 l16/16000\r\na=ptime:60\r\n", CodecKind::L16Wide, 40),
        ("4000 RTP/AVP 97", "a=rtpmap:97 L16/48000/1\r\n", CodecKind::L16Full, 10),
        ("4000 RTP/AVP 97 98", "a=rtpmap:97 L16/8000\r\na=rtpmap:98 L16/16000\r\n", CodecKind::L16Wide, 20),
        ("4000 RTP/AVP 97 8", "a=rtpmap:97 L16/16000\r\n", Pcma, 20),
    ] {
        let stream = agreed(head, rest).unwrap();
        assert_eq!((stream.codec, stream.ptime_send), (codec, Duration::from_millis(ms)), "{head} {rest}");
    }
    assert_eq!(agreed("4000 RTP/AVP 10", ""), Err(AnswerError::NoCommonCodec), "stereo");
    assert_eq!(agreed("4000 RTP/AVP 97", "a=rtpmap:97 L16/44100/2\r\n"), Err(AnswerError::NoCommonCodec), "stereo");
    assert!(!offer_of(&ours()).to_string().contains("L16"));
    assert!(offer_of(&with(&[CodecKind::L16Wide])).to_string().contains("L16/16000"), "unless it is configured");
}
