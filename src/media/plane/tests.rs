//! Who hears whom, when, and in which packets: phones and browsers around a plane, in virtual time. Everybody hums a tone of
//! their own, and an ear tells the tones apart (DESIGN §15). Every scenario ends with an empty plane.

mod browsers;
mod hostile;
mod rig;

use std::time::Duration;

use super::*;
use crate::codec::CodecKind;
use crate::common::ids::PlayId;
use crate::dsp::tone::Sine;
use crate::media::events::{MediaEvent, PlayOutcome, SentPackets};
use crate::media::player::PlayKind;
use rig::{Got, KEYS, LEVEL, LOUD, OPEN, QUIET, Rig, bridge, is_as_loud_as_it_was_hummed, level, play, tone};

const SHUT: Gate = Gate { hear: false, speak: false };

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn is_silence(packet: &Got) -> bool {
    packet.payload.iter().all(|byte| *byte == 0xFF)
}

/// Says where two worlds differ, and not with what.
fn assert_same(left: &[Vec<Got>], right: &[Vec<Got>]) {
    assert_eq!(left.len(), right.len());
    for (phone, (left, right)) in left.iter().zip(right).enumerate() {
        assert_eq!(left.len(), right.len(), "packets of phone {phone}");
        let first = left.iter().zip(right).position(|(left, right)| left != right);
        assert_eq!(first, None, "the first packet of phone {phone} that is another");
    }
}

/// The largest step from one sample to the next: where it is no larger than a tone's own, nothing clicks.
fn steepest(samples: &[i16]) -> i32 {
    samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
}

// === Who hears whom ===

/// Seated phones hear each other and not themselves whatever their codecs.
#[test]
fn seated_phones_hear_each_other_and_not_themselves() {
    let mut rig = Rig::new();
    let codecs = [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus];
    let hums = [440.0, 610.0, 850.0];
    for (codec, hum) in codecs.into_iter().zip(hums) {
        rig.seated_phone(codec, hum);
    }
    rig.settle(1_000);
    rig.run(2_000);
    for (own, phone) in rig.phones.iter_mut().enumerate() {
        for (other, level) in phone.hears(&hums).into_iter().enumerate() {
            if own == other {
                assert!(level < QUIET, "{:?} hears itself at {level}", codecs[own]);
            } else {
                assert!(is_as_loud_as_it_was_hummed(level), "{:?} hears {:?} at {level}", codecs[own], codecs[other]);
            }
        }
    }
    rig.ends();
}

/// What a waiting phone is sent in two seconds, beside a meeting or beside an empty plane.
fn sent_to_a_waiting_phone(beside_a_meeting: bool) -> Vec<Got> {
    let mut rig = Rig::new();
    let waiting = rig.phone(CodecKind::Pcmu);
    rig.phones[waiting].hums(1_250.0);
    if beside_a_meeting {
        rig.seated_phone(CodecKind::Pcmu, 440.0);
        rig.seated_phone(CodecKind::Pcmu, 610.0);
    }
    rig.port_of(waiting).set_music(Some(tone(1_000.0, millis(700))));
    rig.port_of(waiting).play(play(1, PlayKind::Prompt, tone(330.0, millis(600))));
    rig.run(2_000);
    let heard = rig.phones[waiting].hears(&[1_000.0, 330.0, 440.0, 610.0, 1_250.0]);
    assert!(heard[0] > -25.0 && heard[1] > -35.0, "music and prompt: {heard:?}");
    assert!(heard[2..].iter().all(|level| *level < QUIET), "{heard:?}");
    let got = std::mem::take(&mut rig.phones[waiting].got);
    rig.ends();
    got
}

/// A waiting phone is sent bit by bit what it would be sent without a meeting.
#[test]
fn m8_a_waiting_phone_is_sent_bit_by_bit_what_it_would_be_sent() {
    assert_same(&[sent_to_a_waiting_phone(true)], &[sent_to_a_waiting_phone(false)]);
}

