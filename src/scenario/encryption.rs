//! Calls whose media is encrypted: phones that say so in every form, with keys that stay and keys that change.

use std::time::Duration;

use super::phone::encrypted::{OfferForm, SUITES};
use super::phone::handshake::PROFILES;
use super::world::World;
use crate::common::phrase::Phrase;

const OPEN_DOOR: &str = "[meeting.demo]\nbypass = \"everyone\"";

/// Every form of offer and every suite: phone and browser hear each other, and the record says how the call was encrypted.
#[test]
fn a3_phones_that_offer_srtp_in_any_form_are_heard_encrypted() {
    for (at, suite) in SUITES.into_iter().enumerate() {
        let world = World::with(OPEN_DOOR);
        let member = world.member();
        let phone = world.phone();
        phone.encrypts(OfferForm::ALL[at % OfferForm::ALL.len()], suite);
        phone.dials("1001");
        phone.hears(Phrase::Admitted);
        member.hears_only(&[phone.voice]);
        phone.hears_only(&[member.voice]);
        phone.hangs_up();
        member.leaves();
        world.passes(Duration::from_secs(3));
        assert_eq!(world.records()[0].encryption.as_deref(), Some(suite.name), "{suite:?}");
        world.nothing_left();
    }
}

/// A hold with the same key and a re-INVITE with another: our key stays with the first, and changes with the second.
#[test]
fn a3_keys_stay_through_a_hold_and_change_with_the_phones_own() {
    let world = World::with(OPEN_DOOR);
    let member = world.member();
    let phone = world.phone();
    phone.encrypts(OfferForm::CryptoInPlainLine, SUITES[0]);
    phone.dials("1001");
    phone.hears(Phrase::Admitted);
    let first = phone.gateway_key();
    phone.holds();
    world.passes(Duration::from_secs(30));
    phone.resumes();
    assert_eq!(phone.gateway_key(), first);
    member.hears_only(&[phone.voice]);
    phone.changes_its_key();
    assert_ne!(phone.gateway_key(), first);
    member.hears_only(&[phone.voice]);
    phone.hears_only(&[member.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A call without an offer is offered SRTP, and its port moves to the worker of its meeting with the contexts.
#[test]
fn a3_a_phone_that_wants_our_offer_is_offered_srtp() {
    let world = World::with(OPEN_DOOR);
    let member = world.member();
    let phone = world.phone();
    phone.encrypts(OfferForm::CryptoInPlainLine, SUITES[0]);
    phone.dials_without_an_offer("1001");
    phone.hears(Phrase::Admitted);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

#[test]
fn a3_a_policy_that_does_not_fit_is_refused_with_its_cause() {
    let policies = "[device.room-1]\nsrtp = \"required\"\n[device.room-2]\naddress = [\"10.0.1.2\"]\nsrtp = \"off\"";
    let world = World::with(policies);
    let (strict, plain) = (world.phone(), world.phone());
    assert!(strict.is_refused("1001", 488).contains("no-common-encryption"));
    plain.encrypts(OfferForm::Secure, SUITES[0]);
    assert!(plain.is_refused("1001", 488).contains("no-common-encryption"));
    strict.encrypts(OfferForm::Secure, SUITES[4]);
    strict.dials("1001");
    strict.hears(Phrase::WaitingForHost);
    strict.hangs_up();
    world.nothing_left();
}

/// Every role and profile of DTLS, in its own protocol and as best effort: heard both ways, across the move to the meeting's worker.
#[test]
fn a3_phones_whose_keys_come_by_dtls_are_heard_encrypted() {
    let forms = ["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF", "RTP/AVP", "RTP/SAVP"];
    for (at, profile) in PROFILES.into_iter().enumerate() {
        let world = World::with(OPEN_DOOR);
        let member = world.member();
        let phone = world.phone();
        phone.shakes_hands(forms[at], ["actpass", "active", "passive", "actpass"][at], profile);
        phone.dials("1001");
        phone.hears(Phrase::Admitted);
        member.hears_only(&[phone.voice]);
        phone.hears_only(&[member.voice]);
        phone.hangs_up();
        member.leaves();
        world.passes(Duration::from_secs(3));
        assert_eq!(world.records()[0].encryption.as_deref(), Some(profile.name), "{profile:?}");
        world.nothing_left();
    }
}

/// A hold with the same fingerprint keeps the association; another fingerprint begins a new one.
#[test]
fn a3_an_association_stays_through_a_hold() {
    let world = World::with(OPEN_DOOR);
    let member = world.member();
    let phone = world.phone();
    phone.shakes_hands("UDP/TLS/RTP/SAVP", "actpass", PROFILES[0]);
    phone.dials("1001");
    phone.hears(Phrase::Admitted);
    phone.holds();
    world.passes(Duration::from_secs(30));
    phone.resumes();
    assert_eq!(phone.handshakes(), 1);
    member.hears_only(&[phone.voice]);
    phone.changes_its_certificate();
    world.passes(Duration::from_secs(1));
    assert_eq!(phone.handshakes(), 2);
    member.hears_only(&[phone.voice]);
    phone.hears_only(&[member.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A certificate that is none of those described ends the call by name, and no packet of media has passed.
#[test]
fn a3_a_certificate_that_was_not_described_ends_the_call() {
    let world = World::with(OPEN_DOOR);
    for setup in ["active", "passive"] {
        let phone = world.phone();
        phone.shakes_hands("UDP/TLS/RTP/SAVP", setup, PROFILES[2]);
        phone.names_another_certificate();
        phone.rings("1001");
        assert!(phone.is_hung_up().contains("wrong-fingerprint"), "{setup}");
        assert!(phone.line().got.is_empty(), "{setup}");
    }
    world.nothing_left();
}

/// A device that offers a handshake and never begins it is hung up with that cause, and is sent nothing.
#[test]
fn a3_a_handshake_that_never_comes_ends_the_call() {
    let world = World::with(OPEN_DOOR);
    let phone = world.phone();
    phone.shakes_hands("UDP/TLS/RTP/SAVP", "active", PROFILES[2]);
    phone.never_shakes_hands();
    phone.rings("1001");
    assert!(phone.is_hung_up().contains("handshake-failed"));
    assert!(phone.line().got.is_empty());
    world.nothing_left();
}
