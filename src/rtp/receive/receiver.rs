//! [`AudioReceiver`]: orders and counts the packets of one stream, and has them played.

use std::time::{Duration, Instant};

use super::playout::Playout;
use super::sequence::{Arrival, SequenceTracker};
use crate::codec::{CodecError, CodecKind};
use crate::common::units::Hz;
use crate::dsp::Frame;
use crate::rtp::packet::Packet;
use crate::rtp::rtcp::ReceptionStats;

/// A larger payload than any codec of ours makes of 60 ms is not audio.
const LARGEST_PAYLOAD: usize = 1500;

/// What has become of a device's audio so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReceiverStats {
    /// Audio packets received, duplicates not counted.
    pub received: u64,
    /// Packets of any payload type that never came.
    pub lost: u64,
    /// Packets that came after their sound was due and could not be used.
    pub late: u64,
    /// Packets that came twice.
    pub duplicate: u64,
    /// Packets dropped: unreadable, or too many.
    pub discarded: u64,
    /// RFC 3550 interarrival jitter.
    pub jitter: Duration,
    /// Sound concealed for want of packets while the stream was running.
    pub concealed: Duration,
    /// From a packet's arrival to its first sample being played, plus the packet's own length: an average.
    pub delay: Duration,
}

/// The receiving side of one audio stream.
pub struct AudioReceiver {
    payload_type: u8,
    clock: Hz,
    sequence: SequenceTracker,
    reception: ReceptionStats,
    pub(super) playout: Playout,
    received: u64,
    duplicate: u64,
    discarded: u64,
}

// === impl AudioReceiver ===

impl AudioReceiver {
    /// A receiver for `kind`, sent with payload type `payload_type`.
    ///
    /// # Errors
    /// [`CodecError::Create`] when the decoder cannot be made.
    pub fn new(kind: CodecKind, payload_type: u8) -> Result<Self, CodecError> {
        Ok(Self {
            payload_type,
            clock: kind.row().rtp_clock,
            sequence: SequenceTracker::default(),
            reception: ReceptionStats::default(),
            playout: Playout::new(kind)?,
            received: 0,
            duplicate: 0,
            discarded: 0,
        })
    }

    /// The rate of the frames that come out.
    #[must_use]
    pub fn rate(&self) -> Hz {
        self.playout.rate()
    }

    /// Takes an RTP packet of the stream. Packets of other payload types are to be put in as well: their numbers tell loss from
    /// pauses.
    pub fn insert(&mut self, now: Instant, packet: &Packet<'_>) {
        let seq = match self.sequence.track(packet) {
            Arrival::New(seq) => seq,
            Arrival::Restarted(seq) => {
                self.playout.restart();
                seq
            }
            Arrival::Duplicate => {
                self.duplicate += 1;
                return;
            }
            Arrival::OutOfRange => {
                self.discarded += 1;
                return;
            }
        };
        self.reception.received(now, packet, self.clock);
        if packet.pt != self.payload_type {
            return;
        }
        self.received += 1;
        if packet.payload.is_empty() || packet.payload.len() > LARGEST_PAYLOAD {
            self.discarded += 1;
            return;
        }
        self.playout.insert(now, seq, self.sequence.is_newest(seq), packet);
    }

    /// Gives the next 20 ms at [`AudioReceiver::rate`]; to be called every 20 ms. Silence before the stream begins and 100 ms
    /// after it has stopped.
    pub fn pull(&mut self, now: Instant, out: &mut Frame) {
        self.playout.pull(now, out);
    }

    /// What has become of the stream so far.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        let playout = self.playout.stats();
        ReceiverStats {
            received: self.received,
            lost: u64::try_from(self.reception.lost()).unwrap_or(0),
            late: playout.late,
            duplicate: self.duplicate,
            discarded: self.discarded + playout.discarded,
            jitter: self.clock.duration(self.reception.jitter_ticks() as usize),
            concealed: playout.concealed,
            delay: self.playout.delay(),
        }
    }
}