/// What two seated phones are sent in a second, beside a waiting phone that hums or is not there at all.
fn sent_to_a_meeting(beside_a_waiting_phone: bool) -> Vec<Vec<Got>> {
    let mut rig = Rig::new();
    rig.seated_phone(CodecKind::Pcmu, 440.0);
    rig.seated_phone(CodecKind::G722, 610.0);
    if beside_a_waiting_phone {
        let waiting = rig.phone(CodecKind::Pcmu);
        rig.phones[waiting].hums(1_250.0);
        rig.port_of(waiting).play(play(1, PlayKind::Prompt, tone(330.0, millis(600))));
    }
    rig.run(1_000);
    let got = rig.phones[..2].iter_mut().map(|phone| std::mem::take(&mut phone.got)).collect();
    rig.ends();
    got
}

#[test]
fn m8_nothing_of_a_waiting_phone_reaches_the_meeting_bit_by_bit() {
    assert_same(&sent_to_a_meeting(true), &sent_to_a_meeting(false));
}

#[test]
fn m8_a_phone_put_out_of_the_meeting_hears_nothing_more_of_it() {
    let mut rig = Rig::new();
    let speaker = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let out = rig.seated_phone(CodecKind::Pcmu, 610.0);
    rig.settle(500);
    let port = rig.phones[out].port;
    rig.planes[0].unseat(MediaEnd::Port(port));
    rig.settle(100);
    rig.run(1_000);
    assert!(rig.phones[out].got.iter().all(is_silence));
    assert!(rig.phones[speaker].got.iter().all(is_silence));
    rig.ends();
}

// === Gates ===

#[test]
fn a_shut_gate_is_digital_silence_in_both_directions() {
    let mut rig = Rig::new();
    let speaker = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let shut = rig.phone(CodecKind::Pcmu);
    rig.phones[shut].hums(610.0);
    rig.seat(shut, SHUT);
    rig.run(1_000);
    assert!(rig.phones[shut].got.iter().all(is_silence), "it hears nothing");
    assert!(rig.phones[speaker].got.iter().all(is_silence), "nobody hears it");

    rig.gate(shut, OPEN);
    rig.settle(500);
    rig.gate(shut, Gate { hear: true, speak: false });
    rig.settle(100);
    rig.run(1_000);
    assert!(rig.phones[speaker].got.iter().all(is_silence), "nobody hears it again");
    assert!(is_as_loud_as_it_was_hummed(rig.phones[shut].hears(&[440.0])[0]));
    rig.gate(shut, Gate { hear: false, speak: true });
    rig.settle(100);
    rig.run(1_000);
    assert!(rig.phones[shut].got.iter().all(is_silence), "it hears nothing again");
    assert!(is_as_loud_as_it_was_hummed(rig.phones[speaker].hears(&[610.0])[0]));
    rig.ends();
}

#[test]
fn a_gate_opens_and_shuts_without_a_click() {
    let mut rig = Rig::new();
    let speaker = rig.seated_phone(CodecKind::Pcmu, 440.0);
    let listener = rig.phone(CodecKind::Pcmu);
    rig.seat(listener, OPEN);
    rig.settle(500);
    rig.run(500);
    let own = steepest(&rig.phones[listener].listener());
    for (who, open) in [(listener, Gate { hear: true, speak: true }), (speaker, OPEN)] {
        for round in 0..10 {
            rig.gate(who, SHUT);
            rig.run(60 + 20 * (round % 3));
            rig.gate(who, open);
            rig.run(80 + 20 * (round % 2));
        }
    }
    let heard = rig.phones[listener].listener();
    assert!(heard.iter().filter(|sample| **sample == 0).count() > 4_000, "it was shut at times");
    assert!(steepest(&heard) < own * 115 / 100, "{} where the tone's own is {own}", steepest(&heard));
    rig.ends();
}

// === Packets ===

