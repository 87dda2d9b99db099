//! DTLS-SRTP in descriptions (A-3, RFC 5763): every form of offer, both roles, and what a re-INVITE keeps.

use super::*;
use crate::rtp::dtls::{DtlsParameters, DtlsRole, Fingerprint};

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn policy(srtp: SrtpPolicy) -> LocalCapabilities {
    LocalCapabilities { srtp, rtcp_mux: true, ..ours() }
}

fn theirs() -> Fingerprint {
    Fingerprint::of(b"a certificate of the peer")
}

/// `a=fingerprint` of the peer, and `a=setup`.
fn handshake(setup: &str) -> String {
    format!("a=fingerprint:{}\r\na=setup:{setup}\r\n", theirs())
}

fn dtls(agreed: &Agreement) -> &DtlsParameters {
    match &agreed.transport.protection {
        Protection::Dtls(parameters) => parameters,
        other => panic!("{other:?}"),
    }
}

/// Protocol, `a=setup` and `a=fingerprint` of the open line.
fn said(agreed: &Agreement) -> (&str, &str, &str) {
    let (_, media) = agreed.local.media.iter().enumerate().find(|(_, media)| media.port != 0).unwrap();
    let value = |name| media.attribute(name).flatten().unwrap_or_default();
    (&media.protocol, value("setup"), value("fingerprint"))
}

fn after(agreed: &Agreement, srtp: SrtpPolicy) -> LocalCapabilities {
    let previous = Some(agreed.local.clone());
    LocalCapabilities { previous, protection: Some(agreed.transport.protection.clone()), ..policy(srtp) }
}

#[test]
fn a3_dtls_is_answered_in_the_role_that_the_offer_leaves_us() {
    for protocol in ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/AVP", "RTP/SAVP"] {
        for (offered, answered, role) in [
            ("actpass", "active", DtlsRole::Client),
            ("active", "passive", DtlsRole::Server),
            ("passive", "active", DtlsRole::Client),
        ] {
            let offer = audio(&format!("9 {protocol} 0"), &handshake(offered));
            let agreed = answer_to(&offer, &policy(SrtpPolicy::Preferred)).unwrap();
            let expected = DtlsParameters { role, fingerprints: vec![theirs()], identity: identity() };
            assert_eq!(dtls(&agreed), &expected, "{protocol} {offered}");
            assert_eq!(said(&agreed), (protocol, answered, identity().fingerprint().to_string().as_str()));
        }
    }
}

/// Behind a NAT nothing of ours arrives before something has come: the device begins.
#[test]
fn a3_a_device_behind_a_nat_begins_the_handshake() {
    let behind = LocalCapabilities { signalling: [203, 0, 113, 5].into(), ..policy(SrtpPolicy::Preferred) };
    let agreed = answer_to(&audio("9 UDP/TLS/RTP/SAVP 0", &handshake("actpass")), &behind).unwrap();
    assert_eq!((dtls(&agreed).role, said(&agreed).1), (DtlsRole::Server, "passive"));
}

/// Fingerprint and role may stand above all lines, there may be several fingerprints, and unknown ones are passed over.
#[test]
fn a3_fingerprints_are_read_wherever_they_stand() {
    let line = "a=fingerprint:md5 AA\r\na=fingerprint:sha-1 DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09\r\n";
    let session = read(&format!(
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n{}m=audio 9 UDP/TLS/RTP/SAVP 0\r\n",
        handshake("passive")
    ));
    let above = answer_to(&session, &policy(SrtpPolicy::Required)).unwrap();
    assert_eq!((dtls(&above).role, &dtls(&above).fingerprints), (DtlsRole::Client, &vec![theirs()]));
    let both =
        answer_to(&audio("9 UDP/TLS/RTP/SAVP 0", &format!("{line}{}", handshake("active"))), &policy(SrtpPolicy::Required));
    assert_eq!(dtls(&both.unwrap()).fingerprints.len(), 2);
    // RFC 4145: an offer that does not say so begins.
    let silent = audio("9 UDP/TLS/RTP/SAVP 0", &format!("a=fingerprint:{}\r\n", theirs()));
    assert_eq!(dtls(&answer_to(&silent, &policy(SrtpPolicy::Preferred)).unwrap()).role, DtlsRole::Server);
}

