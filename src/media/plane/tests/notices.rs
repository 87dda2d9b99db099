//! Notices: when they are played, and in which packets (N-3, N-6, N-8).

use super::*;
use crate::common::play_outcome::PlayOutcome;

fn reported(events: &[MediaEvent]) -> Vec<Option<u16>> {
    let received = |heard: &MediaEvent| {
        if let MediaEvent::Reported { received_permille, .. } = heard { Some(*received_permille) } else { None }
    };
    events.iter().filter_map(received).collect()
}

fn played(events: &[MediaEvent], id: u64) -> Option<(PlayOutcome, Option<SentPackets>)> {
    events.iter().find_map(|heard| match heard {
        MediaEvent::Played { play, outcome, carried } if *play == PlayId::from_number(id) => Some((*outcome, *carried)),
        _ => None,
    })
}

/// First and last of the packets with sound in them.
fn sounding(got: &[Got]) -> Option<(u16, u16)> {
    let sounding = || got.iter().filter(|packet| !is_silence(packet));
    Some((sounding().next()?.seq, sounding().next_back()?.seq))
}

fn numbers(carried: Option<SentPackets>) -> Option<(u16, u16)> {
    carried.map(|carried| (carried.first as u16, carried.last as u16))
}

/// A notice waits while the phone holds and plays whole when it is back.
#[test]
fn n3_a_notice_waits_while_the_phone_holds_and_plays_whole() {
    let mut rig = Rig::new();
    let phone = rig.phone(CodecKind::Pcmu);
    rig.seat(phone, SHUT);
    rig.settle(200);
    rig.reprofile(phone, |profile| (profile.we_send, profile.they_send) = (false, false));
    rig.run(20);
    rig.port_of(phone).play(play(1, PlayKind::Notice, tone(500.0, millis(1_000))));
    rig.settle(1_000);
    rig.run(1_000);
    assert!(rig.phones[phone].got.is_empty(), "on hold nothing is sent");
    let events = rig.phones[phone].events();
    assert!(!events.iter().any(|heard| matches!(heard, MediaEvent::Began { .. } | MediaEvent::Played { .. })), "{events:?}");

    rig.reprofile(phone, |profile| (profile.we_send, profile.they_send) = (true, true));
    rig.run(1_200);
    let events = rig.phones[phone].events();
    assert!(matches!(events[0], MediaEvent::Began { .. }), "{events:?}");
    let (outcome, carried) = played(&events, 1).expect("played");
    assert_eq!(outcome, PlayOutcome::Completed);
    assert_eq!(numbers(carried), sounding(&rig.phones[phone].got));
    assert_eq!(rig.phones[phone].got.iter().filter(|packet| !is_silence(packet)).count(), 50);
    rig.ends();
}

