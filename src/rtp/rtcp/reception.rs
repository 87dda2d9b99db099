//! [`ReceptionStats`]: loss and jitter of one received source, and the report block made of them (RFC 3550 sections 6.4.1, A.3, A.8).

use std::time::{Duration, Instant};

use rtcp::reception_report::ReceptionReport;

use crate::common::units::Hz;
use crate::rtp::packet::Packet;

/// A sequence number this far from the last one means that the source has begun anew (RFC 3550 A.1: MAX_DROPOUT).
const RESTART: i64 = 3000;

/// What has come of a stream: of its source (RFC 3550 §6.4.1, A.3, A.8), and of those before it.
#[derive(Clone, Debug, Default)]
pub struct ReceptionStats {
    source: Option<Source>,
    /// Packets of sources before this one that should have come.
    expected_before: i64,
    /// Those of them that have.
    received_before: i64,
}

#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    base: i64,
    highest: i64,
    received: i64,
    expected_before: i64,
    received_before: i64,
    began: Instant,
    clock: Hz,
    transit: Option<i64>,
    timestamp: u32,
    /// In ticks, sixteen times enlarged.
    jitter: i64,
}

// === impl ReceptionStats ===

impl ReceptionStats {
    /// Takes note of a packet. `clock` is the RTP clock of its payload type.
    pub fn received(&mut self, now: Instant, packet: &Packet<'_>, clock: Hz) {
        if self.source.as_ref().is_some_and(|source| source.ssrc != packet.ssrc || source.distance(packet.seq).abs() >= RESTART) {
            self.begin_anew();
        }
        let mut source = self.source.take().unwrap_or_else(|| Source::new(now, packet, clock));
        source.count_by(clock);
        source.highest = source.highest.max(source.highest + source.distance(packet.seq));
        source.received += 1;
        // Packets that share a timestamp (telephone events, repeats) say nothing of the network's regularity.
        if source.transit.is_none() || packet.timestamp != source.timestamp {
            let since = now.saturating_duration_since(source.began);
            let arrival = i64::try_from(since.as_micros() * u128::from(clock.0) / 1_000_000).unwrap_or(i64::MAX);
            let transit = arrival - i64::from(packet.timestamp);
            if let Some(before) = source.transit {
                // Modulo 2³², so that the timestamp's wrap is no jitter; a jump of more than 10 s is a new timeline, not jitter.
                let difference = i64::from((transit - before) as i32).abs();
                if difference < i64::from(clock.0) * 10 {
                    source.jitter += difference - ((source.jitter + 8) >> 4);
                }
            }
            source.transit = Some(transit);
            source.timestamp = packet.timestamp;
        }
        self.source = Some(source);
    }

    /// The next packet begins another source or sequence. What is counted stays counted.
    pub fn begin_anew(&mut self) {
        if let Some(source) = self.source.take() {
            self.expected_before += source.expected();
            self.received_before += source.received;
        }
    }

    /// The source of the last packet.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// Packets that should have come but have not; negative when duplicates outweigh them.
    #[must_use]
    pub fn lost(&self) -> i64 {
        let (expected, received) = self.source.as_ref().map_or((0, 0), |source| (source.expected(), source.received));
        self.expected_before + expected - self.received_before - received
    }

    /// Packets that should have come.
    #[must_use]
    pub fn expected(&self) -> u64 {
        (self.expected_before + self.source.as_ref().map_or(0, Source::expected)).unsigned_abs()
    }

    /// Interarrival jitter in ticks.
    #[must_use]
    pub fn jitter_ticks(&self) -> u32 {
        self.source.as_ref().map_or(0, |source| u32::try_from(source.jitter >> 4).unwrap_or(u32::MAX))
    }

    /// Interarrival jitter.
    #[must_use]
    pub fn jitter(&self) -> Duration {
        self.source.as_ref().map(|source| source.clock.duration(self.jitter_ticks() as usize)).unwrap_or_default()
    }

    /// The report block; the loss fraction counts from the call before this one.
    pub(super) fn report(&mut self) -> Option<ReceptionReport> {
        let jitter = self.jitter_ticks();
        let source = self.source.as_mut()?;
        let (expected, lost) = (source.expected(), source.expected() - source.received);
        let interval = expected - source.expected_before;
        let lost_now = interval - (source.received - source.received_before);
        source.expected_before = expected;
        source.received_before = source.received;
        let fraction = if interval > 0 && lost_now > 0 { (lost_now * 256 / interval).min(255) } else { 0 };
        Some(ReceptionReport {
            ssrc: source.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            // A signed field of 24 bits that the marshaller takes for unsigned: more duplicates than losses are told as none.
            total_lost: u32::try_from(lost.clamp(0, 0x7f_ffff)).unwrap_or(0),
            last_sequence_number: source.highest as u32,
            jitter,
            last_sender_report: 0,
            delay: 0,
        })
    }
}

impl Source {
    fn new(now: Instant, packet: &Packet<'_>, clock: Hz) -> Self {
        let base = i64::from(packet.seq);
        Self {
            ssrc: packet.ssrc,
            base,
            highest: base,
            received: 0,
            expected_before: 0,
            received_before: 0,
            began: now,
            clock,
            transit: None,
            timestamp: packet.timestamp,
            jitter: 0,
        }
    }

    /// Timestamps count by `clock` from now on: another codec comes.
    fn count_by(&mut self, clock: Hz) {
        if clock != self.clock {
            self.jitter = self.jitter * i64::from(clock.0) / i64::from(self.clock.0);
            (self.clock, self.transit) = (clock, None);
        }
    }

    /// How far ahead of the highest number this one is.
    fn distance(&self, seq: u16) -> i64 {
        i64::from(seq.wrapping_sub(self.highest as u16).cast_signed())
    }

    fn expected(&self) -> i64 {
        self.highest - self.base + 1
    }
}