/// Of one line keys in the description are taken first, as media flows at once; of two lines the first encrypted one.
#[test]
fn a3_of_all_forms_of_best_effort_an_encrypted_one_is_taken() {
    let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n");
    let answered = |head: &str, rest: &str| answer_to(&audio(head, rest), &policy(SrtpPolicy::Preferred)).unwrap();
    let both = format!("{crypto}{}", handshake("actpass"));
    for protocol in ["RTP/AVP", "RTP/SAVP"] {
        assert!(answered(&format!("9 {protocol} 0"), &both).transport.protection.suite().is_some(), "{protocol}");
    }
    assert_eq!(dtls(&answered("9 UDP/TLS/RTP/SAVP 0", &both)).role, DtlsRole::Client);
    let unknown = format!("a=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}\r\n{}", handshake("active"));
    assert_eq!(said(&answered("9 RTP/AVP 0", &unknown)).1, "passive");
    let two = format!("{}m=audio 11 RTP/AVP 0\r\n", handshake("actpass"));
    assert_eq!(said(&answered("9 UDP/TLS/RTP/SAVP 0", &two)).0, "UDP/TLS/RTP/SAVP");
    let two = format!("m=audio 11 UDP/TLS/RTP/SAVPF 0\r\n{}", handshake("actpass"));
    let agreed = answered("9 RTP/AVP 0", &two);
    assert_eq!((agreed.local.media[0].port, said(&agreed).0), (0, "UDP/TLS/RTP/SAVPF"));
    let capable = format!(
        "a=tcap:1 UDP/TLS/RTP/SAVP\r\na=acap:1 setup:active\r\na=acap:2 fingerprint:{}\r\na=pcfg:1 t=1 a=1,2\r\n",
        theirs()
    );
    let agreed = answered("9 RTP/AVP 0", &capable);
    assert_eq!((said(&agreed).0, said(&agreed).1), ("UDP/TLS/RTP/SAVP", "passive"));
    assert_eq!(agreed.local.media[0].attribute("acfg"), Some(Some("1 t=1 a=1,2")));
    // A fingerprint alone offers nothing.
    let plain = answered("9 RTP/AVP 0", &format!("a=fingerprint:{}\r\n", theirs()));
    assert_eq!(plain.transport.protection, Protection::Plain);
}

