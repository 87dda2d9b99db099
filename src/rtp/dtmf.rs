//! Keys as telephone events (RFC 4733): [`DtmfReceiver`] for what devices press, [`DtmfSender`] for a phone of our own (A-2, K-3).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::common::units::Hz;
use crate::rtp::packet::Packet;

/// The events 0 to 15 (RFC 4733 §3.2).
const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
/// The sender's audio stays muted this long after the last event packet: its tone may go on that long.
const TAIL: Duration = Duration::from_millis(60);
/// A timestamp further back than this many ticks is no late packet of an old key but a source that began anew: 5 s at 8 kHz.
const OLDEST: i32 = 40_000;
/// Nor is one that comes so long after the newest: the network reorders within its jitter.
const LATEST: Duration = Duration::from_millis(500);
/// Keys whose packets are known again.
const REMEMBERED: usize = 4;
/// Numbers from a key's newest packet to one that a relay has stamped anew: its audio may lie between them, and one may be lost.
const REPEATS: i16 = 4;
/// A relay repeats within the time of some packets; a jitter buffer's worth is added.
const REPEATED_WITHIN: Duration = Duration::from_millis(250);
/// Two presses of one key lie further apart where nothing else tells them apart.
const PAUSE: Duration = Duration::from_millis(100);
/// A key of which nothing has come for so long is up, though its end is lost. Senders repeat every 20 to 60 ms.
const SILENT: Duration = Duration::from_millis(200);
/// An event goes on under a new timestamp before its duration passes 0xFFFF ticks (RFC 4733 section 2.5.1.3); senders do so a packet or
/// some before that.
const LEAST_SEGMENT: i64 = 0xF000;
/// Ticks: a packet of 20 ms at 48 kHz.
const SEGMENT_SLACK: i64 = 960;

/// A key that was pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digit {
    /// `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// When the first packet of it came.
    pub at: Instant,
}

/// What one packet reports of a key.
#[derive(Clone, Copy, Debug)]
struct Report {
    at: Instant,
    ssrc: u32,
    seq: u16,
    timestamp: u32,
    marker: bool,
    event: u8,
    /// In ticks of the RTP clock, from `timestamp`.
    duration: u16,
    /// The E bit.
    ended: bool,
}

/// A key of which at least one packet has come.
#[derive(Clone, Copy, Debug)]
struct Key {
    ssrc: u32,
    event: u8,
    /// As its first packet has it, and as the newest has it where a relay stamps each anew.
    timestamp: u32,
    latest: u32,
    /// The longest duration reported.
    duration: u16,
    /// A packet without the E bit has come.
    started: bool,
    ended: bool,
    seq: u16,
    last_packet: Instant,
    released: bool,
}

/// Tells keys from packets. A key counts at its first packet, whichever that is: marker and end may be missing or repeated.
///
/// Its timestamp is its identity; another timestamp is another key, whatever the gap (K-3), but for what cannot be one: packets that a
/// relay has stamped anew, the next segment of a long key (RFC 4733 section 2.5.1.3), and the rest of a key under another SSRC.
#[derive(Clone, Debug, Default)]
pub struct DtmfReceiver {
    /// The last keys, the newest at the end; packets of an earlier one may come between those of the newest.
    keys: VecDeque<Key>,
    last_packet: Option<Instant>,
}

// === impl Report ===

impl Report {
    /// `None` for what is no key: too short, or another event (RFC 4733 section 3.2).
    fn read(now: Instant, packet: &Packet<'_>) -> Option<(Self, char)> {
        let &[event, flags, high, low, ..] = packet.payload else { return None };
        let digit = *DIGITS.get(usize::from(event))?;
        let &Packet { ssrc, seq, timestamp, marker, .. } = packet;
        let (duration, ended) = (u16::from_be_bytes([high, low]), flags & 0x80 != 0);
        Some((Self { at: now, ssrc, seq, timestamp, marker, event, duration, ended }, digit))
    }
}

// === impl Key ===

impl Key {
    const fn new(report: &Report) -> Self {
        let &Report { at, ssrc, seq, timestamp, event, duration, ended, .. } = report;
        let (latest, started) = (timestamp, !ended);
        Self { ssrc, event, timestamp, latest, duration, started, ended, seq, last_packet: at, released: false }
    }

    /// Whether the packet is one of this key.
    fn covers(&self, report: &Report) -> bool {
        let stamped_alike = report.timestamp == self.timestamp || report.timestamp == self.latest;
        if report.ssrc != self.ssrc {
            return self.goes_on_from_elsewhere(report);
        }
        match (report.event == self.event, stamped_alike) {
            (true, true) => !self.is_pressed_again(report),
            (true, false) => self.is_stamped_anew(report) || self.is_next_segment(report),
            // A damaged packet of this key, unless a sender whose timestamp stands still has gone on to another.
            (false, true) => report.ended || !(self.ended || report.marker) || self.is_newer_than(report),
            (false, false) => false,
        }
    }

