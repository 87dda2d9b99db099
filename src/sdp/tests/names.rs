//! Names in the place of addresses, and addresses of a family that we have no media in (S-8).

use super::*;
use crate::common::cause::Cause;

/// An offer whose `c=` line and RTCP are these.
fn offer_at(connection: &str, rtcp: &str) -> SessionDescription {
    read(&format!("v=0\r\no=- 1 1 IN IP4 sbc.example\r\ns=-\r\nc={connection}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n{rtcp}"))
}

/// Names of open audio alone are looked up, each once, and not without end.
#[test]
fn s8_names_of_open_audio_are_looked_up_and_no_others() {
    let named = |connection: &str, rtcp: &str| media_names(&offer_at(connection, rtcp));
    assert_eq!(named("IN IP4 media.example.net.", ""), ["media.example.net."]);
    assert_eq!(named("IN IP4 10.0.0.1", "a=rtcp:4001 IN IP4 rtcp.example\r\n"), ["rtcp.example"]);
    assert_eq!(named("IN IP6 media.example", "a=rtcp:4001 IN IP6 media.example\r\n"), ["media.example"]);
    for connection in ["IN IP4 10.0.0.1", "IN IP4 0.0.0.0", "IN IP4 host.invalid", "IN IP4", "IN IP4 a_b/c@d", "IN IP4 &x;"] {
        assert!(named(connection, "m=audio 0 RTP/AVP 0\r\nc=IN IP4 closed.example\r\n").len() <= 1, "{connection}");
        assert!(!named(connection, "").iter().any(|name| name.contains(['@', '&', '/'])), "{connection}");
    }
    let many: String = (0..20).map(|line| format!("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 host{line}.example\r\n")).collect();
    assert_eq!(named("IN IP4 10.0.0.1", &many).len(), MAX_NAMES);
    assert!(media_names(&read("c=IN IP4 a.example\r\nm=video 4000 RTP/AVP 31\r\n")).is_empty());
}

#[test]
fn s8_what_was_found_stands_where_the_name_was() {
    let mut offer = offer_at("IN IP4 media.example", "a=rtcp:4711 IN IP4 rtcp.example\r\n");
    assert_eq!(answer_to(&offer, &ours()).unwrap_err(), AnswerError::UnknownName);
    resolve(&mut offer, |name| (name == "media.example").then(|| [192, 0, 2, 33].into()));
    let agreed = answer_to(&offer, &ours()).unwrap();
    assert_eq!(agreed.transport.remote, SocketAddr::from(([192, 0, 2, 33], 4000)));
    assert_eq!(agreed.transport.remote_rtcp, SocketAddr::from(([192, 0, 2, 33], 4711)), "RTCP goes where RTP goes");
    resolve(&mut offer, |_| Some([192, 0, 2, 44].into()));
    let agreed = answer_to(&offer, &ours()).unwrap();
    assert_eq!(agreed.transport.remote_rtcp, SocketAddr::from(([192, 0, 2, 44], 4711)));
}

/// A port of its own for RTCP, and another one than its own for what it is sent, are the peer's choice.
#[test]
fn s8_ports_need_not_be_the_same_both_ways() {
    let agreed = answer_to(&offer_at("IN IP4 10.0.0.1", "a=rtcp:9\r\n"), &ours()).unwrap();
    assert_eq!((agreed.transport.remote.port(), agreed.transport.remote_rtcp.port()), (4000, 9));
    assert_eq!(agreed.local.media[0].port, 20_000);
}

/// IPv6 to a gateway that has IPv4 media alone is refused with that as its reason; but a hold is one in each family.
#[test]
fn s8_an_address_of_the_other_family_is_refused_as_that() {
    let six = LocalCapabilities { address: "2001:db8::7".parse().unwrap(), ..ours() };
    let (offer_4, offer_6) = (offer_at("IN IP4 10.0.0.1", ""), offer_at("IN IP6 2001:db8::1", ""));
    assert_eq!(answer_to(&offer_6, &ours()).unwrap_err(), AnswerError::Ipv6Only);
    assert!([&offer_4, &offer_6].iter().all(|offer| answer_to(offer, &six).is_ok()));
    assert!(answer_to(&offer_at("IN IP6 ::ffff:10.0.0.1", ""), &ours()).is_ok());
    for hold in ["IN IP4 0.0.0.0", "IN IP6 ::"] {
        assert_eq!(answer_to(&offer_at(hold, ""), &ours()).unwrap().streams[0].hold, Hold::Held, "{hold}");
    }
    assert_eq!(answered(&offer_of(&ours()), &offer_6).unwrap_err(), AnswerError::Ipv6Only);
}

/// Each cause of a 488 has a code of RFC 3261 section 20.43, and a text of its own.
#[test]
fn s8_each_refusal_of_media_has_a_warning_of_its_own() {
    let all = [
        AnswerError::NoAudio,
        AnswerError::UnknownTransport,
        AnswerError::SrtpOff,
        AnswerError::SrtpRequired,
        AnswerError::NoCommonSuite,
        AnswerError::NoCommonCodec,
        AnswerError::UnusableAddress,
        AnswerError::UnknownName,
        AnswerError::Ipv6Only,
    ];
    let texts: std::collections::BTreeSet<_> = all.iter().map(|error| error.warning().1).collect();
    assert_eq!(texts.len(), all.len());
    for error in all {
        assert!((300..400).contains(&error.warning().0) && error.cause().verdict().status == 488, "{error}");
    }
    assert_eq!(AnswerError::UnknownName.cause(), Cause::NoMediaAddress);
}
