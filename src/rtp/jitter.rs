//! The jitter buffer's two halves: [`JitterBuffer`] keeps packets in order, [`Headroom`] knows how late they tend to be.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::rtp::packet::Packet;

/// Most packets kept: 640 ms of 10 ms packets, far above the longest delay allowed. When full, the oldest is given up.
const CAPACITY: usize = 64;

/// A packet waiting for its turn.
#[derive(Clone, Debug)]
pub struct BufferedPacket {
    /// Sequence number without wrap, on a scale that begins anywhere.
    pub seq: i64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// When it came.
    pub arrived: Instant,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// What became of a packet that was put in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted {
    /// It waits.
    Waiting,
    /// It waits; the oldest one had to go for it.
    Displaced,
    /// It is here already.
    Duplicate,
}

/// Packets of one source in the order of their sequence numbers.
#[derive(Clone, Debug, Default)]
pub struct JitterBuffer {
    waiting: VecDeque<BufferedPacket>,
}

impl JitterBuffer {
    /// Puts a packet in its place.
    pub fn insert(&mut self, now: Instant, seq: i64, packet: &Packet<'_>) -> Inserted {
        let behind = self.waiting.iter().rev().take_while(|other| other.seq > seq).count();
        let at = self.waiting.len() - behind;
        if at.checked_sub(1).and_then(|before| self.waiting.get(before)).is_some_and(|other| other.seq == seq) {
            return Inserted::Duplicate;
        }
        let payload = packet.payload.to_vec();
        self.waiting.insert(at, BufferedPacket { seq, timestamp: packet.timestamp, arrived: now, payload });
        if self.waiting.len() > CAPACITY {
            self.waiting.pop_front();
            return Inserted::Displaced;
        }
        Inserted::Waiting
    }

    /// The packet that is first in order.
    #[must_use]
    pub fn front(&self) -> Option<&BufferedPacket> {
        self.waiting.front()
    }

    /// The packet that is last in order.
    #[must_use]
    pub fn back(&self) -> Option<&BufferedPacket> {
        self.waiting.back()
    }

    /// Takes the first packet out.
    pub fn pop(&mut self) -> Option<BufferedPacket> {
        self.waiting.pop_front()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Gives up everything.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }
}

/// The network's habits are remembered this long: eight slots of one second.
const SLOTS: usize = 8;
const SLOT: Duration = Duration::from_secs(1);

/// How long before it is needed each packet arrives, in microseconds; negative is late. The least of the last 8 s says by how
/// much the playout delay is too long or too short.
#[derive(Clone, Debug, Default)]
pub struct Headroom {
    slots: VecDeque<i64>,
    slot_began: Option<Instant>,
    current: Option<i64>,
}

impl Headroom {
    /// Takes note of one packet.
    pub fn observe(&mut self, now: Instant, headroom: i64) {
        let began = *self.slot_began.get_or_insert(now);
        if now.saturating_duration_since(began) >= SLOT {
            self.slot_began = Some(now);
            if let Some(least) = self.current.take() {
                self.slots.push_back(least);
                if self.slots.len() > SLOTS {
                    self.slots.pop_front();
                }
            }
        }
        self.current = Some(self.current.map_or(headroom, |least| least.min(headroom)));
    }

    /// Packets are needed `by` microseconds later from now on (earlier, when negative): everything observed moves along.
    pub fn shifted(&mut self, by: i64) {
        for least in self.slots.iter_mut().chain(&mut self.current) {
            *least = least.saturating_add(by);
        }
    }

    /// The least headroom that is remembered.
    #[must_use]
    pub fn least(&self) -> Option<i64> {
        self.slots.iter().chain(&self.current).min().copied()
    }

    /// Whether it has watched long enough to say that the delay is too long.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.slots.len() >= SLOTS / 2
    }

    /// Forgets everything, for a stream that begins anew.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an arbitrary beginning of virtual time")]
    fn start() -> Instant {
        Instant::now()
    }

    fn packet(seq: u16) -> Packet<'static> {
        Packet { pt: 0, marker: false, seq, timestamp: u32::from(seq) * 160, ssrc: 1, payload: b"x" }
    }

    #[test]
    fn packets_come_out_in_order_once_and_the_oldest_gives_way() {
        let mut buffer = JitterBuffer::default();
        for seq in [3u16, 1, 2, 5, 3, 1] {
            let got = buffer.insert(start(), seq.into(), &packet(seq));
            assert_eq!(got == Inserted::Duplicate, buffer.len() == 4 && (seq == 3 || seq == 1));
        }
        let order: Vec<i64> = std::iter::from_fn(|| buffer.pop()).map(|waiting| waiting.seq).collect();
        assert_eq!(order, [1, 2, 3, 5]);
        for seq in 0..100 {
            buffer.insert(start(), seq.into(), &packet(seq));
        }
        assert_eq!((buffer.len(), buffer.front().unwrap().seq, buffer.back().unwrap().seq), (64, 36, 99));
        buffer.clear();
        assert!(buffer.is_empty());
    }

    #[test]
    fn the_least_headroom_is_forgotten_after_nine_seconds() {
        let mut headroom = Headroom::default();
        let begin = start();
        headroom.observe(begin, -5_000);
        for ms in (20..9_000).step_by(20) {
            headroom.observe(begin + Duration::from_millis(ms), 30_000);
            assert_eq!(headroom.least(), Some(-5_000));
        }
        headroom.observe(begin + Duration::from_millis(9_100), 30_000);
        headroom.observe(begin + Duration::from_millis(10_200), 30_000);
        assert_eq!(headroom.least(), Some(30_000));
        headroom.shifted(-10_000);
        assert_eq!(headroom.least(), Some(20_000));
    }
}
