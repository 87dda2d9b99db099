//! [`AudioReceiver`]: orders and counts the packets of one stream, and has them played.

use std::time::{Duration, Instant};

use super::media_clock::MediaClock;
use super::playout::{Playout, PlayoutStats};
use super::sequence::{Arrival, SequenceTracker};
use crate::codec::{CodecError, CodecKind};
use crate::common::units::Hz;
use crate::dsp::Frame;
use crate::rtp::packet::Packet;
use crate::rtp::payload::{PayloadContent, PayloadFormat, PayloadTable};
use crate::rtp::rtcp::ReceptionStats;

/// A larger payload is not audio: L16 at 48 kHz fills 1920 bytes with 20 ms, the others less with 60 ms.
const LARGEST_PAYLOAD: usize = 1920;

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
    /// Packets of another source than the one that is played.
    pub other_source: u64,
    /// Packets of payload types that no description has named.
    pub unnamed: u64,
    /// RFC 3550 interarrival jitter.
    pub jitter: Duration,
    /// Packets that never came in time, and that in-band FEC stood for.
    pub repaired: u64,
    /// Sound concealed for want of packets while the stream was running; what is repaired by FEC is not.
    pub concealed: Duration,
    /// From a packet's arrival to its first sample being played, plus the packet's own length: an average.
    pub delay: Duration,
}

/// A packet that counts for reception reports (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CountedPacket {
    /// Its place on the stream's timeline in ticks of `clock`, whatever its sender counts.
    pub timestamp: u32,
    /// RTP clock of the codec.
    pub clock: Hz,
    /// It begins another source or sequence.
    pub restarted: bool,
}

/// The receiving side of one audio stream.
pub struct AudioReceiver {
    payloads: PayloadTable,
    sequence: SequenceTracker,
    clock: MediaClock,
    reception: ReceptionStats,
    pub(super) playout: Playout,
    /// The codec before the one that comes now, until it is played out.
    leaving: Option<Box<Playout>>,
    /// Figures of codecs that are played out.
    past: PlayoutStats,
    received: u64,
    duplicate: u64,
    discarded: u64,
    other_source: u64,
    unnamed: u64,
}

// === impl AudioReceiver ===

impl AudioReceiver {
    /// A receiver of what `formats` name; `kind` is expected first.
    ///
    /// # Errors
    /// [`CodecError::Create`] when the decoder cannot be made.
    pub fn new(kind: CodecKind, formats: &[PayloadFormat]) -> Result<Self, CodecError> {
        Ok(Self {
            payloads: PayloadTable::new(formats),
            sequence: SequenceTracker::default(),
            clock: MediaClock::new(kind.row().rtp_clock),
            reception: ReceptionStats::default(),
            playout: Playout::new(kind)?,
            leaving: None,
            past: PlayoutStats::default(),
            received: 0,
            duplicate: 0,
            discarded: 0,
            other_source: 0,
            unnamed: 0,
        })
    }

    /// Takes the payload types of another offer and answer. Those of before stay understood.
    pub fn renegotiate(&mut self, formats: &[PayloadFormat]) {
        self.payloads.extend(formats);
    }

    /// What packets of a payload type carry; `None` where no description has named it.
    #[must_use]
    pub fn content(&self, payload_type: u8) -> Option<PayloadContent> {
        self.payloads.content(payload_type)
    }

