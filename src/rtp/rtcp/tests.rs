//! Reports there and back, loss and jitter by the book, and hostile datagrams.

use std::time::{Duration, Instant};

use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;

use super::session::marshal;
use super::*;
use crate::common::split_mix::SplitMix;
use crate::common::units::Hz;
use crate::rtp::feedback::Span;
use crate::rtp::packet::Packet;

const MS: Duration = Duration::from_millis(1);

#[allow(clippy::disallowed_methods, reason = "an arbitrary beginning of virtual time")]
fn start() -> Instant {
    Instant::now()
}

fn packet(seq: u16, timestamp: u32, ssrc: u32) -> Packet<'static> {
    Packet { pt: 0, marker: false, seq, timestamp, ssrc, payload: b"x" }
}

fn ntp(since: Duration) -> u64 {
    ((3_900_000_000 + since.as_secs()) << 32) | (u64::from(since.subsec_nanos()) * (1 << 32) / 1_000_000_000)
}

#[test]
fn loss_is_counted_by_sequence_numbers_through_the_wrap() {
    let (begin, mut stats) = (start(), ReceptionStats::default());
    for i in 0..100u16 {
        if i % 10 != 3 {
            stats.received(
                begin + u32::from(i) * 20 * MS,
                &packet(65_500u16.wrapping_add(i), u32::MAX.wrapping_add(u32::from(i) * 160), 1),
                Hz::NARROW,
            );
        }
    }
    assert_eq!((stats.lost(), stats.expected(), stats.jitter_ticks()), (10, 100, 0));
    let report = stats.report().unwrap();
    assert_eq!((report.fraction_lost, report.total_lost, report.last_sequence_number), (25, 10, 65_599));
    assert_eq!(stats.report().unwrap().fraction_lost, 0);
}

#[test]
fn jitter_approaches_the_mean_deviation_and_events_do_not_count() {
    let (begin, mut stats) = (start(), ReceptionStats::default());
    for i in 0..2000u32 {
        let late = if i % 2 == 0 { 0 } else { 5 };
        stats.received(begin + (i * 20 + late) * MS, &packet(i as u16, i * 160, 1), Hz::NARROW);
    }
    assert!((38..=40).contains(&stats.jitter_ticks()), "{}", stats.jitter_ticks());
    let (mut stats, mut held) = (ReceptionStats::default(), begin);
    for i in 0..50 {
        held += 20 * MS;
        stats.received(held, &packet(i, 160, 1), Hz::NARROW);
    }
    assert_eq!(stats.jitter_ticks(), 0);
}

#[test]
fn two_ends_learn_loss_round_trip_and_what_was_received() {
    let begin = start();
    let (mut us, mut peer) = (RtcpSession::new(begin, 10, "a", Hz::NARROW, 1), RtcpSession::new(begin, 20, "b", Hz::NARROW, 2));
    for i in 0..250u32 {
        let at = begin + i * 20 * MS;
        us.sent(at, 65_400 + i, i * 160, 160);
        peer.sent(at, i, i * 160, 160);
        us.received(at + 30 * MS, &packet(i as u16, i * 160, 20), Hz::NARROW);
        if i % 5 != 0 || i == 0 {
            peer.received(at + 30 * MS, &packet(65_400u16.wrapping_add(i as u16), i * 160, 10), Hz::NARROW);
        }
    }
    let at = Duration::from_secs(5);
    let ours = us.build(begin + at, ntp(at));
    peer.handle(begin + at + 30 * MS, &ours);
    let theirs = peer.build(begin + at + 100 * MS, ntp(at + 100 * MS));
    us.handle(begin + at + 130 * MS, &theirs);
    let report = us.about_us().unwrap();
    assert_eq!((report.lost, report.fraction_lost), (49, 50));
    assert!(report.round_trip.unwrap().abs_diff(60 * MS) < MS);
    assert_eq!(us.poll_span(), Some(Span { after: 65_399, upto: 65_649, lost: 49 }));
    assert_eq!(us.poll_span(), None);
    assert_eq!(&ours[..2], &[0x81, 200]);
    assert!(!us.said_goodbye());
    us.handle(begin + at, &peer.build_bye(begin + at, ntp(at)));
    assert!(us.said_goodbye());
}

#[test]
fn who_only_listens_sends_receiver_reports_with_a_name() {
    let begin = start();
    let mut session = RtcpSession::new(begin, 0x0a0b_0c0d, "room", Hz::FULL, 1);
    let bytes = session.build(begin, ntp(Duration::ZERO));
    assert_eq!(bytes, [0x80, 201, 0, 1, 10, 11, 12, 13, 0x81, 202, 0, 3, 10, 11, 12, 13, 1, 4, b'r', b'o', b'o', b'm', 0, 0]);
}

#[test]
fn reports_are_due_every_five_seconds_or_so_and_not_in_step() {
    let begin = start();
    let mut session = RtcpSession::new(begin, 1, "a", Hz::NARROW, 9);
    let (mut now, mut gaps) = (begin, Vec::new());
    for _ in 0..200 {
        assert!(!session.due(session.deadline() - MS));
        gaps.push(session.deadline() - now);
        now = session.deadline();
        session.build(now, 0);
    }
    assert!(gaps[1..].iter().all(|gap| (2050 * MS..6200 * MS).contains(gap)));
    assert!(gaps[1..].windows(2).any(|pair| pair[0].abs_diff(pair[1]) > Duration::from_secs(1)));
}

#[test]
fn reports_about_others_or_the_future_are_passed_over() {
    let begin = start();
    let mut us = RtcpSession::new(begin, 10, "a", Hz::NARROW, 1);
    us.sent(begin, 100, 0, 160);
    let report = |ssrc, seq| {
        let block = ReceptionReport { ssrc, last_sequence_number: seq, total_lost: 0xff_ffff, ..ReceptionReport::default() };
        marshal(Box::new(ReceiverReport { ssrc: 20, reports: vec![block], ..ReceiverReport::default() }))
    };
    us.handle(begin, &report(11, 100));
    us.handle(begin, &report(10, 101));
    assert_eq!((us.about_us(), us.poll_span()), (None, None));
    us.handle(begin, &[&[0x81, 207, 0, 0][..], &report(10, 100)].concat());
    assert_eq!(us.about_us().map(|report| (report.lost, report.highest_seq)), Some((-1, 100)));
}

#[test]
fn mutated_compound_packets_never_panic() {
    let begin = start();
    let mut us = RtcpSession::new(begin, 10, "a", Hz::NARROW, 1);
    us.sent(begin, 1, 0, 160);
    us.received(begin, &packet(1, 0, 20), Hz::NARROW);
    let base = us.build_bye(begin, ntp(Duration::ZERO));
    let mut random = SplitMix::new(5);
    for _ in 0..20_000 {
        let mut bytes = base.clone();
        for _ in 0..random.draw() % 8 {
            let at = random.draw() as usize % bytes.len();
            bytes[at] = random.draw() as u8;
        }
        bytes.truncate(random.draw() as usize % (bytes.len() + 1));
        us.handle(begin, &bytes);
        us.received(begin, &packet(random.draw() as u16, random.draw() as u32, 20), Hz::NARROW);
        us.build(begin, random.draw());
    }
}