/// Every ptime is kept within 5 ms with numbers and timestamps in line.
#[test]
fn every_ptime_is_kept_within_5_ms_with_numbers_and_timestamps() {
    for codec in [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus] {
        for ptime in [10, 20, 30, 40, 60].map(millis) {
            let mut rig = Rig::new();
            let speaker = rig.seated_phone(codec, 440.0);
            let listener = rig.phone_with(codec, |profile| profile.ptime = ptime);
            rig.seat(listener, OPEN);
            rig.settle(1_000);
            rig.run(1_200);
            let (rate, ticks) = (rig.phones[listener].rate(), codec.row().rtp_clock.samples(ptime) as u32);
            let got = &rig.phones[listener].got;
            let expected = millis(1_200).as_millis() / ptime.as_millis();
            assert!((expected - 1..=expected + 1).contains(&(got.len() as u128)), "{codec:?} {ptime:?}: {}", got.len());
            for pair in got.windows(2) {
                let spacing = pair[1].at - pair[0].at;
                assert!(spacing.abs_diff(ptime) <= millis(5), "{codec:?} {ptime:?}: {spacing:?}");
                assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1));
                assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(ticks), "{codec:?} {ptime:?}");
            }
            let heard = level(&rig.phones[listener].listener(), rate, 440.0);
            assert!(is_as_loud_as_it_was_hummed(heard), "{codec:?} {ptime:?}: {heard}");
            assert!(rig.phones[speaker].got.len() >= 59);
            rig.ends();
        }
    }
}

/// A port moved in mid prompt goes on without a gap and reports the end once.
#[test]
fn a_port_moved_in_mid_prompt_goes_on_without_a_gap_and_reports() {
    for moved_at in [700, 705, 710, 715] {
        let mut rig = Rig::new();
        let phone = rig.phone(CodecKind::Pcmu);
        rig.port_of(phone).play(play(1, PlayKind::Prompt, tone(700.0, millis(2_000))));
        rig.run(moved_at);
        rig.moves(phone);
        rig.seat(phone, SHUT);
        rig.run(1_000);
        rig.moves(phone);
        rig.run(1_000);
        let got = &rig.phones[phone].got;
        for pair in got.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1));
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
            assert!(pair[1].at - pair[0].at <= millis(40), "{:?}", pair[1].at - pair[0].at);
        }
        assert_eq!(got.iter().filter(|packet| !is_silence(packet)).count(), 100, "two seconds of sound, whole");
        let played: Vec<_> = rig.phones[phone].events();
        assert_eq!(played.iter().filter(|heard| matches!(heard, MediaEvent::Began { .. })).count(), 1);
        let ends: Vec<_> = played.iter().filter(|heard| matches!(heard, MediaEvent::Played { .. })).collect();
        assert!(matches!(ends[..], [MediaEvent::Played { outcome: PlayOutcome::Completed, .. }]), "{ends:?}");
        rig.ends();
    }
}

// === Notices (N-3, N-8) ===

/// A device's receiver report on what it was sent, up to a packet.
fn report_up_to(ssrc: u32, seq: u16, lost: u32) -> Vec<u8> {
    let block = rtcp::reception_report::ReceptionReport {
        ssrc,
        last_sequence_number: seq.into(),
        total_lost: lost,
        ..Default::default()
    };
    let report = rtcp::receiver_report::ReceiverReport { ssrc: 1, reports: vec![block], ..Default::default() };
    rtcp::packet::marshal(&[Box::new(report)]).expect("marshals").to_vec()
}

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
        plane.receive_rtcp(now, port, from, &report_up_to(ssrc, first.wrapping_sub(16), 0));
        plane.receive_rtcp(now, port, from, &report_up_to(ssrc.wrapping_add(1), last, 0));
        plane.receive_rtcp(now, port, "203.0.113.9:5001".parse().expect("an address"), &report_up_to(ssrc, last, 0));
        assert!(reported(&rig.phones[phone].events()).is_empty());
        // Of 80 packets since the report before, of which 50 were the notice's. By its RTP socket: one for both.
        let from = rig.phones[phone].address;
        rig.planes[0].receive_rtp(now, port, from, &report_up_to(ssrc, last.wrapping_add(15), lost));
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

// === Silence ===

fn silences(events: &[MediaEvent]) -> usize {
    events.iter().filter(|heard| matches!(heard, MediaEvent::Silent(_))).count()
}