    /// The source that is played.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.sequence.ssrc()
    }

    /// Takes an RTP packet of the stream. Packets without audio are to be put in as well: their numbers tell loss from pauses. `None`: it does not
    /// count, because it is of another source than the one that is played, or cannot be placed.
    pub fn insert(&mut self, now: Instant, packet: &Packet<'_>) -> Option<CountedPacket> {
        let arrival = self.sequence.track(now, packet);
        let seq = match arrival {
            Arrival::New(seq) => seq,
            Arrival::Restarted(seq) => {
                self.restart();
                seq
            }
            Arrival::Duplicate => {
                self.duplicate += 1;
                let timestamp = packet.timestamp;
                return Some(CountedPacket { timestamp, clock: self.clock.clock(), restarted: false });
            }
            Arrival::OutOfRange => {
                self.discarded += 1;
                return None;
            }
            Arrival::OtherSource => {
                self.other_source += 1;
                return None;
            }
        };
        let timestamp = match self.payloads.content(packet.pt) {
            Some(PayloadContent::Audio(kind)) => self.insert_audio(now, seq, kind, packet),
            Some(PayloadContent::ComfortNoise(_)) => {
                self.playout.pause(seq, packet.payload);
                self.clock.locate(seq, packet.timestamp)
            }
            Some(PayloadContent::TelephoneEvent(_)) => self.clock.locate(seq, packet.timestamp),
            None => {
                self.unnamed += 1;
                self.clock.locate(seq, packet.timestamp)
            }
        };
        let restarted = matches!(arrival, Arrival::Restarted(_));
        let counted = CountedPacket { timestamp, clock: self.clock.clock(), restarted };
        if restarted {
            self.reception.begin_anew();
        }
        self.reception.received(now, &Packet { timestamp, ..*packet }, counted.clock);
        Some(counted)
    }

    /// Puts a packet of audio in its place, which it gives.
    fn insert_audio(&mut self, now: Instant, seq: i64, kind: CodecKind, packet: &Packet<'_>) -> u32 {
        self.received += 1;
        let newest = self.sequence.is_newest(seq);
        if kind != self.playout.kind() {
            if !newest {
                return self.insert_belated(now, seq, kind, packet);
            }
            if self.change_codec(kind).is_err() {
                self.discarded += 1;
                return self.clock.locate(seq, packet.timestamp);
            }
        }
        let ticks = self.playout.ticks(packet.payload).filter(|_| packet.payload.len() <= LARGEST_PAYLOAD);
        let Some(ticks) = ticks else {
            self.discarded += 1;
            return self.clock.locate(seq, packet.timestamp);
        };
        let place = self.clock.place(now, seq, packet.timestamp, ticks);
        if place.anew {
            self.playout.begin_anew();
        }
        self.playout.insert(now, seq, newest, &Packet { timestamp: place.timestamp, ..*packet });
        place.timestamp
    }

    /// A packet of another codec than the one that comes now, which was sent before that one.
    fn insert_belated(&mut self, now: Instant, seq: i64, kind: CodecKind, packet: &Packet<'_>) -> u32 {
        match &mut self.leaving {
            Some(leaving) if leaving.kind() == kind => leaving.insert(now, seq, false, packet),
            _ => self.discarded += 1,
        }
        self.clock.locate(seq, packet.timestamp)
    }

    /// Another codec of the descriptions comes from now on (RFC 3264 section 6.1). What has come by the old one is played to its end first, and
    /// meanwhile the new one gathers its own delay.
    fn change_codec(&mut self, kind: CodecKind) -> Result<(), CodecError> {
        let fresh = match self.leaving.take() {
            Some(before) if before.kind() == kind => *before,
            before => {
                self.past += before.map(|before| before.stats()).unwrap_or_default();
                Playout::new(kind)?
            }
        };
        self.leaving = Some(Box::new(std::mem::replace(&mut self.playout, fresh)));
        self.clock = MediaClock::new(kind.row().rtp_clock);
        Ok(())
    }

    /// Another source, or a sequence that has begun anew.
    fn restart(&mut self) {
        self.retire();
        self.playout.restart();
        self.clock = MediaClock::new(self.clock.clock());
    }

    fn retire(&mut self) {
        self.past += self.leaving.take().map(|leaving| leaving.stats()).unwrap_or_default();
    }

    /// Gives the next 20 ms at the rate of its codec; to be called every 20 ms. Silence before the stream begins and 100 ms after it has stopped.
    pub fn pull(&mut self, now: Instant, out: &mut Frame) {
        match &mut self.leaving {
            Some(leaving) if leaving.has_sound() => leaving.pull(now, out),
            _ => {
                self.retire();
                self.playout.pull(now, out);
            }
        }
    }

    /// What has become of the stream so far.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        let mut playout = self.past;
        playout += self.playout.stats();
        playout += self.leaving.as_ref().map(|leaving| leaving.stats()).unwrap_or_default();
        ReceiverStats {
            received: self.received,
            lost: u64::try_from(self.reception.lost()).unwrap_or(0),
            late: playout.late,
            duplicate: self.duplicate,
            discarded: self.discarded + playout.discarded,
            other_source: self.other_source,
            unnamed: self.unnamed,
            jitter: self.reception.jitter(),
            repaired: playout.repaired,
            concealed: playout.concealed,
            delay: self.playout.delay(),
        }
    }
}
