//! Several codecs, several sources, and pauses that a sender describes.

use super::*;
use crate::dsp::level::dbov;
use crate::dsp::tone_detector;

/// A sender of one tone by one codec.
struct Tone {
    packets: Vec<(u64, u16, u32, Vec<u8>)>,
    sent: usize,
    pt: u8,
    ssrc: u32,
}

impl Tone {
    fn new(kind: CodecKind, pt: u8, ssrc: u32, freq: f32) -> Self {
        Self { packets: Call { freq, phase: 0, ..Call::new(kind) }.packets(), sent: 0, pt, ssrc }
    }

    /// Its next packet, under this number.
    fn sends(&mut self, now: Instant, receiver: &mut AudioReceiver, seq: u16) -> Option<CountedPacket> {
        let (_, _, timestamp, payload) = &self.packets[self.sent];
        self.sent += 1;
        receiver.insert(now, &Packet { pt: self.pt, marker: false, seq, timestamp: *timestamp, ssrc: self.ssrc, payload })
    }
}

fn formats() -> Vec<PayloadFormat> {
    let noise = PayloadFormat { payload_type: 13, content: PayloadContent::ComfortNoise(Hz::NARROW) };
    let all = [audio(0, CodecKind::Pcmu), audio(8, CodecKind::Pcma), audio(9, CodecKind::G722), audio(96, CodecKind::Opus)];
    all.into_iter().flatten().chain([noise]).collect()
}

/// The level of each frame that is pulled, with its rate.
fn pulled(receiver: &mut AudioReceiver, now: Instant) -> (f32, Hz) {
    let mut frame = Frame::silence(Hz::NARROW);
    receiver.pull(now, &mut frame);
    (dbov(frame.samples()), frame.rate())
}

#[test]
fn a1_the_codec_changes_with_a_packet_and_without_a_gap() {
    for (one, other) in [(0, 96), (96, 0), (9, 8), (8, 9), (96, 9), (0, 8)] {
        let kind = |pt| match formats().iter().find(|format| format.payload_type == pt).map(|format| format.content) {
            Some(PayloadContent::Audio(kind)) => kind,
            _ => unreachable!("audio"),
        };
        let begin = start();
        let mut receiver = AudioReceiver::new(kind(one), &formats()).unwrap();
        let (mut first, mut second) = (Tone::new(kind(one), one, 1, 400.0), Tone::new(kind(other), other, 1, 400.0));
        let mut levels = Vec::new();
        for n in 0..150_u16 {
            let now = begin + 20 * MS * u32::from(n);
            if n == 100 {
                // Whoever begins anew begins with an encoder that remembers nothing.
                first = Tone::new(kind(one), one, 1, 400.0);
            }
            let sender = if (50..100).contains(&n) { &mut second } else { &mut first };
            assert!(sender.sends(now, &mut receiver, n).is_some());
            levels.push(pulled(&mut receiver, now + 9 * MS));
        }
        let quiet = levels[4..].iter().filter(|(level, _)| *level < -20.0).count();
        assert_eq!(quiet, 0, "{one} to {other}: {levels:?}");
        let stats = receiver.stats();
        assert_eq!((stats.received, stats.lost, stats.discarded, stats.late), (150, 0, 0, 0), "{one} to {other}");
        assert!(stats.concealed <= 40 * MS && stats.jitter < 3 * MS, "{one} to {other}: {stats:?}");
        assert_eq!(levels[149].1, kind(one).row().sample_rate);
        assert_eq!(levels[90].1, kind(other).row().sample_rate);
    }
}

#[test]
fn a1_new_numbers_are_heard_beside_the_old_ones_on_their_way() {
    let begin = start();
    let mut receiver = AudioReceiver::new(CodecKind::Pcmu, &audio(0, CodecKind::Pcmu)).unwrap();
    let mut sender = Tone::new(CodecKind::Pcmu, 0, 1, 400.0);
    let mut levels = Vec::new();
    for n in 0..100_u16 {
        let now = begin + 20 * MS * u32::from(n);
        if n == 40 {
            receiver.renegotiate(&audio(118, CodecKind::Pcmu));
        }
        sender.pt = if n < 45 { 0 } else { 118 };
        let _ = sender.sends(now, &mut receiver, n);
        levels.push(pulled(&mut receiver, now + 9 * MS).0);
    }
    assert!(levels[4..].iter().all(|level| *level > -20.0), "{levels:?}");
    let _ = receiver.insert(begin + 2000 * MS, &Packet { pt: 77, marker: false, seq: 100, timestamp: 0, ssrc: 1, payload: b"?" });
    let stats = receiver.stats();
    assert_eq!((stats.received, stats.unnamed, stats.lost, stats.concealed), (100, 1, 0, Duration::ZERO));
}

