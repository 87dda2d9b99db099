//! What reached the test phone packet by packet, before any jitter buffer: whether numbers and timestamps follow each other, and
//! how long nothing came.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::common::units::Hz;
use crate::rtp::Packet;

/// Looks at each packet as it comes.
#[derive(Debug)]
pub(super) struct Arrivals {
    clock: Hz,
    began: Instant,
    last: Option<Last>,
    told: Arrived,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    ssrc: u32,
    seq: u16,
    timestamp: u32,
    at: Instant,
    step: Option<u32>,
}

/// What came in, as the report shows it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(super) struct Arrived {
    /// Sources (SSRC) one after the other; 1 for a call that was never interrupted.
    streams: u32,
    /// Packets whose sequence number does not follow the one before: lost, late, or sent twice.
    sequence_breaks: u32,
    /// Packets that follow in number, but not in time: the timestamp has moved by something else than a packet.
    timestamp_breaks: u32,
    /// The longest step of the timestamp from one packet to the next.
    largest_timestamp_gap_ms: f64,
    /// The longest time in which no packet came, from the first one to the end of the call.
    largest_arrival_gap_ms: f64,
    /// From the answer to the first packet.
    first_packet_ms: Option<f64>,
}

impl Arrivals {
    /// For packets of a codec with this RTP clock, from the answer on.
    pub(super) fn new(now: Instant, clock: Hz) -> Self {
        Self { clock, began: now, last: None, told: Arrived::default() }
    }

    /// A datagram came in.
    pub(super) fn receive(&mut self, now: Instant, datagram: &[u8]) {
        let Ok(packet) = Packet::parse(datagram) else { return };
        let fresh = Last { ssrc: packet.ssrc, seq: packet.seq, timestamp: packet.timestamp, at: now, step: None };
        let Some(last) = self.last.filter(|last| last.ssrc == packet.ssrc) else {
            self.told.streams += 1;
            self.told.first_packet_ms.get_or_insert(millis(now.saturating_duration_since(self.began)));
            self.last = Some(fresh);
            return;
        };
        self.waited(now, last);
        let step = packet.timestamp.wrapping_sub(last.timestamp);
        let follows = packet.seq == last.seq.wrapping_add(1);
        self.told.sequence_breaks += u32::from(!follows);
        self.told.timestamp_breaks += u32::from(follows && last.step.is_some_and(|usual| usual != step));
        // A packet that comes late has a step back in time, which is no gap.
        if step < u32::MAX / 2 {
            let gap = f64::from(step) * 1000.0 / f64::from(self.clock.0);
            self.told.largest_timestamp_gap_ms = self.told.largest_timestamp_gap_ms.max(gap);
        }
        self.last = Some(Last { step: if follows { last.step.or(Some(step)) } else { last.step }, ..fresh });
    }

    /// The call is over: silence at its end counts too.
    pub(super) fn finish(&mut self, now: Instant) -> Arrived {
        if let Some(last) = self.last {
            self.waited(now, last);
        }
        self.told
    }

    fn waited(&mut self, now: Instant, last: Last) {
        let gap = millis(now.saturating_duration_since(last.at));
        self.told.largest_arrival_gap_ms = self.told.largest_arrival_gap_ms.max(gap);
    }
}

/// To a tenth.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::packet::write_header;

    #[allow(clippy::disallowed_methods, reason = "virtual time needs one real instant to count from")]
    fn phone() -> (Arrivals, Instant) {
        let now = Instant::now();
        (Arrivals::new(now, Hz::NARROW), now)
    }

    fn packet(seq: u16, timestamp: u32, ssrc: u32) -> Vec<u8> {
        let mut datagram = Vec::new();
        write_header(0, false, seq, timestamp, ssrc, &mut datagram);
        datagram.extend([0; 160]);
        datagram
    }

    const FRAME: Duration = Duration::from_millis(20);

    #[test]
    fn a_stream_without_fault_has_none_across_its_wraps() {
        let (mut phone, start) = phone();
        for n in 0..200_u16 {
            let timestamp = (u32::MAX - 8000).wrapping_add(u32::from(n) * 160);
            phone.receive(start + FRAME * u32::from(n + 1), &packet(65_500_u16.wrapping_add(n), timestamp, 7));
        }
        let told = phone.finish(start + FRAME * 201);
        let clean = Arrived {
            streams: 1,
            largest_timestamp_gap_ms: 20.0,
            largest_arrival_gap_ms: 20.0,
            first_packet_ms: Some(20.0),
            ..Arrived::default()
        };
        assert_eq!(told, clean);
    }

    #[test]
    fn loss_jumps_new_sources_and_silence_at_the_end_are_seen() {
        let (mut phone, start) = phone();
        let at = |n: u32| start + FRAME * n;
        phone.receive(at(0), &packet(1, 0, 7));
        phone.receive(at(1), &packet(2, 160, 7));
        phone.receive(at(3), &packet(4, 480, 7));
        phone.receive(at(4), &packet(3, 320, 7));
        phone.receive(at(5), &packet(5, 640, 7));
        phone.receive(at(6), &packet(6, 1200, 7));
        phone.receive(at(7), b"noise");
        phone.receive(at(8), &packet(100, 0, 8));
        let told = phone.finish(at(58));
        assert_eq!((told.streams, told.sequence_breaks, told.timestamp_breaks), (2, 3, 1));
        assert_eq!((told.largest_timestamp_gap_ms, told.largest_arrival_gap_ms), (70.0, 1000.0));
    }
}
