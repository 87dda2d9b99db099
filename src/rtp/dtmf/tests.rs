//! Keys under loss, repetition and disorder (A-2, K-3).

mod damage;

use super::*;

#[allow(clippy::disallowed_methods, reason = "an arbitrary beginning of virtual time")]
fn start() -> Instant {
    Instant::now()
}

/// All packets of a row of keys: 60 ms long, 40 ms apart, as an auto-dialler sends them.
fn dialled(keys: &str, clock: Hz, seq: u16, timestamp: u32) -> Vec<(u64, u16, u32, EventPacket)> {
    let (mut seq, mut packets) = (seq, Vec::new());
    for (at, key) in keys.chars().enumerate() {
        let stamp = timestamp.wrapping_add(at as u32 * clock.0 / 10);
        let mut sender = DtmfSender::new(key, Duration::from_millis(60), Duration::from_millis(20), clock).unwrap();
        let mut ms = at as u64 * 100;
        while let Some(packet) = sender.next_packet() {
            packets.push((ms, seq, stamp, packet));
            seq = seq.wrapping_add(1);
            ms += 20;
        }
    }
    packets
}

fn hear(packets: &[(u64, u16, u32, EventPacket)]) -> String {
    let (begin, mut receiver) = (start(), DtmfReceiver::new());
    packets
        .iter()
        .filter_map(|(ms, seq, timestamp, event)| {
            let packet =
                Packet { pt: 101, marker: event.marker, seq: *seq, timestamp: *timestamp, ssrc: 5, payload: &event.payload };
            receiver.handle(begin + Duration::from_millis(*ms), &packet)
        })
        .map(|digit| digit.digit)
        .collect()
}

/// Every key counts once at both clocks and through the wraps.
#[test]
fn k3_every_key_counts_once_at_both_clocks() {
    for clock in [Hz::NARROW, Hz::FULL] {
        let packets = dialled("1123#*0ABCD99", clock, u16::MAX - 20, u32::MAX - 3000);
        assert_eq!(hear(&packets), "1123#*0ABCD99");
        assert_eq!(packets.iter().filter(|packet| packet.3.payload[1] & 0x80 != 0).count(), 3 * 13);
    }
}

#[test]
fn a2_any_one_packet_of_a_key_is_enough() {
    let packets = dialled("5566", Hz::NARROW, 100, 1000);
    let each = packets.len() / 4;
    for kept in 0..each {
        let sparse: Vec<_> = packets.iter().enumerate().filter(|(at, _)| at % each == kept).map(|(_, packet)| *packet).collect();
        assert_eq!(hear(&sparse), "5566");
    }
}

#[test]
fn a2_duplicates_and_belated_packets_are_no_keys() {
    let packets = dialled("12", Hz::NARROW, 65_530, u32::MAX - 100);
    let mut shuffled = packets.clone();
    shuffled.extend_from_slice(&packets);
    assert_eq!(hear(&shuffled), "12");
    let mut belated = packets.clone();
    let (first_key_end, second_key) = (packets.len() / 2 - 1, packets.len() / 2);
    belated.swap(first_key_end, second_key);
    assert_eq!(hear(&belated), "12");
}

/// The sender is muted until 60 ms after the last event packet.
#[test]
fn a2_the_sender_is_muted_until_60_ms_after_the_last_event() {
    let (begin, mut receiver) = (start(), DtmfReceiver::new());
    assert!(!receiver.active(begin));
    let packet = Packet { pt: 101, marker: true, seq: 1, timestamp: 1, ssrc: 5, payload: &[5, 10, 0, 160] };
    assert_eq!(receiver.handle(begin, &packet), Some(Digit { digit: '5', at: begin }));
    assert!(receiver.active(begin + Duration::from_millis(59)));
    receiver.handle(begin + Duration::from_millis(59), &packet);
    assert!(receiver.active(begin + Duration::from_millis(118)));
    assert!(!receiver.active(begin + Duration::from_millis(119)));
}

#[test]
fn a_key_held_for_many_seconds_is_one_key() {
    let (begin, mut receiver) = (start(), DtmfReceiver::new());
    let mut heard = 0;
    for part in 0..4u32 {
        for duration in [160u16, 30_000, 65_535] {
            let [high, low] = duration.to_be_bytes();
            let payload = [1, 10, high, low];
            let packet =
                Packet { pt: 101, marker: false, seq: part as u16, timestamp: part * 65_535, ssrc: 5, payload: &payload };
            heard += usize::from(receiver.handle(begin, &packet).is_some());
        }
    }
    assert_eq!(heard, 1);
}

/// Flash and short payloads are no keys and rubbish does not panic.
#[test]
fn flash_and_short_payloads_are_no_keys_and_rubbish() {
    let (begin, mut receiver) = (start(), DtmfReceiver::new());
    let mut random = crate::common::split_mix::SplitMix::new(3);
    for payload in [&[16u8, 0, 0, 1][..], &[1, 2, 3], &[]] {
        let packet = Packet { pt: 101, marker: true, seq: 1, timestamp: 1, ssrc: 5, payload };
        assert_eq!(receiver.handle(begin, &packet), None);
    }
    for _ in 0..5000 {
        let bytes = random.draw().to_be_bytes();
        let (seq, timestamp) = (random.draw() as u16, random.draw() as u32);
        let payload = bytes.get(..(random.draw() % 9) as usize).unwrap();
        receiver.handle(begin, &Packet { pt: 101, marker: false, seq, timestamp, ssrc: (random.draw() % 3) as u32, payload });
    }
    assert!(DtmfSender::new('x', Duration::ZERO, Duration::ZERO, Hz::NARROW).is_none());
    let mut shortest = DtmfSender::new('#', Duration::ZERO, Duration::ZERO, Hz::NARROW).unwrap();
    assert_eq!(std::iter::from_fn(|| shortest.next_packet()).count(), 3);
}
