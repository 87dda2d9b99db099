//! [`JitterBuffer`]: packets in order, until their sound is due.

use std::collections::VecDeque;
use std::time::Instant;

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
}
