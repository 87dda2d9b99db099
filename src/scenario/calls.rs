//! Calls and their audio (S-2 … S-8, A-1 … A-5), the end of the daemon (O-4), and peers that mean no good (X-1 … X-3).

use std::net::SocketAddr;
use std::time::Duration;

use super::phone::Phone;
use super::world::World;
use crate::codec::CodecKind;
use crate::common::phrase::Phrase;
use crate::common::split_mix::SplitMix;

const BYPASS_EVERYONE: &str = "[meeting.demo]\nbypass = \"everyone\"";

/// Phones of every codec and a browser all hear each other and not themselves.
#[test]
fn a1_phones_of_every_codec_and_a_browser_all_hear() {
    // All five hum at once.
    let world = World::with("[meeting.demo]\nbypass = \"everyone\"\nspeakers = 5");
    let member = world.member();
    let phones = [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::G722, CodecKind::Opus].map(|codec| world.phone_with(codec));
    for phone in &phones {
        phone.joins("1001");
    }
    let (from, to) = world.listens();
    let all: Vec<_> = phones.iter().map(|phone| phone.voice).chain([member.voice]).collect();
    for phone in &phones {
        let others: Vec<_> = all.iter().copied().filter(|voice| *voice != phone.voice).collect();
        phone.heard_only(&others, from, to);
    }
    member.heard_only(&all[..4], from, to);
    phones.iter().for_each(Phone::hangs_up);
    member.leaves();
    world.nothing_left();
}

/// Phones that have nothing but L16, one of them at a rate that no other end uses.
#[test]
fn a1_phones_of_l16_hear_and_are_heard() {
    let world = World::with(BYPASS_EVERYONE);
    let member = world.member();
    let phones = [CodecKind::L16Wide, CodecKind::L16Disc].map(|codec| world.phone_with(codec));
    for phone in &phones {
        phone.joins("1001");
    }
    phones[0].hears_only(&[member.voice, phones[1].voice]);
    phones[1].hears_only(&[member.voice, phones[0].voice]);
    member.hears_only(&[phones[0].voice, phones[1].voice]);
    phones.iter().for_each(Phone::hangs_up);
    member.leaves();
    world.nothing_left();
}