#[test]
fn a3_a_policy_of_dtls_takes_nothing_else() {
    let refused = |offer: &SessionDescription, srtp| answer_to(offer, &policy(srtp)).unwrap_err();
    let crypto = audio("9 RTP/SAVP 0", &format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"));
    assert_eq!(refused(&crypto, SrtpPolicy::Dtls), AnswerError::DtlsRequired);
    assert_eq!(refused(&audio("9 RTP/AVP 0", ""), SrtpPolicy::Dtls), AnswerError::DtlsRequired);
    let offer = audio("9 UDP/TLS/RTP/SAVP 0", &handshake("actpass"));
    assert_eq!(refused(&offer, SrtpPolicy::Off), AnswerError::SrtpOff);
    assert!(answer_to(&offer, &policy(SrtpPolicy::Dtls)).is_ok());
    let parked = audio("9 UDP/TLS/RTP/SAVP 0", &handshake("holdconn"));
    let error = refused(&parked, SrtpPolicy::Preferred);
    assert_eq!((error, error.cause().verdict().label), (AnswerError::UnusableFingerprint, "no-common-encryption"));
}

/// Two of us: the offer leaves the role open and shares one port, the answer takes both; either may offer again in its role.
#[test]
fn a3_our_own_offers_of_dtls_are_answered_and_repeated() {
    let ours = policy(SrtpPolicy::Dtls);
    let offered = offer_of(&ours);
    assert_eq!(offered.media[0].protocol, "UDP/TLS/RTP/SAVP");
    assert_eq!(offered.media[0].attribute("setup"), Some(Some("actpass")));
    let far = LocalCapabilities { signalling: ours.address, ..policy(SrtpPolicy::Preferred) };
    let answered = answer_to(&read(&offered.to_string()), &far).unwrap();
    let agreed = accept_answer(&offered, &read(&answered.local.to_string()), &ours).unwrap();
    assert_eq!((dtls(&answered).role, dtls(&agreed).role), (DtlsRole::Client, DtlsRole::Server));
    assert!(answered.transport.rtcp_mux && agreed.transport.rtcp_mux);
    let again = offer_of(&after(&agreed, SrtpPolicy::Dtls));
    assert_eq!(again.media[0].attribute("setup"), Some(Some("passive")));
    assert!(again.media[0].attribute("rtcp-mux").is_some());
    let far = LocalCapabilities { signalling: ours.address, ..after(&answered, SrtpPolicy::Preferred) };
    let answered_again = answer_to(&read(&again.to_string()), &far).unwrap();
    assert_eq!(answered_again.transport.protection, answered.transport.protection);
}

/// A re-INVITE that leaves the role open keeps it, whatever the signalling's address; other fingerprints are another association.
#[test]
fn a3_the_same_fingerprint_keeps_the_association() {
    let behind = LocalCapabilities { signalling: [203, 0, 113, 5].into(), ..policy(SrtpPolicy::Preferred) };
    let first = answer_to(&audio("9 UDP/TLS/RTP/SAVP 0", &handshake("actpass")), &behind).unwrap();
    let held = audio("9 UDP/TLS/RTP/SAVP 0", &format!("{}a=sendonly\r\n", handshake("actpass")));
    let again = answer_to(&held, &after(&first, SrtpPolicy::Preferred)).unwrap();
    assert_eq!(again.transport.protection, first.transport.protection);
    let other = format!("a=fingerprint:{}\r\na=setup:actpass\r\n", Fingerprint::of(b"another"));
    let changed = answer_to(&audio("9 UDP/TLS/RTP/SAVP 0", &other), &after(&first, SrtpPolicy::Preferred)).unwrap();
    assert_ne!(changed.transport.protection, first.transport.protection);
}

/// What an answer without `a=setup`, without a fingerprint, or with one in plain RTP agrees on.
#[test]
fn a3_answers_to_an_offer_of_dtls_are_read_strictly() {
    let ours = policy(SrtpPolicy::Dtls);
    let offered = offer_of(&ours);
    let read_answer = |head: &str, rest: &str| accept_answer(&offered, &audio(head, rest), &ours);
    let passive = format!("a=fingerprint:{}\r\n", theirs());
    assert_eq!(dtls(&read_answer("9 UDP/TLS/RTP/SAVP 0", &passive).unwrap()).role, DtlsRole::Client);
    assert_eq!(dtls(&read_answer("9 UDP/TLS/RTP/SAVP 0", &handshake("active")).unwrap()).role, DtlsRole::Server);
    assert_eq!(read_answer("9 UDP/TLS/RTP/SAVP 0", "").unwrap_err(), AnswerError::UnusableFingerprint);
    assert_eq!(read_answer("9 RTP/AVP 0", "").unwrap_err(), AnswerError::DtlsRequired);
    assert_eq!(read_answer("9 RTP/SAVP 0", "").unwrap_err(), AnswerError::DtlsRequired);
}

/// A device with ICE is answered as ICE lite, with the same credentials while it keeps its own; one that is lite itself is not.
#[test]
fn a3_ice_is_answered_as_ice_lite() {
    let offer = |ufrag: &str, above: &str| {
        read(&format!(
            "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n{above}m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
             a=rtcp-mux\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n{}",
            handshake("actpass")
        ))
    };
    let first = answer_to(&offer("8hhY", ""), &policy(SrtpPolicy::Preferred)).unwrap();
    let credentials = first.transport.ice.clone().unwrap();
    assert_eq!((credentials.ufrag.len(), credentials.password.len(), credentials.remote_ufrag.as_str()), (8, 24, "8hhY"));
    let text = first.local.to_string();
    let (above, line) = text.split_once("m=audio").unwrap();
    assert!(above.contains("a=ice-lite\r\n") && line.contains("a=mid:0\r\n"), "{text}");
    assert!(line.contains(&format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", credentials.ufrag, credentials.password)), "{text}");
    assert!(line.contains("a=candidate:1 1 UDP 2130706431 192.0.2.7 20000 typ host\r\n") && !line.contains(" 2 UDP"), "{text}");
    let again = |ufrag: &str| {
        let ours = LocalCapabilities { ice: Some(credentials.clone()), ..after(&first, SrtpPolicy::Preferred) };
        answer(&offer(ufrag, ""), &ours, &mut KeyGenerator::new([8; 32])).unwrap().transport.ice.unwrap()
    };
    assert_eq!(again("8hhY"), credentials);
    assert_ne!((again("9hhY").ufrag, again("9hhY").password), (credentials.ufrag.clone(), credentials.password.clone()));
    assert_eq!(answer_to(&offer("8hhY", "a=ice-lite\r\n"), &policy(SrtpPolicy::Preferred)).unwrap().transport.ice, None);
}