/// A notice begins at once over the ducked meeting is heard by its phone alone and no key cuts it.
#[test]
fn n3_a_notice_begins_at_once_over_the_ducked_meeting_is_heard() {
    let mut rig = Rig::new();
    let (told, other) = (rig.seated_phone(CodecKind::G722, 440.0), rig.seated_phone(CodecKind::Pcmu, 610.0));
    rig.settle(1_000);
    rig.phones[told].events();
    rig.port_of(told).play(play(1, PlayKind::Notice, tone(900.0, millis(2_000))));
    rig.run(20);
    assert!(matches!(rig.phones[told].events()[..], [MediaEvent::Began { .. }]), "N-1: in the next packet");
    rig.settle(300);
    rig.port_of(told).stop_prompts();
    rig.run(1_500);
    let levels = rig.phones[told].hears(&[900.0, 610.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && is_as_loud_as_it_was_hummed(levels[1] + 18.0), "{levels:?}");
    let levels = rig.phones[other].hears(&[440.0, 900.0]);
    assert!(is_as_loud_as_it_was_hummed(levels[0]) && levels[1] < QUIET, "its microphone stays open: {levels:?}");
    rig.settle(500);
    assert!(matches!(played(&rig.phones[told].events(), 1), Some((PlayOutcome::Completed, Some(_)))));
    rig.run(1_000);
    assert!(is_as_loud_as_it_was_hummed(rig.phones[told].hears(&[610.0])[0]), "the meeting has come forward again");
    rig.ends();
}

/// The numbers told are those of the packets that carried the notice at every ptime.
#[test]
fn n8_the_numbers_told_are_those_of_the_packets_that_carried() {
    for ptime in [10, 20, 30, 40, 60].map(millis) {
        for (before, length) in [(500, 1_000), (520, 1_000), (540, 990), (500, 1_005), (520, 991)] {
            let mut rig = Rig::new();
            let phone = rig.phone_with(CodecKind::Pcmu, |profile| profile.ptime = ptime);
            rig.seat(phone, SHUT);
            rig.run(before);
            rig.port_of(phone).play(play(1, PlayKind::Notice, tone(500.0, millis(length))));
            rig.run(1_200);
            let (outcome, carried) = played(&rig.phones[phone].events(), 1).expect("played");
            assert_eq!(outcome, PlayOutcome::Completed);
            assert_eq!(numbers(carried), sounding(&rig.phones[phone].got), "{length} ms at {ptime:?}");
            rig.ends();
        }
    }
}

/// A prompt that a notice cuts and a notice that the end cuts name their own packets.
#[test]
fn n8_a_prompt_that_a_notice_cuts_and_a_notice_that_the_end() {
    let mut rig = Rig::new();
    let phone = rig.phone(CodecKind::Pcmu);
    rig.seat(phone, SHUT);
    rig.run(200);
    rig.port_of(phone).play(play(1, PlayKind::Prompt, tone(500.0, millis(2_000))));
    rig.run(300);
    let prompt = sounding(&rig.phones[phone].got);
    rig.port_of(phone).play(play(2, PlayKind::Notice, tone(500.0, millis(2_000))));
    rig.run(300);
    let (first, last) = prompt.expect("it sounded");
    let notice = Some((last.wrapping_add(1), rig.phones[phone].got.last().expect("packets").seq));
    let Rig { planes, now, phones, .. } = &mut rig;
    planes[0].close_port(*now, phones[phone].port);
    let events = phones[phone].events();
    let cut = |id| played(&events, id).map(|(outcome, carried)| (outcome, numbers(carried)));
    assert_eq!(cut(1), Some((PlayOutcome::Interrupted, Some((first, last)))));
    assert_eq!(cut(2), Some((PlayOutcome::Interrupted, notice)));
    rig.phones.clear();
    rig.ends();
}

/// What a phone has received is told by the report that reaches the last packet and by none before.
#[test]
fn n8_what_a_phone_has_received_is_told_by_the_report() {
    for (lost, received) in [(0, 1000), (20, 750)] {
        let mut rig = Rig::new();
        let phone = rig.phone(CodecKind::Pcmu);
        rig.seat(phone, SHUT);
        rig.run(580);
        rig.port_of(phone).play(play(1, PlayKind::Notice, tone(500.0, millis(1_000))));
        rig.run(1_500);
        let (_, carried) = played(&rig.phones[phone].events(), 1).expect("played");
        let (first, last) = numbers(carried).expect("carried");
        assert_eq!((last.wrapping_sub(first), carried.map(|carried| carried.ssrc)), (49, Some(rig.phones[phone].got[0].ssrc)));
        let (port, from, ssrc) = (rig.phones[phone].port, rig.phones[phone].profile.remote_rtcp, rig.phones[phone].got[0].ssrc);
        let (now, plane) = (rig.now, &mut rig.planes[0]);
        plane.receive(now, SocketId::Port(port, Channel::Rtcp), from, &report_up_to(ssrc, first.wrapping_sub(16), 0));
        plane.receive(now, SocketId::Port(port, Channel::Rtcp), from, &report_up_to(ssrc.wrapping_add(1), last, 0));
        plane.receive(
            now,
            SocketId::Port(port, Channel::Rtcp),
            "203.0.113.9:5001".parse().expect("an address"),
            &report_up_to(ssrc, last, 0),
        );
        assert!(reported(&rig.phones[phone].events()).is_empty());
        // Of 80 packets since the report before, of which 50 were the notice's. By its RTP socket: one for both.
        let from = rig.phones[phone].address;
        rig.planes[0].receive(now, SocketId::Port(port, Channel::Rtp), from, &report_up_to(ssrc, last.wrapping_add(15), lost));
        assert_eq!(reported(&rig.phones[phone].events()), [Some(received)]);
        rig.run(13_000);
        assert!(reported(&rig.phones[phone].events()).is_empty(), "once");
        rig.ends();
    }
}

/// A notice without a report is unreported after a while on hold too.
#[test]
fn n8_a_notice_without_a_report_is_unreported() {
    for holds in [false, true] {
        let mut rig = Rig::new();
        let phone = rig.phone(CodecKind::Pcmu);
        rig.seat(phone, SHUT);
        rig.port_of(phone).play(play(1, PlayKind::Notice, tone(500.0, millis(500))));
        rig.run(600);
        rig.reprofile(phone, |profile| profile.we_send = !holds);
        rig.run(11_500);
        assert!(reported(&rig.phones[phone].events()).is_empty());
        rig.run(1_500);
        assert_eq!(reported(&rig.phones[phone].events()), [None], "holds: {holds}");
        rig.ends();
    }
}

/// A notice that the socket does not take has neither begun nor ended and has failed.
#[test]
fn n6_a_notice_that_the_socket_does_not_take_has_neither_begun() {
    let mut rig = Rig::new();
    let phone = rig.phone(CodecKind::Pcmu);
    rig.seat(phone, SHUT);
    rig.run(200);
    rig.refuses = Some(rig.phones[phone].port);
    rig.port_of(phone).play(play(1, PlayKind::Notice, tone(500.0, millis(1_000))));
    rig.run(1_200);
    let events = rig.phones[phone].events();
    assert!(!events.iter().any(|heard| matches!(heard, MediaEvent::Began { .. })), "{events:?}");
    assert_eq!(played(&events, 1), Some((PlayOutcome::Failed, None)));
    let sent = rig.port_of(phone).stats().sent;
    rig.port_of(phone).play(play(2, PlayKind::Notice, tone(500.0, millis(1_000))));
    rig.run(500);
    assert_eq!(rig.port_of(phone).stats().sent, sent, "what did not leave was not sent");
    rig.refuses = None;
    rig.run(700);
    let (outcome, carried) = played(&rig.phones[phone].events(), 2).expect("played");
    assert_eq!(
        (outcome, numbers(carried)),
        (PlayOutcome::Failed, sounding(&rig.phones[phone].got[sent as usize..])),
        "half of it left"
    );
    rig.ends();
}

#[test]
fn n3_a_hold_cuts_a_notice_and_says_what_had_left() {
    let mut rig = Rig::new();
    let phone = rig.phone(CodecKind::Pcmu);
    rig.seat(phone, SHUT);
    rig.run(200);
    rig.port_of(phone).play(play(1, PlayKind::Notice, tone(500.0, millis(1_000))));
    rig.port_of(phone).play(play(2, PlayKind::Notice, tone(500.0, millis(1_000))));
    rig.run(500);
    rig.reprofile(phone, |profile| (profile.we_send, profile.they_send) = (false, false));
    rig.run(100);
    let events = rig.phones[phone].events();
    let (outcome, carried) = played(&events, 1).expect("cut");
    assert_eq!((outcome, numbers(carried)), (PlayOutcome::Interrupted, sounding(&rig.phones[phone].got)));
    assert_eq!(played(&events, 2), Some((PlayOutcome::Interrupted, None)));
    rig.reprofile(phone, |profile| (profile.we_send, profile.they_send) = (true, true));
    rig.phones[phone].got.clear();
    rig.run(500);
    assert!(rig.phones[phone].got.iter().all(is_silence), "the meeting tells it anew");
    rig.ends();
}

#[test]
fn a_codec_change_keeps_the_waiting_music() {
    let mut rig = Rig::new();
    let phone = rig.phone(CodecKind::Pcmu);
    rig.port_of(phone).set_music(Some(tone(1_000.0, millis(700))));
    rig.settle(500);
    let changed = rig::profile(CodecKind::Pcma, rig.phones[phone].address);
    let now = rig.now;
    rig.port_of(phone).reprofile(now, changed).expect("a codec");
    rig.run(500);
    let got = &rig.phones[phone].got;
    assert!(got.len() >= 24 && got.iter().all(|packet| packet.payload.iter().any(|byte| *byte != 0xD5)));
    rig.ends();
}
