//! Whose microphone is whose to open, whatever happens to its connection (K-4).

use std::time::Duration;

use super::world::World;
use crate::common::phrase::Phrase;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Mute is one state for the keypad and the page and a host asks for what it has not closed.
#[test]
fn k4_mute_is_one_state_for_the_keypad_and_the_page_and_a_host() {
    let world = World::new();
    let member = world.member();
    let phone = world.admitted_phone(&member);
    phone.presses("*6");
    phone.hears(Phrase::Muted);
    member.shows(phone.voice, "muted_by", "owner");
    member.hears_nobody();
    phone.hears_only(&[member.voice]);
    member.mutes(phone.voice, false);
    phone.hears(Phrase::UnmuteAsked);
    member.shows(phone.voice, "muted", true);
    member.hears_nobody();
    phone.presses("*6");
    phone.hears(Phrase::Unmuted);
    member.hears_only(&[phone.voice]);
    member.mutes(phone.voice, true);
    phone.hears(Phrase::MutedByHost);
    member.shows(phone.voice, "muted_by", "host");
    member.hears_nobody();
    member.mutes(phone.voice, false);
    phone.hears(Phrase::UnmutedByHost);
    member.shows(phone.voice, "muted", false);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A hosts mute is lifted by the phone only where the meeting lets it.
#[test]
fn k4_a_hosts_mute_is_lifted_by_the_phone() {
    let world = World::with("[meeting.board]\nunmute_after_host_mute = true\nconference_id = \"1002\"\npasscode = \"4321\"");
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    member.admits(&phone);
    member.mutes(phone.voice, true);
    phone.hears(Phrase::MutedByHost);
    phone.presses("*6");
    phone.hears(Phrase::MuteLockedHandRaised);
    member.shows(phone.voice, "hand", true);
    member.shows(phone.voice, "muted", true);
    member.hears_nobody();
    phone.hangs_up();
    member.leaves();
    world.nothing_left();

    let world = World::with("[meeting.demo]\nunmute_after_host_mute = true");
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    member.admits(&phone);
    member.mutes(phone.voice, true);
    phone.hears(Phrase::MutedByHost);
    phone.presses("*6");
    phone.hears(Phrase::Unmuted);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A phone that a host has muted is muted when it dials again.
#[test]
fn k4_a_phone_that_a_host_has_muted_is_muted_when_it_dials() {
    let world = World::new();
    let member = world.member();
    let phone = world.phone();
    phone.dials("1001");
    member.admits(&phone);
    member.mutes(phone.voice, true);
    phone.hears(Phrase::MutedByHost);
    phone.hangs_up();
    world.passes(seconds(2));
    phone.dials("1001");
    member.admits(&phone);
    phone.hears(Phrase::MutedByHost);
    member.shows(phone.voice, "muted_by", "host");
    member.hears_nobody();
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A page whose microphone its owner has closed is asked and opens it itself.
#[test]
fn k4_a_page_whose_microphone_its_owner_has_closed_is_asked() {
    let world = World::new();
    let (host, other) = (world.member(), world.other_member());
    other.mutes_itself(true);
    host.shows(other.voice, "muted_by", "owner");
    host.mutes(other.voice, false);
    other.is_asked_to_unmute_by(host.voice);
    host.shows(other.voice, "muted", true);
    host.hears_nobody();
    other.mutes_itself(false);
    host.shows(other.voice, "muted", false);
    host.hears_only(&[other.voice]);
    other.leaves();
    host.leaves();
    world.nothing_left();
}
