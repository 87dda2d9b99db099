//! A sender, a network and a clock in virtual time; what comes out is listened to.

use std::time::{Duration, Instant};

use super::*;
use crate::codec::{CodecKind, EncoderSettings};
use crate::common::split_mix::SplitMix;
use crate::common::units::Hz;
use crate::dsp::Frame;
use crate::dsp::tone::Sine;
use crate::rtp::packet::Packet;
use crate::rtp::payload::{PayloadContent, PayloadFormat};

mod clocks;
mod network;
mod sources;

const MS: Duration = Duration::from_millis(1);

#[allow(clippy::disallowed_methods, reason = "an arbitrary beginning of virtual time")]
fn start() -> Instant {
    Instant::now()
}

fn audio(payload_type: u8, kind: CodecKind) -> Vec<PayloadFormat> {
    vec![PayloadFormat { payload_type, content: PayloadContent::Audio(kind) }]
}

/// A call of `seconds`, as the network treats it. Times in microseconds.
struct Call {
    kind: CodecKind,
    /// Packet lengths in ms, one after the other, round and round.
    packet_ms: Vec<u64>,
    seconds: u64,
    /// Packets are late by up to this, evenly spread.
    jitter: u64,
    /// Pulls are off by up to this, either way.
    pull_noise: u64,
    /// Every so many packets one is lost; 0 is never.
    lose_every: u64,
    /// Every so many packets two change places; 0 is never.
    swap_every: u64,
    /// The sender's clock, in parts per million above ours.
    drift: i64,
    /// Nothing arrives from .0 ms on until .1 ms, then all at once.
    stall: (u64, u64),
    first_seq: u16,
    first_timestamp: u32,
    phase: u64,
    freq: f32,
    seed: u64,
    /// By what the timestamp grows from a packet of this number and so many ms to the next; `None`: as the codec's clock counts.
    step: Option<fn(u64, u64) -> u32>,
}

impl Call {
    fn new(kind: CodecKind) -> Self {
        Self {
            kind,
            packet_ms: vec![20],
            seconds: 10,
            jitter: 0,
            pull_noise: 0,
            lose_every: 0,
            swap_every: 0,
            drift: 0,
            stall: (0, 0),
            first_seq: 65_000,
            first_timestamp: u32::MAX - 20_000,
            phase: 7_000,
            freq: 400.0,
            seed: 1,
            step: None,
        }
    }

    /// Arrival time, number, timestamp and payload of each packet, in order of arrival.
    fn packets(&self) -> Vec<(u64, u16, u32, Vec<u8>)> {
        let row = self.kind.row();
        let mut random = SplitMix::new(self.seed);
        let mut encoder = self.kind.encoder(EncoderSettings::default()).unwrap();
        let mut sine = Sine::new(row.sample_rate, self.freq, 9_000.0);
        let (mut at, mut timestamp, mut packets) = (self.phase, self.first_timestamp, Vec::new());
        for (i, &ms) in (0u64..).zip(self.packet_ms.iter().cycle()) {
            if at > self.seconds * 1_000_000 {
                break;
            }
            let mut pcm = vec![0; row.sample_rate.0 as usize * ms as usize / 1000];
            sine.fill(&mut pcm);
            let mut payload = Vec::new();
            encoder.encode(&pcm, &mut payload).unwrap();
            let mut arrival = at + random.draw() % (self.jitter + 1);
            if (self.stall.0 * 1000..self.stall.1 * 1000).contains(&arrival) {
                arrival = self.stall.1 * 1000;
            }
            let every = |n: u64| n > 0 && i > 10 && i % n == 0;
            if every(self.swap_every) {
                arrival += ms * 1000 + 500;
            }
            if !every(self.lose_every) {
                packets.push((arrival, self.first_seq.wrapping_add(i as u16), timestamp, payload));
            }
            let right = (u64::from(row.rtp_clock.0) * ms / 1000) as u32;
            timestamp = timestamp.wrapping_add(self.step.map_or(right, |step| step(i, ms)));
            at += (ms * 1000).saturating_add_signed(-(ms as i64 * self.drift / 1000));
        }
        packets.sort_by_key(|packet| packet.0);
        packets
    }

