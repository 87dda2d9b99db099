//! [`SequenceTracker`]: which packet of which source this is, on a number scale without wrap (RFC 3550 section A.1).

use crate::rtp::packet::Packet;

/// A sequence number this far off begins a new sequence, once its successor has come too (RFC 3550 section A.1).
const RESTART: i64 = 3000;

/// What a packet is to its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// A new packet, with its extended sequence number.
    New(i64),
    /// The first packet of another source, or of a sequence that has begun anew.
    Restarted(i64),
    /// It has come before.
    Duplicate,
    /// Its number is too far off to be placed.
    OutOfRange,
}

/// The source and the numbers seen of it.
#[derive(Clone, Debug, Default)]
pub(super) struct SequenceTracker {
    current: Option<Sequence>,
}

#[derive(Clone, Copy, Debug)]
struct Sequence {
    ssrc: u32,
    highest: i64,
    /// Which of `highest` and the 63 numbers below it have come, `highest` in the lowest bit.
    seen: u64,
    /// The number that would confirm a restart.
    restart: Option<u16>,
}

impl SequenceTracker {
    /// Takes note of a packet.
    pub(super) fn track(&mut self, packet: &Packet<'_>) -> Arrival {
        let first = Sequence { ssrc: packet.ssrc, highest: i64::from(packet.seq), seen: 1, restart: None };
        let Some(sequence) = self.current.as_mut() else {
            self.current = Some(first);
            return Arrival::New(first.highest);
        };
        if sequence.ssrc != packet.ssrc || sequence.restart == Some(packet.seq) {
            *sequence = first;
            return Arrival::Restarted(first.highest);
        }
        sequence.place(packet.seq)
    }

    /// Whether no higher number than `seq` has come.
    pub(super) fn is_newest(&self, seq: i64) -> bool {
        self.current.is_some_and(|sequence| sequence.highest == seq)
    }
}

impl Sequence {
    fn place(&mut self, seq: u16) -> Arrival {
        let ahead = i64::from(seq.wrapping_sub(self.highest as u16).cast_signed());
        if ahead.abs() >= RESTART {
            self.restart = Some(seq.wrapping_add(1));
            return Arrival::OutOfRange;
        }
        self.restart = None;
        if ahead > 0 {
            self.seen = u32::try_from(ahead).ok().and_then(|ahead| self.seen.checked_shl(ahead)).unwrap_or(0) | 1;
            self.highest += ahead;
            return Arrival::New(self.highest);
        }
        // Older than the 64 that are remembered: far too late in any case.
        let bit = u32::try_from(-ahead).ok().and_then(|behind| 1u64.checked_shl(behind)).unwrap_or(0);
        if self.seen & bit != 0 {
            return Arrival::Duplicate;
        }
        self.seen |= bit;
        Arrival::New(self.highest + ahead)
    }
}