/// Two sources at once: one is heard all the time, the other not at all; when the one stops, the other is heard.
#[test]
fn a4_of_two_sources_at_once_one_is_heard_without_gaps() {
    let begin = start();
    let mut receiver = AudioReceiver::new(CodecKind::Pcmu, &audio(0, CodecKind::Pcmu)).unwrap();
    let (mut one, mut other) = (Tone::new(CodecKind::Pcmu, 0, 1, 400.0), Tone::new(CodecKind::Pcmu, 0, 2, 1000.0));
    let mut heard = Vec::new();
    for n in 0..300_u16 {
        let now = begin + 20 * MS * u32::from(n);
        let _ = one.sends(now, &mut receiver, n);
        if (50..200).contains(&n) {
            let _ = other.sends(now + 3 * MS, &mut receiver, 9_000 + n);
        }
        let mut frame = Frame::silence(Hz::NARROW);
        receiver.pull(now + 9 * MS, &mut frame);
        heard.extend_from_slice(frame.samples());
    }
    let part = |from: usize, to: usize| &heard[from * 160..to * 160];
    let levels = |from, to| {
        let heard = tone_detector::heard(part(from, to), Hz::NARROW, &[400.0, 1000.0]);
        (heard[0], heard[1])
    };
    let ((both_one, both_other), (after_one, after_other)) = (levels(60, 195), levels(215, 295));
    assert!(both_one < -50.0 && both_other > -16.0, "{both_one} {both_other}");
    assert!(after_one > -16.0 && after_other < -50.0, "{after_one} {after_other}");
    assert_eq!(longest_gap(part(60, 200), Hz::NARROW), Duration::ZERO);
    assert!((149..=158).contains(&receiver.stats().other_source) && receiver.stats().discarded <= 2, "{:?}", receiver.stats());
    assert!(longest_gap(part(4, 300), Hz::NARROW) <= 200 * MS, "the one that was left comes back when the other is silent");
}

/// One speaks, then the other, in turns of a second, as behind a conference bridge that does not mix.
#[test]
fn a4_two_sources_in_turns_are_both_heard() {
    let begin = start();
    let mut receiver = AudioReceiver::new(CodecKind::G722, &audio(9, CodecKind::G722)).unwrap();
    let (mut one, mut other) = (Tone::new(CodecKind::G722, 9, 1, 400.0), Tone::new(CodecKind::G722, 9, 2, 400.0));
    let (mut levels, mut numbers) = (Vec::new(), [100_u16, 30_000]);
    for n in 0..400_u32 {
        // 160 ms of pause between the turns.
        let (turn, at) = ((n / 50 % 2) as usize, n % 50);
        let now = begin + 20 * MS * n;
        if at >= 8 {
            let sender = if turn == 0 { &mut one } else { &mut other };
            let _ = sender.sends(now, &mut receiver, numbers[turn]);
            numbers[turn] += 1;
        }
        levels.push(pulled(&mut receiver, now + 9 * MS).0);
    }
    for (turn, levels) in levels.chunks(50).enumerate() {
        assert!(levels[12..].iter().all(|level| *level > -20.0), "turn {turn}: {levels:?}");
    }
    let stats = receiver.stats();
    assert_eq!((stats.received, stats.lost, stats.discarded), (8 * 42, 0, 0));
}