    fn run(&self) -> (Vec<i16>, ReceiverStats) {
        let begin = start();
        let mut random = SplitMix::new(self.seed + 1);
        let mut receiver = AudioReceiver::new(self.kind, &audio(96, self.kind)).unwrap();
        let (mut frame, mut heard) = (Frame::silence(Hz::NARROW), Vec::new());
        let mut packets = self.packets().into_iter().peekable();
        for tick in 1..=self.seconds * 50 {
            let noise = random.draw() % (2 * self.pull_noise + 1);
            let now = tick * 20_000 + noise - self.pull_noise;
            while let Some((at, seq, timestamp, payload)) = packets.next_if(|packet| packet.0 <= now) {
                let packet = Packet { pt: 96, marker: false, seq, timestamp, ssrc: 1, payload: &payload };
                let _ = receiver.insert(begin + Duration::from_micros(at), &packet);
            }
            receiver.pull(begin + Duration::from_micros(now), &mut frame);
            assert_eq!(frame.rate(), self.kind.row().sample_rate);
            heard.extend_from_slice(frame.samples());
        }
        (heard, receiver.stats())
    }

    /// The longest time, after the first 200 ms, in which nothing was heard.
    fn longest_gap(&self, heard: &[i16]) -> Duration {
        let rate = self.kind.row().sample_rate;
        longest_gap(&heard[rate.samples(200 * MS)..], rate)
    }
}

/// The longest time in which nothing was heard.
fn longest_gap(heard: &[i16], rate: Hz) -> Duration {
    let (mut longest, mut gap) = (0, 0);
    for piece in heard.chunks(rate.samples(5 * MS)) {
        gap = if crate::dsp::level::dbov(piece) < -30.0 { gap + 1 } else { 0 };
        longest = longest.max(gap);
    }
    longest * 5 * MS
}

/// Every packet time plays without concealment at little delay.
#[test]
fn a1_every_packet_time_plays_without_concealment_at_little() {
    for kind in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::G722, CodecKind::Opus] {
        for packet_ms in [10, 20, 30, 40, 60] {
            for phase in [0, 1_000, 10_000, 19_999] {
                let call = Call { packet_ms: vec![packet_ms], phase, seconds: 3, ..Call::new(kind) };
                let (heard, stats) = call.run();
                assert!(stats.concealed == Duration::ZERO, "{kind:?} {packet_ms}: {stats:?}");
                assert_eq!((stats.lost, stats.late, stats.discarded, stats.duplicate), (0, 0, 0, 0));
                assert!(stats.delay <= (packet_ms as u32 + 28) * MS, "{kind:?} {packet_ms}: {stats:?}");
                assert_eq!(call.longest_gap(&heard), Duration::ZERO, "{kind:?} {packet_ms}");
            }
        }
    }
}

#[test]
fn a1_the_packet_time_may_change_in_mid_call() {
    for kind in [CodecKind::Pcma, CodecKind::G722, CodecKind::Opus] {
        // Opus packets of 30 ms come from another encoder, whose first one begins softly.
        let third = if kind == CodecKind::Opus { 40 } else { 30 };
        let call = Call { packet_ms: vec![20, 20, 60, 10, third, 40, 10, 10, 60], ..Call::new(kind) };
        let (heard, stats) = call.run();
        assert_eq!((stats.lost, stats.late, stats.discarded), (0, 0, 0));
        assert_eq!(call.longest_gap(&heard), Duration::ZERO, "{kind:?} {stats:?}");
    }
}

/// Three milliseconds of noise at both clocks cause no concealment.
#[test]
fn a4_three_milliseconds_of_noise_at_both_clocks_cause() {
    for seed in 0..40 {
        for packet_ms in [10, 20, 30, 60] {
            let call = Call {
                packet_ms: vec![packet_ms],
                jitter: 6_000,
                pull_noise: 1_000,
                phase: seed * 511,
                seed,
                ..Call::new(CodecKind::Pcmu)
            };
            let (heard, stats) = call.run();
            assert!(stats.concealed == Duration::ZERO, "seed {seed}, {packet_ms} ms: {stats:?}");
            assert!(stats.delay <= (packet_ms as u32 + 32) * MS, "seed {seed}, {packet_ms} ms: {stats:?}");
            assert_eq!(call.longest_gap(&heard), Duration::ZERO);
        }
    }
}