#[test]
fn a2_keys_are_commands_to_us_and_never_heard_in_the_meeting() {
    let world = World::with(BYPASS_EVERYONE);
    let member = world.member();
    let phone = world.joined_phone();
    let from = world.now();
    phone.presses("*5");
    phone.hears(Phrase::HandRaised);
    // The tones of `*` and of `5` (ITU-T Q.23), and what was heard before and after.
    member.heard_none_of(&[941.0, 1_209.0, 770.0, 1_336.0], from);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A phone of whose packets one in seven is lost is still heard.
#[test]
fn a4_a_phone_of_whose_packets_one_in_seven_is_lost() {
    let world = World::with(BYPASS_EVERYONE);
    let member = world.member();
    let phone = world.joined_phone();
    phone.is_lost_one_in(7);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.leaves();
    world.passes(Duration::from_secs(3));
    assert!(world.records()[0].lost > 5);
    world.nothing_left();
}

/// An invite that comes twice is one call and one given up is none.
#[test]
fn s2_an_invite_that_comes_twice_is_one_call_and_one_given() {
    let world = World::new();
    let phone = world.phone();
    phone.rings("1001");
    phone.repeats_its_invite();
    phone.hears(Phrase::WaitingForHost);
    phone.repeats_its_invite();
    world.passes(Duration::from_secs(2));
    assert_eq!(world.ports().iter().sum::<usize>(), 1);
    phone.hangs_up();

    phone.rings_and_gives_up("1001");
    world.nothing_left();
}

/// A call without an offer is offered every codec and hears us.
#[test]
fn s4_a_call_without_an_offer_is_offered_every_codec_and_hears() {
    let world = World::with(BYPASS_EVERYONE);
    let member = world.member();
    let phone = world.phone_with(CodecKind::G722);
    phone.dials_without_an_offer("1001");
    phone.hears(Phrase::Admitted);
    phone.hears_only(&[member.voice]);
    member.hears_only(&[phone.voice]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// Rtp of somebody else reaches nobody and an empty pool is a 503.
#[test]
fn s7_rtp_of_somebody_else_reaches_nobody_and_an_empty_pool() {
    let world = World::with("[media]\nrtp_ports = \"20000-20001\"\n[meeting.demo]\nbypass = \"everyone\"");
    let member = world.member();
    let (phone, second) = (world.phone(), world.phone());
    phone.joins("1001");
    assert!(second.is_refused("1001", 503).contains("no-ports"));
    let stranger = world.stranger();
    let port = phone.line().remote.expect("a call");
    for seq in 0..100_u16 {
        let [high, low] = seq.to_be_bytes();
        let mut packet = vec![0x80, 0, high, low, 0, 0, high, low, 1, 2, 3, 4];
        packet.extend((0..160).map(|at| if at % 8 < 4 { 0x10 } else { 0x90 }));
        stranger.send_to(&packet, port).expect("sent");
        world.passes(Duration::from_millis(20));
    }
    let to = world.now();
    // 1 kHz, as loud as can be.
    member.heard_none_of(&[1_000.0], to - Duration::from_secs(2));
    member.hears_only(&[phone.voice]);
    phone.hears_only(&[member.voice]);
    phone.hangs_up();
    // A port rests for two seconds after its call.
    second.is_refused("1001", 503);
    world.passes(Duration::from_secs(2));
    second.joins("1001");
    second.hangs_up();
    member.leaves();
    world.nothing_left();
}

#[test]
fn s8_a_refusal_says_why() {
    let world = World::new();
    let phone = world.phone();
    assert!(phone.is_refused("9999", 404).contains("unknown-address"));
    phone.hears(Phrase::ConferenceIdUnknown);
    phone.offers_only("99 unheard-of/8000");
    assert!(phone.is_refused("1001", 488).contains("no-common-codec"));
    world.nothing_left();
}

#[test]
fn a_phone_whose_power_fails_is_given_up() {
    let world = World::with("[media]\nmedia_timeout = \"20s\"");
    let phone = world.phone();
    phone.dials("1001");
    phone.hears(Phrase::WaitingForHost);
    phone.falls_silent();
    // 20 s of silence, and 32 s in which the OPTIONS is not answered (RFC 3261, timer F).
    world.passes(Duration::from_secs(30));
    assert!(phone.is_hung_up().contains("media-timeout"));
    world.nothing_left();
}

/// A muted phone that sends no packet for many periods stays, because it answers OPTIONS, and is heard when it speaks again.
#[test]
fn a1_a_muted_phone_stays_as_long_as_it_answers() {
    let world = World::with("[media]\nmedia_timeout = \"20s\"");
    let member = world.member();
    let phone = world.admitted_phone(&member);
    phone.sends_nothing();
    world.passes(Duration::from_secs(300));
    phone.sends_again();
    member.hears_only(&[phone.voice]);
    phone.hears_only(&[member.voice]);
    phone.falls_silent();
    world.passes(Duration::from_secs(30));
    assert!(phone.is_hung_up().contains("media-timeout"));
    member.leaves();
    world.nothing_left();
}

/// A gateway that stops takes no new calls and ends present ones with words.
#[test]
fn o4_a_gateway_that_stops_takes_no_new_calls_and_ends_present() {
    let world = World::with(BYPASS_EVERYONE);
    let member = world.member();
    let (inside, late) = (world.phone(), world.phone());
    inside.joins("1001");
    world.drains();
    late.is_refused("1001", 503);
    inside.hears(Phrase::Closing);
    assert!(inside.is_hung_up().contains("draining"));
    member.leaves();
    world.nothing_left();
}

/// A call that is being set up while the gateway stops is told too.
#[test]
fn o4_a_call_that_is_being_set_up_while_the_gateway_stops() {
    let world = World::new();
    let phone = world.phone();
    phone.dials_and_withholds_its_ack("1001");
    world.drains();
    phone.sends_its_ack();
    phone.hears(Phrase::Closing);
    assert!(phone.is_hung_up().contains("draining"));
    world.nothing_left();
}

/// A call whose ack does not come ends within two seconds for operator and drain.
#[test]
fn o4_a_call_whose_ack_does_not_come_ends_within_two_seconds() {
    for drains in [false, true] {
        let world = World::new();
        let phone = world.phone();
        phone.dials_and_withholds_its_ack("1001");
        if drains {
            world.drains()
        } else {
            world.operator_hangs_up()
        }
        world.passes(Duration::from_secs(2));
        // Its last step is its record, which the store writes in real time: it is written when the store answers.
        let records = world.records();
        world.passes(Duration::from_millis(1));
        assert_eq!(world.calls_up(), (0, 0), "drains: {drains}");
        let [record] = &records[..] else { panic!("{records:?}") };
        let reason = if drains { "draining" } else { "ended-by-operator" };
        assert_eq!((record.end_reason.as_str(), record.answered_at, &record.codec), (reason, None, &None));
        // RFC 3261 section 15: no BYE before the ACK, and at once after it.
        phone.sends_its_ack();
        assert!(phone.is_hung_up().contains(reason));
        world.nothing_left();
    }
}

#[test]
fn x1_rubbish_to_every_port_leaves_a_call_as_it_is() {
    let world = World::with(BYPASS_EVERYONE);
    let member = world.member();
    let phone = world.joined_phone();
    let (stranger, mut random) = (world.stranger(), SplitMix::new(5));
    let media = phone.line().remote.expect("a call");
    let ports = [world.gateway(), media, SocketAddr::new(media.ip(), media.port() + 1), SocketAddr::new(media.ip(), 8189)];
    let since = world.now();
    for round in 0..1_000_usize {
        let length = random.draw() % 300;
        let mut rubbish: Vec<u8> = (0..length).map(|_| random.draw() as u8).collect();
        if round % 2 == 0
            && let Some(first) = rubbish.first_mut()
        {
            *first = [0x80, 0x00, 0x16, b'I'][round % 4];
        }
        stranger.send_to(&rubbish, ports[round % 4]).expect("sent");
        if round % 50 == 0 {
            world.passes(Duration::from_millis(20));
        }
    }
    phone.hears_only(&[member.voice]);
    member.hears_only(&[phone.voice]);
    phone.had_no_gap(since);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// A scanner is not answered and one call too many is refused.
#[test]
fn x2_a_scanner_is_not_answered_and_one_call_too_many() {
    let world = World::with("[sip]\nmax_calls = 1");
    let (phone, second) = (world.phone(), world.phone());
    second.rings_as("100", |dialog| dialog.user_agent = "friendly-scanner".to_owned());
    second.is_not_answered();
    phone.dials("1001");
    phone.hears(Phrase::WaitingForHost);
    second.is_refused("1001", 503);
    phone.hangs_up();
    world.passes(Duration::from_secs(1));
    second.dials("1001");
    second.hears(Phrase::WaitingForHost);
    second.hangs_up();
    world.nothing_left();
}

/// A call for help is told that it reaches nobody here or is sent to who answers it.
#[test]
fn s10_a_call_for_help_is_told_that_it_reaches_nobody_here() {
    let world = World::new();
    let phone = world.phone();
    assert!(phone.is_refused("112", 403).contains("no-emergency-calls"));
    phone.hears(Phrase::NoEmergencyCalls);
    phone.rings("911");
    phone.begins_to_hear(Phrase::NoEmergencyCalls);
    phone.gives_up();
    world.nothing_left();

    let world = World::with("[sip.emergency]\ncountries = [\"de\"]\ntarget = \"sip:110@pbx.example.com\"");
    let phone = world.phone();
    phone.is_refused("110", 302);
    phone.dials("1001");
    phone.hears(Phrase::WaitingForHost);
    phone.hangs_up();
    world.nothing_left();
}

/// What a phone writes reaches those inside once it is inside itself.
#[test]
fn c1_what_a_phone_writes_reaches_those_inside_once() {
    let world = World::new();
    let (member, phone) = (world.member(), world.phone());
    phone.dials("1001");
    phone.hears(Phrase::InLobby);
    phone.writes("from the lobby", 403);
    member.admits(&phone);
    phone.hears(Phrase::Admitted);
    phone.writes("Good morning", 200);
    phone.hears_only(&[member.voice]);
    assert_eq!(member.has_read(), ["Good morning"]);
    phone.hangs_up();
    member.leaves();
    world.nothing_left();
}

/// The chat is shown on the display of a device that is inside and wants it.
#[test]
fn c1_the_chat_is_shown_on_the_display_of_a_device() {
    let world = World::with("[device.room-1]\ntext = true\n[device.room-2]\naddress = [\"10.0.1.2\"]\nname = \"Room 2\"\n");
    let (member, one, two) = (world.member(), world.phone(), world.phone());
    for phone in [&one, &two] {
        phone.rings_as("1001", |dialog| dialog.more = "Allow: INVITE, ACK, BYE, MESSAGE\r\n".to_owned());
        phone.hears(Phrase::InLobby);
    }
    member.chats("too early");
    member.admits(&one);
    member.admits(&two);
    one.hears(Phrase::Admitted);
    two.hears(Phrase::Admitted);
    member.chats("Grüße");
    one.writes("Hello", 200);
    one.hears_only(&[member.voice, two.voice]);
    assert_eq!(one.has_read(), ["Ada: Grüße"], "and not what it has written itself");
    assert!(two.has_read().is_empty());
    one.hangs_up();
    two.hangs_up();
    member.leaves();
    world.nothing_left();
}
