//! Keys as telephone events (RFC 4733): [`DtmfReceiver`] for what devices press, [`DtmfSender`] for a phone of our own (A-2, K-3).

use std::time::{Duration, Instant};

use crate::common::units::Hz;
use crate::rtp::packet::Packet;

/// The events 0 to 15 (RFC 4733 §3.2).
const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
/// The sender's audio stays muted this long after the last event packet: its tone may go on that long.
const TAIL: Duration = Duration::from_millis(60);
/// A timestamp further back than this many ticks is no late packet of an old key but a source that began anew: 5 s at 8 kHz.
const OLDEST: i32 = 40_000;
/// An event longer than this goes on under a new timestamp (RFC 4733 §2.5.1.3).
const LONGEST_SEGMENT: u16 = u16::MAX;

/// A key that was pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digit {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// When the first packet of it came.
    pub at: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    duration: u16,
    ended: bool,
    seq: u16,
    last_packet: Instant,
}

/// Tells keys from packets. A key counts at its first packet, whichever that is: marker and end may be missing or repeated.
/// Its timestamp is its identity; another timestamp is another key, whatever the gap (K-3).
#[derive(Clone, Debug, Default)]
pub struct DtmfReceiver {
    current: Option<Current>,
}

// === impl DtmfReceiver ===

impl DtmfReceiver {
    /// Nothing pressed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet of the telephone-event payload type; gives the key if this is its first one.
    pub fn handle(&mut self, now: Instant, packet: &Packet<'_>) -> Option<Digit> {
        let &[event, flags, high, low, ..] = packet.payload else { return None };
        let digit = *DIGITS.get(usize::from(event))?;
        let duration = u16::from_be_bytes([high, low]);
        let ended = flags & 0x80 != 0;
        let fresh =
            Current { ssrc: packet.ssrc, timestamp: packet.timestamp, event, duration, ended, seq: packet.seq, last_packet: now };
        let Some(current) = self.current.as_mut().filter(|current| current.ssrc == packet.ssrc) else {
            self.current = Some(fresh);
            return Some(Digit { digit, at: now });
        };
        let ahead = packet.timestamp.wrapping_sub(current.timestamp).cast_signed();
        if ahead == 0 && event == current.event {
            current.duration = current.duration.max(duration);
            current.ended |= ended;
            current.last_packet = now;
            return None;
        }
        // Belated packets of an earlier key, or a damaged one of this key.
        let belated = packet.seq.wrapping_sub(current.seq).cast_signed() < 0;
        if (-OLDEST..=0).contains(&ahead) && (belated || ahead == 0 && !current.ended) {
            return None;
        }
        let segment = event == current.event && !current.ended && ahead == i32::from(LONGEST_SEGMENT);
        self.current = Some(fresh);
        (!segment).then_some(Digit { digit, at: now })
    }

    /// Whether a key is down, so that the sender's audio must not be heard.
    #[must_use]
    pub fn active(&self, now: Instant) -> bool {
        self.current.is_some_and(|current| now.saturating_duration_since(current.last_packet) < TAIL)
    }
}

/// What to put into one packet of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventPacket {
    /// Set on the first packet.
    pub marker: bool,
    /// Event, flags and duration.
    pub payload: [u8; 4],
}

/// One key on its way out: one packet every packet time, the last one three times. All carry the timestamp at which the key
/// went down; see [`crate::rtp::sender::RtpSender::event`].
#[derive(Clone, Debug)]
pub struct DtmfSender {
    event: u8,
    step: u16,
    total: u16,
    sent: u16,
    ends: u8,
}

impl DtmfSender {
    /// The key `digit`, held for `duration` (at most 65535 ticks), told every `packet_time`. `None` for what is no key.
    #[must_use]
    pub fn new(digit: char, duration: Duration, packet_time: Duration, clock: Hz) -> Option<Self> {
        let event = DIGITS.iter().position(|&known| known == digit.to_ascii_uppercase())?;
        let ticks = |time| u16::try_from(clock.samples(time)).unwrap_or(u16::MAX).max(1);
        Some(Self { event: u8::try_from(event).ok()?, step: ticks(packet_time), total: ticks(duration), sent: 0, ends: 0 })
    }

    /// The next packet, to be sent one packet time after the one before; `None` when the key is over. No audio is to be sent
    /// in the meantime.
    pub fn next_packet(&mut self) -> Option<EventPacket> {
        if self.ends == 3 {
            return None;
        }
        let marker = self.sent == 0;
        self.sent = self.sent.saturating_add(self.step).min(self.total);
        let ended = self.sent == self.total;
        self.ends += u8::from(ended);
        let [high, low] = self.sent.to_be_bytes();
        // Volume -10 dBm0, as most phones say; nobody looks at it.
        Some(EventPacket { marker, payload: [self.event, if ended { 0x80 | 10 } else { 10 }, high, low] })
    }
}

#[cfg(test)]
mod tests;
