//! SRTP in offers and answers: `a=crypto`, best-effort offers in every form, policies, keys that stay and keys that change.

use super::*;
use crate::common::split_mix::SplitMix;
use crate::rtp::srtp::CryptoSuite::{
    self, AeadAes128Gcm, AeadAes256Gcm, AesCm128HmacSha1Tag32, AesCm128HmacSha1Tag80, AesCm256HmacSha1Tag80,
};
use crate::rtp::srtp::SrtpKeyPair;

/// 30 bytes, as AES-128 in counter mode takes.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
/// Another of them.
const OTHER_KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
/// 28 bytes, as GCM of 128 bits takes.
const GCM_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==";

fn policy(srtp: SrtpPolicy) -> LocalCapabilities {
    LocalCapabilities { srtp, ..ours() }
}

fn secure(lines: &str) -> SessionDescription {
    audio("9 RTP/SAVP 0", lines)
}

fn suite(agreed: &Agreement) -> Option<CryptoSuite> {
    agreed.transport.protection.suite()
}

fn sdes(agreed: &Agreement) -> &SrtpKeyPair {
    match &agreed.transport.protection {
        Protection::Sdes(keys) => keys,
        other => panic!("{other:?}"),
    }
}

/// What the line with a port says: its place, protocol and `a=crypto`.
fn open_line(agreed: &Agreement) -> (usize, &str, Option<CryptoAttribute>) {
    let open: Vec<_> = agreed.local.media.iter().enumerate().filter(|(_, media)| media.port != 0).collect();
    let [(at, media)] = open.as_slice() else { panic!("one open line: {}", agreed.local) };
    let crypto = media.attribute("crypto").flatten().map(|value| CryptoAttribute::parse(value).unwrap());
    (*at, media.protocol.as_str(), crypto)
}

/// The state of a dialog after an agreement.
fn after(agreed: &Agreement, srtp: SrtpPolicy) -> LocalCapabilities {
    let previous = Some(agreed.local.clone());
    LocalCapabilities { srtp, previous, protection: Some(agreed.transport.protection.clone()), ..ours() }
}

// === a=crypto ===

#[test]
fn a3_a_crypto_attribute_is_read_in_every_form_and_printed() {
    let forms = [
        (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), AesCm128HmacSha1Tag80, None),
        (format!("  7   AES_CM_128_HMAC_SHA1_32   inline:{KEY}|2^31|1:1"), AesCm128HmacSha1Tag32, Some((1, 1))),
        (
            format!("123456789 aes_cm_128_hmac_sha1_80 INLINE:{KEY}|1048576|4294967295:4"),
            AesCm128HmacSha1Tag80,
            Some((4_294_967_295, 4)),
        ),
        (
            format!("2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|66:32 WSH=64 FEC_ORDER=FEC_SRTP -vendor=1 KDR=0"),
            AesCm128HmacSha1Tag80,
            Some((66, 32)),
        ),
        (format!("3 AEAD_AES_128_GCM inline:{GCM_KEY}|2^48"), AeadAes128Gcm, None),
        (format!("3 AEAD_AES_128_GCM inline:{}", GCM_KEY.trim_end_matches('=')), AeadAes128Gcm, None),
    ];
    for (text, suite, identifier) in forms {
        let read = CryptoAttribute::parse(&text).unwrap();
        assert_eq!(read.keys.suite, suite, "{text}");
        let key = &read.keys.keys[0];
        assert_eq!(key.material().len(), suite.key_length() + suite.salt_length());
        assert_eq!(key.identifier().map(|mki| (mki.value(), mki.bytes().len())), identifier, "{text}");
        assert_eq!(CryptoAttribute::parse(&read.to_string()), Ok(read));
    }
    let two = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:2;inline:{OTHER_KEY}|2^20|2:2");
    let read = CryptoAttribute::parse(&two).unwrap();
    assert_eq!(read.keys.keys.len(), 2);
    assert_eq!(CryptoAttribute::parse(&read.to_string()), Ok(read));
}

#[test]
fn a3_a_crypto_attribute_that_we_cannot_follow_is_refused() {
    let error = |text: &str| CryptoAttribute::parse(&text.replace("KEY", KEY)).unwrap_err();
    for text in [
        "",
        "1",
        "x AES_CM_128_HMAC_SHA1_80 inline:KEY",
        "1234567890 AES_CM_128_HMAC_SHA1_80 inline:KEY",
        "1 AES_CM_128_HMAC_SHA1_80",
        "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY!",
        "1 AES_CM_128_HMAC_SHA1_80 uri:KEY",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|0",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^49",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^99999999999",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:0",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:129",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|256:1",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|+1:1",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^20|2^20",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY;inline:KEY",
        "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|1:1;inline:KEY|2:2",
    ] {
        assert_eq!(error(text), CryptoAttributeError::Malformed, "{text}");
    }
    assert_eq!(error("1 F8_128_HMAC_SHA1_80 inline:KEY"), CryptoAttributeError::UnknownSuite);
    for parameter in ["UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP", "KDR=5", "unknown"] {
        let text = format!("1 AES_CM_128_HMAC_SHA1_80 inline:KEY {parameter}");
        assert_eq!(error(&text), CryptoAttributeError::UnsupportedParameter, "{parameter}");
    }
}