/// A phone that says nothing is told once and a hold does not count.
#[test]
fn a_phone_that_says_nothing_is_told_once_and_a_hold() {
    for (we_send, they_send) in [(false, false), (false, true)] {
        let mut rig = Rig::new();
        let phone = rig.phone(CodecKind::Pcmu);
        rig.seat(phone, OPEN);
        rig.run(1_000);
        rig.reprofile(phone, |profile| (profile.we_send, profile.they_send) = (we_send, they_send));
        rig.phones[phone].script.extend(std::iter::repeat_n(Vec::new(), 10_000));
        rig.run(60_000);
        assert_eq!(silences(&rig.phones[phone].events()), 0, "on hold");
        rig.reprofile(phone, |profile| (profile.we_send, profile.they_send) = (true, true));
        rig.run(29_000);
        assert_eq!(silences(&rig.phones[phone].events()), 0, "it has just come back");
        rig.run(2_000);
        assert_eq!(silences(&rig.phones[phone].events()), 1, "it is gone");
        rig.run(60_000);
        assert_eq!(silences(&rig.phones[phone].events()), 0, "once");
        rig.ends();
    }
}

// === Keys (A-2, K-3) ===

/// Keys of 60 ms with 40 ms between them come up once each and their tones are not heard.
#[test]
fn keys_of_60_ms_with_40_ms_between_them_come_up_once() {
    const PRESSED: &str = "1123345678900*##9";
    const EVENTS: &str = "0123456789*#";
    let mut rig = Rig::new();
    let presser = rig.phone(CodecKind::Pcmu);
    rig.seat(presser, OPEN);
    let listener = rig.phone(CodecKind::Pcmu);
    rig.seat(listener, OPEN);
    rig.settle(500);
    rig.phones[presser].events();

    let (mut low, mut high) = (Sine::new(Hz::NARROW, 770.0, LOUD), Sine::new(Hz::NARROW, 1_336.0, LOUD));
    let phone = &mut rig.phones[presser];
    for (at, key) in PRESSED.chars().enumerate() {
        let event = EVENTS.find(key).expect("a key") as u8;
        let began = phone.outgoing.timestamp;
        // Every second phone of this world sends events instead of sound; the others send both at a time.
        let instead = at % 2 == 1;
        for told in 1..=3_u16 {
            let mut sent = Vec::new();
            if instead {
                phone.outgoing.advance(160);
            } else {
                let mut sound = [0; 160];
                low.fill(&mut sound);
                high.add(&mut sound);
                sent.push(phone.sound(&sound));
            }
            let [upper, lower] = (160 * told).to_be_bytes();
            let end = if told == 3 { 0x80 } else { 0 };
            for copy in 0..if told == 3 { 3 } else { 1 } {
                let mut packet = Vec::new();
                phone.outgoing.event(KEYS, told == 1, began, &[event, end | 10, upper, lower], &mut packet);
                let lost = match at % 5 {
                    1 => instead && told == 1,
                    2 => told == 3,
                    3 => told == 3 && copy < 2,
                    _ => false,
                };
                if !lost {
                    sent.push(packet.clone());
                }
                if at % 5 == 4 {
                    sent.push(packet);
                }
            }
            phone.script.push_back(sent);
        }
        for _ in 0..2 {
            let pause = vec![phone.voice()];
            phone.script.push_back(pause);
        }
    }
    rig.run(100 * PRESSED.len() as u64 + 300);
    let keys: String = rig.phones[presser]
        .events()
        .into_iter()
        .filter_map(|heard| if let MediaEvent::Digit(digit) = heard { Some(digit.into_inner()) } else { None })
        .collect();
    assert_eq!(keys, PRESSED);
    let tones = rig.phones[listener].hears(&[770.0, 1_336.0]);
    assert!(tones.iter().all(|level| *level < QUIET), "{tones:?}");
    rig.ends();
}

// === What is left ===

#[test]
fn a_bridge_that_closes_first_leaves_no_seat_behind() {
    let mut rig = Rig::new();
    rig.seated_phone(CodecKind::Pcmu, 440.0);
    rig.seated_phone(CodecKind::Pcmu, 610.0);
    rig.settle(200);
    rig.planes[0].close_bridge(bridge(0));
    rig.settle(100);
    rig.run(500);
    assert!(rig.phones.iter().all(|phone| phone.got.len() >= 24 && phone.got.iter().all(is_silence)));
    rig.ends();
}

