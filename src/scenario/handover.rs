//! Phones that are called into a meeting (S-9), and phones that hand their place over (M-18).

use std::time::Duration;

use super::world::World;
use crate::call::OutboundProgress;
use crate::common::cause::Cause;
use crate::common::phrase::Phrase;

const ROOM_2: &str = "[device.room-2]\naddress = [\"10.0.1.2\"]\nname = \"Room 2\"\n";

/// Who answers a device that is called hears which meeting presses 1 and knocks.
#[test]
fn s9_who_answers_a_device_that_is_called_hears_which_meeting() {
    let world = World::new();
    let (member, phone) = (world.member(), world.phone());
    let mut call = world.calls("room-1", "demo");
    phone.shows_who_calls("1001");
    phone.picks_up();
    phone.hears(Phrase::Invited);
    phone.hears(Phrase::ItsNumberIs);
    phone.hears(Phrase::PressOneToJoin);
    phone.hears_nobody();
    assert!(!member.names().contains(&"Room 1".to_owned()), "not before it says so");
    phone.presses("7");
    phone.hears(Phrase::NotAvailable);
    phone.hears(Phrase::PressOneToJoin);
    phone.presses("1");
    phone.hears(Phrase::InLobby);
    member.hears_nobody();
    member.admits(&phone);
    phone.hears(Phrase::Admitted);
    phone.hears_only(&[member.voice]);
    member.hears_only(&[phone.voice]);
    assert_eq!(call.steps(), [OutboundProgress::Ringing, OutboundProgress::Answered, OutboundProgress::Knocked]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// Who does not want to come stays out and whoever called is told why.
#[test]
fn s9_who_does_not_want_to_come_stays_out_and_whoever_called() {
    let world = World::with(ROOM_2);
    let (member, one, two) = (world.member(), world.phone(), world.phone());
    let mut call = world.calls("room-1", "demo");
    one.declines();
    world.passes(Duration::from_secs(1));
    assert_eq!(call.steps(), [OutboundProgress::Ringing, OutboundProgress::Failed(Cause::Declined)]);

    let mut call = world.calls("room-2", "demo");
    two.picks_up();
    two.hears(Phrase::Invited);
    two.presses("2");
    two.hears(Phrase::Goodbye);
    assert!(two.is_hung_up().contains("declined"));
    world.passes(Duration::from_secs(3));
    assert_eq!(call.steps(), [OutboundProgress::Ringing, OutboundProgress::Answered, OutboundProgress::Failed(Cause::Declined)]);

    // A machine that takes the call presses nothing.
    let mut call = world.calls("room-1", "demo");
    one.picks_up();
    one.hears(Phrase::PressOneToJoin);
    world.passes(Duration::from_secs(100));
    assert!(one.is_hung_up().contains("no-input"));
    assert_eq!(call.steps().last(), Some(&OutboundProgress::Failed(Cause::NoInput)));
    assert_eq!(member.names(), ["Ada"]);
    member.leaves();
    world.nothing_left();
}

/// A device that does not answer rings for a minute and one that is nowhere fails at once.
#[test]
fn s9_a_device_that_does_not_answer_rings_for_a_minute() {
    let world = World::with("[device.gone]\nusername = \"gone\"\npassword = \"12345678\"\n");
    let phone = world.phone();
    let mut call = world.calls("gone", "demo");
    world.passes(Duration::from_millis(20));
    assert_eq!(call.steps(), [OutboundProgress::Failed(Cause::NotReachable)]);
    let mut call = world.calls("room-1", "demo");
    phone.shows_who_calls("1001");
    let mut again = world.calls("room-1", "demo");
    world.passes(Duration::from_secs(1));
    assert_eq!(again.steps(), [OutboundProgress::Failed(Cause::Refused(486))], "it rings once, whoever calls it");
    world.passes(Duration::from_secs(58));
    assert_eq!(call.steps(), [OutboundProgress::Ringing]);
    world.passes(Duration::from_secs(2));
    assert_eq!(call.steps(), [OutboundProgress::Ringing, OutboundProgress::Failed(Cause::NoAnswer)]);
    world.nothing_left();
}

/// A phone that hands over stays until the other knocks which waits and is told anew.
#[test]
fn m18_a_phone_that_hands_over_stays_until_the_other_knocks() {
    let world = World::with(ROOM_2);
    let (member, one, two) = (world.member(), world.phone(), world.phone());
    one.is_admitted_by(&member);
    member.records("on");
    one.hears(Phrase::RecordingStarted);
    one.hands_over_to("sip:10.0.1.2", 202);
    two.picks_up();
    two.hears(Phrase::Invited);
    one.hears_only(&[member.voice]);
    two.hears(Phrase::PressOneToJoin);
    two.hears_nobody();
    assert!(!one.has_ended() && !one.was_notified().iter().any(|line| line.contains("200")));
    two.presses("1");
    two.hears(Phrase::InLobby);
    assert!(one.is_hung_up().contains("transferred"));
    assert_eq!(one.was_notified().last().map(String::as_str), Some("SIP/2.0 200 OK"));
    two.hears_nobody();
    member.hears_nobody();
    let admitted = world.now();
    member.admits(&two);
    let notice = two.hears(Phrase::RecordingOn);
    member.heard_only(&[], admitted, notice.to);
    two.hears_only(&[member.voice]);
    two.hangs_up();
    member.records("off");
    member.leaves();
    world.nothing_left();
}

/// A phone hands over a place inside once in a while and in the lobby it has none.
#[test]
fn m18_a_phone_hands_over_a_place_inside_once() {
    let world = World::with(ROOM_2);
    let (member, one, two) = (world.member(), world.phone(), world.phone());
    one.dials("1001");
    one.hears(Phrase::InLobby);
    one.hands_over_to("sip:10.0.1.2", 480);
    member.admits(&one);
    one.hears(Phrase::Admitted);
    one.hands_over_to("sip:10.0.1.2", 202);
    two.declines();
    world.passes(Duration::from_secs(1));
    assert_eq!(one.was_notified().last().map(String::as_str), Some("SIP/2.0 603 Decline"));
    one.hands_over_to("sip:10.0.1.2", 480);
    world.passes(Duration::from_secs(20));
    one.hands_over_to("sip:10.0.1.2", 202);
    two.picks_up();
    two.hears(Phrase::PressOneToJoin);
    two.presses("1");
    two.hears(Phrase::InLobby);
    one.is_hung_up();
    two.hears_nobody();
    member.about("deny", two.voice);
    two.hears(Phrase::Denied);
    two.is_hung_up();
    member.leaves();
    world.nothing_left();
}

/// A phone hands over to nobody but our devices and a stranger to nobody.
#[test]
fn m18_and_x3_a_phone_hands_over_to_nobody_but_our_devices() {
    let world = World::with(ROOM_2);
    let (member, one, two) = (world.member(), world.phone(), world.phone());
    one.is_admitted_by(&member);
    for target in ["sip:1002@10.0.0.1", "sip:900@192.0.2.1", "tel:+1900", "sip:room-2@192.0.2.1", "sip:10.0.1.2;method=BYE"] {
        one.hands_over_to(target, 403);
    }
    let stranger = world.admitted_phone(&member);
    stranger.hands_over_to("sip:10.0.1.2", 403);
    assert!(!two.has_ended());
    one.hangs_up();
    stranger.hangs_up();
    member.leaves();
    world.nothing_left();
}

#[test]
fn m18_a_phone_that_takes_anothers_place_knocks_itself() {
    let world = World::with(ROOM_2);
    let (member, one, two) = (world.member(), world.phone(), world.phone());
    one.dials("1002");
    one.hears(Phrase::EnterPasscode);
    one.presses("4321#");
    one.hears(Phrase::WaitingForHost);
    let replaced = one.as_replaced();
    two.rings_as("roomgate", |dialog| dialog.more = format!("Replaces: {replaced}\r\nRequire: replaces\r\n"));
    two.hears(Phrase::WaitingForHost);
    assert!(one.is_hung_up().contains("transferred"));
    two.hangs_up();

    let stranger = world.phone();
    let nobody = replaced.replace("to-tag=", "to-tag=x");
    two.rings_as("roomgate", |dialog| dialog.more = format!("Replaces: {nobody}\r\n"));
    two.is_refused_with(481);
    one.dials("1001");
    one.hears(Phrase::InLobby);
    let replaced = one.as_replaced();
    stranger.rings_as("roomgate", |dialog| dialog.more = format!("Replaces: {replaced}\r\n"));
    stranger.is_refused_with(403);
    one.hangs_up();
    member.leaves();
    world.nothing_left();
}

#[test]
fn k4_whoever_takes_the_place_of_a_muted_phone_is_muted() {
    let world = World::with(ROOM_2);
    let (member, one, two) = (world.member(), world.phone(), world.phone());
    one.is_admitted_by(&member);
    one.presses("*6");
    one.hears(Phrase::Muted);
    one.hands_over_to("sip:10.0.1.2", 202);
    two.picks_up();
    two.hears(Phrase::PressOneToJoin);
    two.presses("1");
    two.hears(Phrase::InLobby);
    one.is_hung_up();
    member.admits(&two);
    two.hears(Phrase::Muted);
    member.shows(two.voice, "muted_by", "owner");
    member.hears_nobody();
    two.presses("*6");
    two.hears(Phrase::Unmuted);
    member.hears_only(&[two.voice]);

    member.mutes(two.voice, true);
    two.hears(Phrase::MutedByHost);
    let replaced = two.as_replaced();
    one.rings_as("roomgate", |dialog| dialog.more = format!("Replaces: {replaced}\r\nRequire: replaces\r\n"));
    one.hears(Phrase::InLobby);
    two.is_hung_up();
    member.admits(&one);
    one.hears(Phrase::MutedByHost);
    member.shows(one.voice, "muted_by", "both");
    one.hangs_up();
    member.leaves();
    world.nothing_left();
}