/// Figures go on through other sources and sequences: what was lost before a transfer stays lost.
#[test]
fn a4_figures_outlive_a_source() {
    let begin = start();
    let mut receiver = AudioReceiver::new(CodecKind::Pcmu, &audio(0, CodecKind::Pcmu)).unwrap();
    let mut sender = Tone::new(CodecKind::Pcmu, 0, 1, 400.0);
    for n in 0..400_u16 {
        sender.ssrc = u32::from(n / 100);
        // The last one has begun its numbers anew by a little.
        let seq = if n < 350 { n.wrapping_add(20_000 * (n / 100)) } else { n.wrapping_add(60_000 - 600) };
        if n % 100 == 40 {
            sender.sent += 1;
        } else {
            let _ = sender.sends(begin + 20 * MS * u32::from(n), &mut receiver, seq);
        }
        let _ = pulled(&mut receiver, begin + 20 * MS * u32::from(n) + 9 * MS);
    }
    let stats = receiver.stats();
    // At a transfer at most the packet is dropped that the loss before has made playout wait for.
    assert_eq!((stats.lost, stats.discarded <= 4, stats.received >= 394), (4, true, true), "{stats:?}");
    assert!(stats.concealed < 200 * MS, "{stats:?}");
}

/// A pause that its sender describes is neither loss nor concealment, and sounds like the sender's room.
#[test]
fn a1_comfort_noise_fills_a_pause_at_its_level() {
    let begin = start();
    let mut receiver = AudioReceiver::new(CodecKind::Pcmu, &formats()).unwrap();
    let mut sender = Tone::new(CodecKind::Pcmu, 0, 1, 400.0);
    let (mut levels, mut seq) = (Vec::new(), 65_500_u16);
    for n in 0..300_u32 {
        let now = begin + 20 * MS * n;
        if !(100..200).contains(&n) {
            let _ = sender.sends(now, &mut receiver, seq);
            seq = seq.wrapping_add(1);
        } else {
            let timestamp = sender.packets[sender.sent].2;
            if n % 50 == 0 {
                let level = if n == 100 { 50 } else { 60 };
                let _ = receiver.insert(now, &Packet { pt: 13, marker: false, seq, timestamp, ssrc: 1, payload: &[level, 9, 9] });
                seq = seq.wrapping_add(1);
            }
            sender.sent += 1;
        }
        levels.push(pulled(&mut receiver, now + 9 * MS).0);
    }
    assert!(levels[4..100].iter().chain(&levels[202..]).all(|level| *level > -20.0), "{levels:?}");
    assert!(levels[100..149].iter().all(|level| (level + 50.0).abs() < 2.0), "{levels:?}");
    assert!(levels[151..199].iter().all(|level| (level + 60.0).abs() < 2.0), "{levels:?}");
    let stats = receiver.stats();
    assert_eq!((stats.lost, stats.concealed, stats.late, stats.discarded), (0, Duration::ZERO, 0, 0), "{stats:?}");
}

/// A browser that sends nothing in a pause but a sign of life (discontinuous transmission of Opus) has lost nothing, and its room is heard on.
#[test]
fn a1_discontinuous_transmission_of_opus_is_a_pause() {
    let begin = start();
    let mut receiver = AudioReceiver::new(CodecKind::Opus, &audio(111, CodecKind::Opus)).unwrap();
    let mut encoder = CodecKind::Opus.encoder(EncoderSettings::default()).unwrap();
    let mut random = SplitMix::new(5);
    let (mut levels, mut seq) = (Vec::new(), 65_500_u16);
    for n in 0..300_u32 {
        let (now, pauses) = (begin + 20 * MS * n, (100..250).contains(&n));
        let loud = if pauses { 60 } else { 6_000 };
        let samples: Vec<i16> = (0..960).map(|_| (random.draw() % (2 * loud)) as i16 - loud as i16).collect();
        let mut payload = Vec::new();
        encoder.encode(&samples, &mut payload).unwrap();
        if n % 20 == 6 || !pauses || n < 105 {
            let payload = if pauses && n % 20 == 6 { &[payload[0] & 0xfc][..] } else { &payload };
            let _ = receiver.insert(now, &Packet { pt: 111, marker: false, seq, timestamp: n * 960, ssrc: 1, payload });
            seq = seq.wrapping_add(1);
        }
        let mut frame = Frame::silence(Hz::FULL);
        receiver.pull(now + 9 * MS, &mut frame);
        levels.push(dbov(frame.samples()));
    }
    let stats = receiver.stats();
    assert_eq!((stats.lost, stats.late, stats.discarded), (0, 0, 0), "{stats:?}");
    assert!(stats.concealed < 50 * MS, "{stats:?}");
    assert!(levels[108..248].iter().all(|level| (-70.0..-45.0).contains(level)), "{levels:?}");
    assert!(levels[253..].iter().all(|level| *level > -25.0), "{levels:?}");
}