// === Encodings that are shared (A-5) ===

/// What the phones were sent since they were last asked: the payloads alone.
fn payloads(rig: &mut Rig) -> Vec<Vec<Vec<u8>>> {
    rig.phones.iter_mut().map(|phone| std::mem::take(&mut phone.got).into_iter().map(|got| got.payload).collect()).collect()
}

/// All who only listen are sent the same payloads and a talker its own.
#[test]
fn a5_all_who_only_listen_are_sent_the_same_payloads() {
    for codec in [CodecKind::Opus, CodecKind::Pcma, CodecKind::Pcmu] {
        let mut rig = Rig::new();
        let talkers = [rig.seated_phone(codec, 440.0), rig.seated_phone(codec, 610.0)];
        for _ in 0..3 {
            let listener = rig.phone(codec);
            rig.seat(listener, OPEN);
        }
        rig.settle(1_000);
        rig.run(1_000);
        for listener in 2..5 {
            let heard = rig.phones[listener].hears(&[440.0, 610.0]);
            // Two tones at once are no voice: Opus takes a little off them.
            assert!(heard.iter().all(|level| (level - LEVEL).abs() < 1.5), "{codec:?}: {heard:?}");
        }
        let sent = payloads(&mut rig);
        assert!(sent[2] == sent[3] && sent[3] == sent[4] && sent[2].len() > 45, "{codec:?}");
        assert!(talkers.iter().all(|talker| sent[*talker] != sent[2]), "{codec:?}: a talker does not hear itself");
        rig.ends();
    }
}

#[test]
fn a5_a_prompt_for_one_listener_is_heard_by_it_alone() {
    let mut rig = Rig::new();
    rig.seated_phone(CodecKind::Pcmu, 440.0);
    for _ in 0..2 {
        let listener = rig.phone(CodecKind::Pcmu);
        rig.seat(listener, OPEN);
    }
    rig.settle(500);
    rig.port_of(1).play(play(1, PlayKind::Notice, tone(1_250.0, millis(400))));
    rig.run(400);
    let (told, other) = (rig.phones[1].hears(&[1_250.0])[0], rig.phones[2].hears(&[1_250.0])[0]);
    assert!(told > -20.0 && other < QUIET, "{told} {other}");
    rig.settle(500);
    rig.run(500);
    let sent = payloads(&mut rig);
    assert_eq!(sent[1], sent[2], "afterwards it listens with the others again");
    rig.ends();
}

/// The strongest deviation of 20 ms from a steady tone of 440 Hz, in dB below it, while a listener begins and ceases to talk.
fn worst_while_a_listener_talks(codec: CodecKind) -> f32 {
    let mut rig = Rig::new();
    rig.seated_phone(codec, 440.0);
    let listener = rig.phone(codec);
    rig.seat(listener, OPEN);
    rig.settle(1_500);
    for _ in 0..4 {
        rig.phones[listener].hums(850.0);
        rig.run(500);
        rig.phones[listener].is_silent();
        rig.run(700);
    }
    let rate = rig.phones[listener].rate();
    let heard = rig.phones[listener].listener();
    rig.ends();
    // Frame by frame, what is left when the tone is taken out, by the frame before: a steady tone of 440 Hz repeats every 25 ms.
    let period = rate.samples(millis(25));
    let left: Vec<i16> = heard.windows(period + 1).map(|part| part[period].saturating_sub(part[0])).collect();
    left.chunks(rate.samples(millis(20))).map(crate::dsp::level::dbov).fold(f32::MIN, f32::max) - LEVEL
}

/// Nothing is heard of it when a listener begins and ceases to talk.
#[test]
fn a5_nothing_is_heard_of_it_when_a_listener_begins_and_ceases() {
    // A codec that remembers nothing shows the mix itself; the others what their change of encoder adds to it.
    for (codec, below) in [(CodecKind::Pcmu, -30.0), (CodecKind::G722, -30.0), (CodecKind::Opus, -20.0)] {
        let worst = worst_while_a_listener_talks(codec);
        assert!(worst < below, "{codec:?}: {worst} dB");
    }
}