#[test]
fn a3_keys_in_descriptions_are_never_printed_by_debug() {
    let agreed = answer_to(&secure(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n")), &ours()).unwrap();
    let line = agreed.local.media[0].attribute("crypto").flatten().unwrap();
    let ours = line.split("inline:").nth(1).unwrap();
    let capability = secure(&format!("a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"));
    let printed = format!("{agreed:?} {capability:?}");
    assert!(!printed.contains(ours) && !printed.contains(KEY), "{printed}");
}

// === answering ===

/// The first suite that we have is taken, in the offerer's order and by its tag; ours is a key of our own.
#[test]
fn a3_the_first_known_suite_is_answered_by_its_tag() {
    let offer = secure(&format!(
        "a=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}\r\na=crypto:4 AEAD_AES_128_GCM inline:{GCM_KEY}\r\n\
         a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"
    ));
    for srtp in [SrtpPolicy::Preferred, SrtpPolicy::Required] {
        let agreed = answer_to(&offer, &policy(srtp)).unwrap();
        let (_, protocol, crypto) = open_line(&agreed);
        let crypto = crypto.unwrap();
        assert_eq!((protocol, crypto.tag, crypto.keys.suite), ("RTP/SAVP", 4, AeadAes128Gcm));
        assert_eq!(crypto.keys, sdes(&agreed).ours);
        assert_ne!(sdes(&agreed).ours, sdes(&agreed).theirs);
        assert_eq!(sdes(&agreed).theirs.keys[0].material()[..3], [0, 1, 2]);
    }
}

/// Every form of a best-effort offer is encrypted where SRTP is preferred or required, and plain where it is off.
#[test]
fn a3_best_effort_offers_of_every_form_are_encrypted() {
    let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\n");
    let head = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n";
    let acap = format!("a=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\n");
    let forms = [
        (
            "two lines, the secure one first",
            format!("{head}m=audio 9 RTP/SAVP 0\n{crypto}m=audio 9 RTP/AVP 0\n"),
            0,
            "RTP/SAVP",
            1,
        ),
        (
            "two lines, the plain one first",
            format!("{head}m=audio 9 RTP/AVP 0\nm=audio 9 RTP/SAVP 0\n{crypto}"),
            1,
            "RTP/SAVP",
            0,
        ),
        ("a=crypto in RTP/AVP", format!("{head}m=audio 9 RTP/AVP 0\n{crypto}a=encryption:optional\n"), 0, "RTP/AVP", 0),
        ("a=crypto in RTP/AVPF", format!("{head}m=audio 9 RTP/AVPF 0\n{crypto}"), 0, "RTP/AVPF", 0),
        ("capabilities", format!("{head}m=audio 9 RTP/AVP 0\na=tcap:1 RTP/SAVP\n{acap}a=pcfg:1 t=1 a=1\n"), 0, "RTP/SAVP", 0),
        (
            "of the session",
            format!("{head}a=tcap:1 RTP/SAVPF RTP/SAVP\n{acap}m=audio 9 RTP/AVP 0\na=pcfg:1 t=2 a=1\n"),
            0,
            "RTP/SAVP",
            0,
        ),
    ];
    for (name, offer, place, protocol, plain_place) in forms {
        for srtp in [SrtpPolicy::Preferred, SrtpPolicy::Required] {
            let agreed = answer_to(&read(&offer), &policy(srtp)).unwrap();
            assert_eq!(suite(&agreed), Some(AesCm128HmacSha1Tag80), "{name}");
            let (at, answered, crypto) = open_line(&agreed);
            assert_eq!((at, answered, crypto.unwrap().tag), (place, protocol, 1), "{name}");
        }
        let plain = answer_to(&read(&offer), &policy(SrtpPolicy::Off));
        let plain = plain.unwrap();
        let (at, protocol, crypto) = open_line(&plain);
        let plain_place = if name.starts_with("two lines, the secure") { 1 } else { plain_place };
        assert_eq!((at, protocol.starts_with("RTP/AVP"), crypto), (plain_place, true, None), "{name}");
    }
}

/// The configuration that is taken is named, with the numbers that it stands for.
#[test]
fn a3_a_potential_configuration_is_answered_by_its_number() {
    let offer = |lines: &str| audio("9 RTP/AVP 0", &lines.replace("KEY", KEY));
    let configuration = |lines: &str| {
        let agreed = answer_to(&offer(lines), &ours()).unwrap();
        let media = &agreed.local.media[0];
        (media.protocol.clone(), media.attribute("acfg").flatten().map(str::to_owned))
    };
    let caps = "a=tcap:1 RTP/SAVPF RTP/SAVP\r\na=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:KEY\r\na=acap:2 crypto:2 F8_128_HMAC_SHA1_80 inline:KEY\r\n\
                a=acap:3 ptime:30\r\n";
    let cases = [
        ("a=pcfg:1 t=1|2 a=1", "RTP/SAVPF", Some("1 t=1 a=1")),
        ("a=pcfg:7 t=1 a=2\r\na=pcfg:5 t=2 a=2|-m:1,[3]", "RTP/SAVP", Some("5 t=2 a=1,3")),
        ("a=pcfg:1 t=9 a=1\r\na=pcfg:2 t=2 a=9|1", "RTP/SAVP", Some("2 t=2 a=1")),
        ("a=pcfg:1 t=1 a=2", "RTP/AVP", None),
        ("a=pcfg:1 t=1 a=1 +new=1", "RTP/AVP", None),
        ("a=pcfg:1 a=1", "RTP/AVP", None),
        ("a=pcfg:x t=1 a=1", "RTP/AVP", None),
    ];
    for (line, protocol, taken) in cases {
        let got = configuration(&format!("{caps}{line}\r\n"));
        assert_eq!((got.0.as_str(), got.1.as_deref()), (protocol, taken), "{line}");
    }
}

#[test]
fn a3_a_policy_that_does_not_fit_is_refused_with_its_cause() {
    let plain = audio("9 RTP/AVP 0", "");
    let crypto = secure(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"));
    let dtls = audio("9 UDP/TLS/RTP/SAVP 0", "a=fingerprint:sha-256 AA\r\na=setup:actpass\r\n");
    let refused = |offer: &SessionDescription, srtp| answer_to(offer, &policy(srtp)).unwrap_err();
    assert_eq!(refused(&plain, SrtpPolicy::Required), AnswerError::SrtpRequired);
    assert_eq!(refused(&crypto, SrtpPolicy::Off), AnswerError::SrtpOff);
    assert_eq!(refused(&secure(""), SrtpPolicy::Preferred), AnswerError::NoCommonSuite);
    assert_eq!(refused(&dtls, SrtpPolicy::Preferred), AnswerError::UnusableFingerprint);
    let unknown = secure(&format!("a=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}\r\n"));
    let error = refused(&unknown, SrtpPolicy::Required);
    assert_eq!(error, AnswerError::NoCommonSuite);
    assert_eq!((error.cause().verdict().status, error.cause().verdict().label), (488, "no-common-encryption"));
}

/// While the peer keeps its key we keep ours; a new key of the peer is answered by a new one of ours.
#[test]
fn a3_keys_stay_while_the_peer_keeps_its_own_and_change_with_it() {
    let offer =
        |key: &str, direction: &str| secure(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\na={direction}\r\n"));
    let mut made = keys();
    let first = answer(&offer(KEY, "sendrecv"), &ours(), &mut made).unwrap();
    let held = answer(&offer(KEY, "sendonly"), &after(&first, SrtpPolicy::Preferred), &mut made).unwrap();
    assert_eq!(sdes(&held), sdes(&first));
    let again = answer(&offer(OTHER_KEY, "sendrecv"), &after(&held, SrtpPolicy::Preferred), &mut made).unwrap();
    assert_ne!(sdes(&again).ours, sdes(&first).ours);
    assert_ne!(sdes(&again).theirs, sdes(&first).theirs);
}

// === offering ===

/// Our offers: `required` is RTP/SAVP, `preferred` is RTP/AVP with `a=crypto`, `off` has none.
#[test]
fn a3_our_offer_follows_the_policy_and_its_answer_is_read() {
    let cases = [(SrtpPolicy::Required, "RTP/SAVP", 6), (SrtpPolicy::Preferred, "RTP/AVP", 6), (SrtpPolicy::Off, "RTP/AVP", 0)];
    for (srtp, protocol, count) in cases {
        let offered = offer_of(&policy(srtp));
        let media = &offered.media[0];
        let listed = media.attributes.iter().filter(|attribute| attribute.name == "crypto").count();
        assert_eq!((media.protocol.as_str(), listed), (protocol, count), "{srtp:?}");
        let peer = LocalCapabilities { srtp: SrtpPolicy::Preferred, ..ours() };
        let theirs = answer(&read(&offered.to_string()), &peer, &mut KeyGenerator::new([8; 32])).unwrap();
        let agreed = accept_answer(&offered, &read(&theirs.local.to_string()), &policy(srtp)).unwrap();
        assert_eq!(suite(&agreed), suite(&theirs), "{srtp:?}");
        if srtp != SrtpPolicy::Off {
            assert_eq!((&sdes(&agreed).ours, &sdes(&agreed).theirs), (&sdes(&theirs).theirs, &sdes(&theirs).ours));
        }
    }
}

#[test]
fn a3_a_plain_answer_is_taken_where_srtp_is_preferred_alone() {
    let plain = audio("9 RTP/AVP 0", "");
    let read_by = |srtp| accept_answer(&offer_of(&policy(srtp)), &plain, &policy(srtp)).map(|agreed| suite(&agreed));
    assert_eq!(read_by(SrtpPolicy::Required), Err(AnswerError::SrtpRequired));
    assert_eq!(read_by(SrtpPolicy::Preferred), Ok(None));
    assert_eq!(read_by(SrtpPolicy::Off), Ok(None));
    let strange = secure(&format!("a=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}\r\n"));
    let refused = accept_answer(&offer_of(&policy(SrtpPolicy::Required)), &strange, &policy(SrtpPolicy::Required));
    assert_eq!(refused.unwrap_err(), AnswerError::NoCommonSuite);
}

/// The suite tells which key of ours an answer has taken, where its tag is one of its own.
#[test]
fn a3_an_answer_with_a_tag_of_its_own_is_known_by_its_suite() {
    let offered = offer_of(&policy(SrtpPolicy::Required));
    for (suite_name, length) in [("AES_256_CM_HMAC_SHA1_80", 46), ("AEAD_AES_256_GCM", 44)] {
        use base64::Engine as _;
        let key = base64::engine::general_purpose::STANDARD.encode(vec![5; length]);
        let answer = secure(&format!("a=crypto:9 {suite_name} inline:{key}\r\n"));
        let agreed = accept_answer(&offered, &answer, &policy(SrtpPolicy::Required)).unwrap();
        assert!(matches!(suite(&agreed), Some(AesCm256HmacSha1Tag80 | AeadAes256Gcm)));
        let ours = CryptoAttribute { tag: 0, keys: sdes(&agreed).ours.clone() };
        let ours = ours.to_string();
        let key = ours.split("inline:").nth(1).unwrap();
        assert!(offered.to_string().contains(key), "a key that was offered");
    }
}

/// A later offer of ours says the key that was agreed on once more, and a plain call is offered plain again.
#[test]
fn a3_a_later_offer_keeps_key_and_protocol() {
    let first = answer_to(&secure(&format!("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n")), &ours()).unwrap();
    let again = offer_of(&after(&first, SrtpPolicy::Preferred));
    assert_eq!(again.media[0].protocol, "RTP/SAVP");
    assert_eq!(again.media[0].attribute("crypto"), first.local.media[0].attribute("crypto"));
    let plain = answer_to(&audio("9 RTP/AVP 0", ""), &ours()).unwrap();
    assert_eq!(offer_of(&after(&plain, SrtpPolicy::Preferred)).media[0].attribute("crypto"), None);
}

// === hostile input (X-1) ===

#[test]
fn a3_mutated_crypto_and_capabilities_never_panic() {
    let base = format!(
        "v=0\nc=IN IP4 10.0.0.1\na=tcap:1 RTP/SAVP\nm=audio 9 RTP/AVP 0\na=acap:1 crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4\n\
         a=pcfg:1 t=1|2 a=-m:1,[2]|3\na=crypto:1 AEAD_AES_128_GCM inline:{GCM_KEY}\n"
    );
    let mut random = SplitMix::new(3);
    let mut encrypted = 0;
    for _ in 0..20_000 {
        let mut body = base.clone().into_bytes();
        for _ in 0..=random.draw() % 4 {
            let at = (random.draw() as usize) % body.len();
            match random.draw() % 3 {
                0 => body[at] = random.draw() as u8,
                1 => drop(body.remove(at)),
                _ => body.insert(at, b"0123456789|:;,[]=t a-m\n"[(random.draw() % 23) as usize]),
            }
        }
        let Ok(session) = SessionDescription::parse(&body) else { continue };
        if let Ok(agreed) = answer_to(&session, &ours()) {
            encrypted += usize::from(suite(&agreed).is_some());
            assert_eq!(read(&agreed.local.to_string()).to_string(), agreed.local.to_string());
        }
    }
    assert!(encrypted > 5_000, "{encrypted}");
}
