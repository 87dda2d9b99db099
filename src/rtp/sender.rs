//! [`RtpSender`]: SSRC, sequence numbers and timestamps of what is sent (RFC 3550 section 5.1).

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use crate::rtp::packet;

/// The numbers on what we send: one SSRC, consecutive sequence numbers, a timestamp that follows the samples.
#[derive(Clone, Debug)]
pub struct RtpSender {
    /// Our synchronization source.
    pub ssrc: u32,
    /// The sequence number of the next packet.
    pub seq: u16,
    /// The timestamp of the next audio packet.
    pub timestamp: u32,
}

impl RtpSender {
    /// Random beginnings (RFC 3550 section 5.1) drawn from `seed`. The sequence number is in the lower half, so that no receiver of SRTP misses the first
    /// rollover (RFC 3711 section 3.3.1).
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        Self { ssrc: random.next_u32(), seq: random.next_u32() as u16 & 0x7fff, timestamp: random.next_u32() }
    }

    /// Appends an audio packet that lasts `ticks` of the RTP clock; gives its sequence number.
    pub fn packet(&mut self, pt: u8, marker: bool, payload: &[u8], ticks: u32, out: &mut Vec<u8>) -> u16 {
        let seq = self.event(pt, marker, self.timestamp, payload, out);
        self.advance(ticks);
        seq
    }

    /// Appends a packet with a timestamp of its own, such as a telephone event (RFC 4733 §2.1); gives its sequence number.
    pub fn event(&mut self, pt: u8, marker: bool, timestamp: u32, payload: &[u8], out: &mut Vec<u8>) -> u16 {
        let seq = self.seq;
        packet::write_header(pt, marker, seq, timestamp, self.ssrc, out);
        out.extend_from_slice(payload);
        self.seq = seq.wrapping_add(1);
        seq
    }

    /// Lets time pass in which nothing is sent.
    pub fn advance(&mut self, ticks: u32) {
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outgoing_numbers_follow_each_other_through_the_wrap() {
        let mut outgoing = RtpSender::new(3);
        outgoing.seq = u16::MAX;
        outgoing.timestamp = u32::MAX - 10;
        let mut out = Vec::new();
        assert_eq!(outgoing.packet(0, true, b"x", 160, &mut out), u16::MAX);
        let packet = crate::rtp::Packet::parse(&out).unwrap();
        assert_eq!((packet.seq, packet.timestamp, packet.ssrc, packet.marker), (u16::MAX, u32::MAX - 10, outgoing.ssrc, true));
        assert_eq!((outgoing.seq, outgoing.timestamp), (0, 149));
        outgoing.event(101, false, 7, b"1234", &mut out);
        assert_eq!((outgoing.seq, outgoing.timestamp), (1, 149));
        assert_ne!(RtpSender::new(1).ssrc, RtpSender::new(2).ssrc);
        assert_eq!(RtpSender::new(1).ssrc, RtpSender::new(1).ssrc);
    }
}
