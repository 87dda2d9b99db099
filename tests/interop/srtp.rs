//! Phones that encrypt their media, with the SRTP of others: SDES and DTLS of baresip (libre, OpenSSL), SDES of PJSIP (libsrtp).

use serde_json::json;

use crate::audio::Sound;
use crate::baresip::{Baresip, Codec, MediaEncryption, Transport};
use crate::browser::Browser;
use crate::daemon::Daemon;
use crate::namespace::isolated;
use crate::pjsip::Pjsip;

/// Alice's tone.
const ALICE: f64 = 611.0;
/// The phone's tone.
const PHONE: f64 = 1011.0;

/// Asserts that this is somebody's tone, without a hole.
fn assert_heard(sound: &Sound, hertz: f64, who: &str) {
    let tone =
        sound.tone(hertz).unwrap_or_else(|| panic!("{who}: no tone at {hertz}; everything together has {}", sound.level()));
    println!("{who}: {tone:?}");
    assert!((tone.hertz - hertz).abs() < 2.0 && tone.gaps.is_empty(), "{who}: {tone:?}");
}

/// How the daemon says that its only call is encrypted.
fn encryption(daemon: &Daemon) -> String {
    daemon.status()["calls"][0]["encryption"].as_str().unwrap_or("none").to_owned()
}

/// A phone calls, is admitted, and both hear each other; gives how the daemon says that the call is encrypted.
fn talks(daemon: &Daemon, alice: &mut Browser, mut phone: Baresip, who: &str) -> String {
    phone.dial("sip:1001@127.0.0.1:5060");
    alice.wait("lobby-row");
    alice.click("admit");
    alice.until("roster-row", "the phone is inside, marked as external", |row| row.shows("external-mark"));
    // Its prompt of welcome, then nothing but the meeting.
    phone.hear(6.0);
    let inside = phone.hear(6.0);
    assert_heard(&inside, ALICE, &format!("{who} hears Alice"));
    assert_heard(&alice.heard().last(6.0), PHONE, &format!("Alice hears {who}"));
    let encryption = encryption(daemon);
    phone.hang_up();
    alice.gone("roster-row", "External");
    encryption
}

#[test]
fn a3_baresip_is_heard_encrypted_where_it_may_and_where_it_must() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        let cases = [(5070, MediaEncryption::SdesOptional, Codec::Pcma), (5080, MediaEncryption::SdesMandatory, Codec::G722)];
        for (port, encryption, codec) in cases {
            let phone = Baresip::start_encrypted(daemon.folder(), port, codec, Transport::Udp, PHONE, encryption);
            let suite = talks(&daemon, &mut alice, phone, &format!("{encryption:?}"));
            println!("{encryption:?}: {suite}");
            assert!(suite.starts_with("AEAD_AES") || suite.starts_with("AES_CM"), "{suite}");
        }
    });
}

/// Suites of 256 bits and of a short tag, by libsrtp; held and resumed, so that the keys have to stay in step.
#[test]
fn a3_pjsip_talks_by_suites_of_256_bits_and_of_short_tags() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        for (port, suite) in [(5062, "AES_256_CM_HMAC_SHA1_80"), (5064, "AES_CM_128_HMAC_SHA1_32")] {
            let mut phone = Pjsip::start_with(daemon.folder(), port, PHONE, &json!({ "srtp": suite }));
            phone.dial("sip:1001@127.0.0.1:5060");
            alice.wait("lobby-row");
            alice.click("admit");
            phone.hear_clear(ALICE, 2.0);
            phone.hold();
            phone.resume();
            phone.hear_clear(ALICE, 2.0);
            assert_eq!(encryption(&daemon), suite);
            assert!(alice.heard().last(2.0).tone(PHONE).is_some(), "Alice hears PJSIP by {suite}");
            phone.hang_up();
            alice.gone("roster-row", "External");
        }
    });
}

/// OpenSSL's handshake, and libre's SRTP with its keys.
#[test]
fn a3_baresip_is_heard_encrypted_with_keys_by_dtls() {
    isolated(|| {
        let daemon = Daemon::start();
        let mut alice = Browser::start(daemon.folder(), "alice", ALICE);
        alice.enter(&daemon.link("demo", true));
        alice.join("Alice");
        let phone = Baresip::start_encrypted(daemon.folder(), 5070, Codec::G722, Transport::Udp, PHONE, MediaEncryption::Dtls);
        let suite = talks(&daemon, &mut alice, phone, "DTLS");
        println!("DTLS: {suite}");
        assert!(suite.starts_with("DTLS: AE"), "{suite}");
    });
}
