//! [`SequenceTracker`]: which packet of which source this is, on a number scale without wrap (RFC 3550 section A.1).
//!
//! One source is played at a time. Another one is followed at its first packet, as after a transfer. Where the one before goes on beside it, the
//! new one stays, until it has been silent for a while: two that speak at once would else cut each other off at each packet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::rtp::packet::Packet;

/// A sequence number this far ahead begins a new sequence, once its successor has come too (RFC 3550 section A.1).
const RESTART: i64 = 3000;
/// The same for a number this far behind: no network delays a packet by so many others, its sender has begun anew.
const MISORDER: i64 = 100;
/// A source that was left is followed again when the one that is played has been silent this long: longer than jitter makes a packet wait.
const SILENT: Duration = Duration::from_millis(150);
/// Sources that were left and are known.
const KNOWN: usize = 4;

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
    /// It is of a source that another one has taken the place of.
    OtherSource,
}

/// The source and the numbers seen of it.
#[derive(Clone, Debug, Default)]
pub(super) struct SequenceTracker {
    current: Option<Sequence>,
    /// When the last packet of the current source came.
    last: Option<Instant>,
    /// Sources that were left, the latest last.
    left: VecDeque<u32>,
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
    pub(super) fn track(&mut self, now: Instant, packet: &Packet<'_>) -> Arrival {
        let first = Sequence { ssrc: packet.ssrc, highest: i64::from(packet.seq), seen: 1, restart: None };
        let last = self.last;
        let Some(sequence) = self.current.as_mut() else {
            (self.current, self.last) = (Some(first), Some(now));
            return Arrival::New(first.highest);
        };
        if sequence.ssrc != packet.ssrc {
            let is_silent = last.is_none_or(|last| now.saturating_duration_since(last) >= SILENT);
            if self.left.contains(&packet.ssrc) && !is_silent {
                return Arrival::OtherSource;
            }
            self.left.retain(|left| *left != packet.ssrc);
            self.left.push_back(sequence.ssrc);
            if self.left.len() > KNOWN {
                self.left.pop_front();
            }
        }
        self.last = Some(now);
        if sequence.ssrc != packet.ssrc || sequence.restart == Some(packet.seq) {
            *sequence = first;
            return Arrival::Restarted(first.highest);
        }
        sequence.place(packet.seq)
    }

    /// The source that is played.
    pub(super) fn ssrc(&self) -> Option<u32> {
        self.current.map(|sequence| sequence.ssrc)
    }

    /// Whether no higher number than `seq` has come.
    pub(super) fn is_newest(&self, seq: i64) -> bool {
        self.current.is_some_and(|sequence| sequence.highest == seq)
    }
}

impl Sequence {
    fn place(&mut self, seq: u16) -> Arrival {
        let ahead = i64::from(seq.wrapping_sub(self.highest as u16).cast_signed());
        if ahead >= RESTART || ahead <= -MISORDER {
            self.restart = Some(seq.wrapping_add(1));
            return Arrival::OutOfRange;
        }
        self.restart = None;
        if ahead > 0 {
            self.seen = u32::try_from(ahead).ok().and_then(|ahead| self.seen.checked_shl(ahead)).unwrap_or(0) | 1;
            self.highest += ahead;
            return Arrival::New(self.highest);
        }
        let bit = u32::try_from(-ahead).ok().and_then(|behind| 1u64.checked_shl(behind)).unwrap_or(0);
        if self.seen & bit != 0 {
            return Arrival::Duplicate;
        }
        self.seen |= bit;
        Arrival::New(self.highest + ahead)
    }
}