    /// Whether a packet of this key was sent after this one.
    fn is_newer_than(&self, report: &Report) -> bool {
        report.seq.wrapping_sub(self.seq).cast_signed() < 0
    }

    fn age(&self, report: &Report) -> Duration {
        report.at.saturating_duration_since(self.last_packet)
    }

    /// The same digit again by a sender whose timestamp stands still.
    fn is_pressed_again(&self, report: &Report) -> bool {
        let later = report.seq.wrapping_sub(self.seq).cast_signed() > 0;
        self.ended && !report.ended && later && (report.marker || self.age(report) > PAUSE)
    }

    /// A relay may stamp each repeat of the end anew, or each packet of a key. What follows without a pause is no new key.
    fn is_stamped_anew(&self, report: &Report) -> bool {
        let later = report.seq.wrapping_sub(self.seq).cast_signed();
        let ahead = i64::from(report.timestamp.wrapping_sub(self.latest).cast_signed());
        if !(0..=REPEATS).contains(&later) || self.age(report) > REPEATED_WITHIN {
            return false;
        }
        // The duration has grown by as much as the timestamp; by twice as much, for a relay whose clock is coarse. A new key begins
        // with a short one, behind a pause.
        let growth = i64::from(report.duration) - i64::from(self.duration);
        let goes_on = !self.ended && (1..=2 * growth).contains(&ahead);
        // A new key would have begun by a packet without E, which was not lost, or not before the end of this one.
        let nothing_between = self.started && later <= 1 && !report.marker;
        let is_repeated = nothing_between || (1..=i64::from(self.duration)).contains(&ahead);
        goes_on || report.ended && is_repeated
    }

    /// A long key goes on under a new timestamp, at the latest at the duration's limit.
    fn is_next_segment(&self, report: &Report) -> bool {
        let ahead = i64::from(report.timestamp.wrapping_sub(self.latest).cast_signed());
        let duration = i64::from(self.duration);
        let longest = i64::from(u16::MAX) + SEGMENT_SLACK;
        !self.is_newer_than(report)
            && duration >= LEAST_SEGMENT
            && if self.ended { ahead == duration } else { (duration..=longest).contains(&ahead) }
    }

    /// The rest of a key under another SSRC: nothing has begun anew, and the duration goes on.
    fn goes_on_from_elsewhere(&self, report: &Report) -> bool {
        let goes_on = report.duration >= self.duration && report.duration > 0 && !report.marker;
        report.event == self.event && goes_on && (!self.ended || report.ended) && self.age(report) <= PAUSE
    }

    fn extend(&mut self, report: &Report) {
        if report.event != self.event {
            return;
        }
        if self.is_next_segment(report) {
            (self.timestamp, self.latest, self.duration, self.ended) = (report.timestamp, report.timestamp, 0, false);
        }
        if report.ssrc != self.ssrc {
            (self.ssrc, self.timestamp, self.latest, self.seq) = (report.ssrc, report.timestamp, report.timestamp, report.seq);
        }
        if !self.is_newer_than(report) {
            self.seq = report.seq;
            self.latest = report.timestamp;
        }
        self.duration = self.duration.max(report.duration);
        self.started |= !report.ended;
        self.ended |= report.ended;
        self.last_packet = report.at;
    }
}

// === impl DtmfReceiver ===

impl DtmfReceiver {
    /// Nothing pressed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a packet of a telephone-event payload type; gives the key if this is its first one.
    pub fn handle(&mut self, now: Instant, packet: &Packet<'_>) -> Option<Digit> {
        let (report, digit) = Report::read(now, packet)?;
        self.last_packet = Some(now);
        if let Some(key) = self.keys.iter_mut().rev().find(|key| key.covers(&report)) {
            key.extend(&report);
            return None;
        }
        if self.keys.back().is_some_and(|newest| is_belated(newest, &report)) {
            return None;
        }
        if self.keys.len() >= REMEMBERED {
            self.keys.pop_front();
        }
        self.keys.push_back(Key::new(&report));
        Some(Digit { digit, at: now })
    }

    /// Whether a key is down, so that the sender's audio must not be mixed.
    #[must_use]
    pub fn active(&self, now: Instant) -> bool {
        self.last_packet.is_some_and(|last| now.saturating_duration_since(last) < TAIL)
    }

    /// The next key that is up again, each once: its end has come, or nothing of it for [`SILENT`].
    pub fn poll_released(&mut self, now: Instant) -> Option<char> {
        let is_up = |key: &Key| key.ended || now.saturating_duration_since(key.last_packet) >= SILENT;
        let key = self.keys.iter_mut().find(|key| !key.released && is_up(key))?;
        key.released = true;
        DIGITS.get(usize::from(key.event)).copied()
    }
}

/// A packet of a key before the newest one, of which no other has come.
fn is_belated(newest: &Key, report: &Report) -> bool {
    let behind = report.timestamp.wrapping_sub(newest.latest).cast_signed();
    let late = newest.is_newer_than(report) && newest.age(report) <= LATEST;
    report.ssrc == newest.ssrc && late && (-OLDEST..=0).contains(&behind)
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
