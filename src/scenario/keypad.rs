//! The keys in a meeting (K-2, K-4), and hold (S-5).

use super::world::World;
use crate::common::phrase::Phrase;

#[test]
fn k2_every_key_does_what_it_says_and_says_what_it_did() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    phone.presses("*1");
    phone.hears(Phrase::Help);
    phone.presses("*5");
    phone.hears(Phrase::HandRaised);
    member.shows(phone.voice, "hand", true);
    phone.presses("*5");
    phone.hears(Phrase::HandLowered);
    member.shows(phone.voice, "hand", false);
    phone.presses("*3");
    phone.hears(Phrase::NotAvailable);
    phone.presses("*9");
    phone.hears(Phrase::Goodbye);
    assert!(phone.is_hung_up().contains("left"));
    member.leaves();
    world.nothing_left();
}

/// The organisers pin lends a phone the lobby keys and the external mark stays.
#[test]
fn k2_the_organisers_pin_lends_a_phone_the_lobby_keys() {
    let world = World::new();
    let member = world.member();
    let (phone, other) = (world.phone(), world.phone());
    phone.is_admitted_by(&member);
    other.dials("1001");
    other.hears(Phrase::InLobby);
    phone.presses("*81111#");
    phone.hears(Phrase::PinWrong);
    phone.presses("*82468#");
    phone.hears(Phrase::PinAccepted);
    member.shows(phone.voice, "kind", "external");
    phone.presses("*21");
    phone.hears(Phrase::AllAdmitted);
    other.hears(Phrase::Admitted);
    other.hears_only(&[member.voice, phone.voice]);
    other.hangs_up();
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A phone that holds is shown so and its music never reaches the meeting.
#[test]
fn s5_a_phone_that_holds_is_shown_so_and_its_music_never() {
    let world = World::new();
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    member.admits(&phone);
    member.hears_only(&[phone.voice]);
    let from = world.now();
    phone.holds();
    member.shows(phone.voice, "on_hold", true);
    member.hears_nobody();
    member.heard_no_hold_music(from);
    phone.resumes();
    member.shows(phone.voice, "on_hold", false);
    member.hears_only(&[phone.voice]);
    phone.hears_only(&[member.voice]);
    member.heard_no_hold_music(from);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}