#[test]
fn a4_five_percent_loss_is_hidden() {
    for kind in [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus] {
        let call = Call { lose_every: 20, ..Call::new(kind) };
        let (heard, stats) = call.run();
        assert!((20..=26).contains(&stats.lost), "{stats:?}");
        assert!(stats.concealed < 620 * MS, "{stats:?}");
        assert!(call.longest_gap(&heard) < 20 * MS, "{kind:?}");
    }
}

#[test]
fn a4_jitter_lengthens_the_delay_until_nothing_is_late() {
    for seed in 0..10 {
        let call = Call { jitter: 60_000, seconds: 30, seed, ..Call::new(CodecKind::Pcma) };
        let (_, stats) = call.run();
        assert!(stats.concealed < 400 * MS, "{stats:?}");
        assert!(stats.delay < 130 * MS && stats.delay > 40 * MS, "{stats:?}");
        assert!(stats.jitter > 10 * MS && stats.jitter < 35 * MS, "{stats:?}");
    }
}

#[test]
fn a4_swapped_packets_are_put_in_order() {
    let call = Call { swap_every: 10, seconds: 20, ..Call::new(CodecKind::Pcmu) };
    let (heard, stats) = call.run();
    assert_eq!(stats.lost, 0);
    assert!(stats.late <= 5 && stats.concealed < 150 * MS, "{stats:?}");
    assert_eq!(call.longest_gap(&heard), Duration::ZERO);
}

#[test]
fn a4_a_foreign_clock_is_followed_without_gaps_or_growing_delay() {
    for drift in [-300, 300] {
        let call = Call { drift, seconds: 180, jitter: 2_000, ..Call::new(CodecKind::Pcmu) };
        let (heard, stats) = call.run();
        assert_eq!((stats.late, stats.discarded, stats.lost), (0, 0, 0), "{drift}: {stats:?}");
        assert!(stats.delay < 50 * MS, "{drift}: {stats:?}");
        assert!(stats.concealed < 60 * MS, "{drift}: {stats:?}");
        assert_eq!(call.longest_gap(&heard), Duration::ZERO);
    }
}

/// A stall is followed by at most the longest delay which then shrinks.
#[test]
fn a4_a_stall_is_followed_by_at_most_the_longest_delay() {
    for length in [100, 190, 450] {
        let call = Call { stall: (2_000, 2_000 + length), seconds: 30, ..Call::new(CodecKind::Pcmu) };
        let (heard, stats) = call.run();
        assert!(stats.delay <= 45 * MS, "{length}: {stats:?}");
        assert!(call.longest_gap(&heard) <= Duration::from_millis(length), "{length}");
    }
}

#[test]
fn a4_a_stream_that_stops_fades_to_silence_and_comes_back() {
    let begin = start();
    for kind in [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus] {
        let packets = Call { seconds: 2, phase: 0, ..Call::new(kind) }.packets();
        let mut receiver = AudioReceiver::new(kind, &audio(96, kind)).unwrap();
        let (mut frame, mut levels) = (Frame::silence(Hz::NARROW), Vec::new());
        for tick in 0..150u32 {
            let now = begin + tick * 20 * MS;
            // Silent from 1 s to 2 s; the timestamps go on meanwhile, or stand still in the second half of the codecs.
            let wanted = if tick < 50 { Some(tick) } else { tick.checked_sub(100).map(|tick| tick + 50) };
            if let Some((_, seq, timestamp, payload)) = wanted.and_then(|at| packets.get(at as usize)) {
                let paused = if tick >= 100 && kind != CodecKind::Pcmu { kind.row().rtp_clock.0 } else { 0 };
                let packet =
                    Packet { pt: 96, marker: false, seq: *seq, timestamp: timestamp.wrapping_add(paused), ssrc: 1, payload };
                let _ = receiver.insert(now, &packet);
            }
            receiver.pull(now, &mut frame);
            levels.push(crate::dsp::level::dbov(frame.samples()));
        }
        assert!(levels[3..50].iter().all(|&level| level > -20.0), "{kind:?} {levels:?}");
        assert!(levels[57..100].iter().all(|&level| level < -100.0), "{kind:?} {levels:?}");
        assert!(levels[104..].iter().all(|&level| level > -20.0), "{kind:?} {levels:?}");
    }
}

#[test]
fn a4_another_source_or_sequence_is_followed_at_once() {
    let begin = start();
    let payload = [0x20u8; 160];
    let mut receiver = AudioReceiver::new(CodecKind::Pcmu, &audio(0, CodecKind::Pcmu)).unwrap();
    let mut frame = Frame::silence(Hz::NARROW);
    let mut quiet = 0;
    for tick in 0..200u32 {
        let (ssrc, seq, timestamp) = match tick {
            0..50 => (1, tick, tick * 160),
            50..100 => (2, tick * 7 % 65_536 / 7, 3_000_000_000 + tick * 160),
            100..150 => (2, 40_000 + tick, 17 + tick * 160),
            // Same numbers, other timeline: backwards by an hour.
            _ => (2, 40_000 + tick, 4_200_000_000 + tick * 160),
        };
        let now = begin + tick * 20 * MS;
        let _ = receiver.insert(now, &Packet { pt: 0, marker: false, seq: seq as u16, timestamp, ssrc, payload: &payload });
        receiver.pull(now, &mut frame);
        quiet += u32::from(tick > 2 && crate::dsp::level::dbov(frame.samples()) < -40.0);
    }
    assert!(quiet <= 4, "{quiet}");
    assert!(receiver.stats().discarded < 8, "{:?}", receiver.stats());
}

#[test]
fn duplicates_and_keys_are_told_apart_from_audio() {
    let begin = start();
    let mut receiver = AudioReceiver::new(CodecKind::Pcmu, &audio(0, CodecKind::Pcmu)).unwrap();
    let mut frame = Frame::silence(Hz::NARROW);
    for tick in 0..50u32 {
        let now = begin + tick * 20 * MS;
        let pt = if (20..30).contains(&tick) { 101 } else { 0 };
        let timestamp = if pt == 101 { 20 * 160 } else { tick * 160 };
        let packet = Packet { pt, marker: false, seq: tick as u16, timestamp, ssrc: 1, payload: &[0x20; 160] };
        let _ = receiver.insert(now, &packet);
        let _ = receiver.insert(now, &packet);
        receiver.pull(now, &mut frame);
    }
    let stats = receiver.stats();
    assert_eq!((stats.received, stats.duplicate, stats.lost, stats.late), (40, 50, 0, 0));
}

/// Before the stream begins there is silence and nothing is concealed.
#[test]
fn before_the_stream_begins_there_is_silence_and_nothing() {
    let begin = start();
    let mut receiver = AudioReceiver::new(CodecKind::Opus, &audio(96, CodecKind::Opus)).unwrap();
    let mut frame = Frame::from_samples(Hz::NARROW, &[5; 160]);
    for tick in 0..20 {
        receiver.pull(begin + tick * 20 * MS, &mut frame);
        assert!(frame.rate() == Hz::FULL && frame.samples().iter().all(|&sample| sample == 0));
    }
    assert_eq!(receiver.stats(), ReceiverStats { delay: 20 * MS, ..ReceiverStats::default() });
}

#[test]
fn no_sequence_of_packets_panics_or_piles_up() {
    for seed in 0..60 {
        let mut random = SplitMix::new(seed);
        let kind = [CodecKind::Pcmu, CodecKind::G722, CodecKind::Opus][(seed % 3) as usize];
        let mut receiver = AudioReceiver::new(kind, &audio(96, kind)).unwrap();
        let mut frame = Frame::silence(Hz::NARROW);
        let (mut now, mut seq, mut timestamp) = (start(), random.draw() as u16, random.draw() as u32);
        for _ in 0..1500 {
            match random.draw() % 12 {
                0 => seq = random.draw() as u16,
                1 => timestamp = random.draw() as u32,
                2 => timestamp = timestamp.wrapping_sub((random.draw() % 5000) as u32),
                3 => seq = seq.wrapping_sub((random.draw() % 70) as u16),
                _ => (seq, timestamp) = (seq.wrapping_add(1), timestamp.wrapping_add(160)),
            }
            let payload: Vec<u8> = (0..random.draw() % 400).map(|_| random.draw() as u8).collect();
            let ssrc = u32::from(random.draw().is_multiple_of(50));
            let pt = if random.draw().is_multiple_of(9) { 13 } else { 96 };
            let _ = receiver.insert(now, &Packet { pt, marker: false, seq, timestamp, ssrc, payload: &payload });
            now += Duration::from_micros(random.draw() % 30_000);
            if random.draw().is_multiple_of(2) {
                receiver.pull(now, &mut frame);
            }
            let (packets, samples) = receiver.playout.waiting();
            assert!(packets <= 64 && samples <= 96_000);
        }
    }
}
