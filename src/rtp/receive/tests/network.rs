//! What networks do to a stream, and what it costs in delay and in sound.

use super::*;
use crate::dsp::tone_detector;

/// Arrival in µs, number, timestamp and payload.
type Sent = (u64, u16, u32, Vec<u8>);

/// What is heard of `packets`, and the playout delay at each pull.
fn play(kind: CodecKind, packets: &[Sent], seconds: u64) -> (Vec<i16>, Vec<Duration>, ReceiverStats) {
    let begin = start();
    let mut receiver = AudioReceiver::new(kind, &audio(96, kind)).unwrap();
    let (mut frame, mut heard, mut delays) = (Frame::silence(Hz::NARROW), Vec::new(), Vec::new());
    let mut packets = packets.iter().peekable();
    for tick in 1..=seconds * 50 {
        let now = tick * 20_000;
        while let Some((at, seq, timestamp, payload)) = packets.next_if(|packet| packet.0 <= now) {
            let packet = Packet { pt: 96, marker: false, seq: *seq, timestamp: *timestamp, ssrc: 1, payload };
            let _ = receiver.insert(begin + Duration::from_micros(*at), &packet);
        }
        receiver.pull(begin + Duration::from_micros(now), &mut frame);
        heard.extend_from_slice(frame.samples());
        delays.push(receiver.stats().delay - 20 * MS);
    }
    (heard, delays, receiver.stats())
}

/// The same packets, of which each thirteenth or so never comes.
fn lossy(mut packets: Vec<Sent>) -> Vec<Sent> {
    let mut random = SplitMix::new(5);
    let mut number = 0;
    packets.retain(|_| {
        number += 1;
        number < 20 || !random.draw().is_multiple_of(13)
    });
    packets
}

/// Loss alone lengthens nothing: what is concealed is what is lost, and the delay stays, but for one packet where it brings in-band FEC.
#[test]
fn a4_loss_without_jitter_is_concealed_and_lengthens_nothing() {
    for (kind, waited) in [(CodecKind::G722, 0), (CodecKind::Pcmu, 1), (CodecKind::Opus, 1)] {
        let packets = lossy(Call { seconds: 20, phase: 11_000, ..Call::new(kind) }.packets());
        let (_, delays, stats) = play(kind, &packets, 20);
        let lost = u32::try_from(stats.lost).unwrap();
        assert!(lost > 50 && stats.late == 0 && stats.discarded == 0, "{kind:?}: {stats:?}");
        // At the end the stream is a packet short of the last pull, at most.
        let concealed = lost + waited + 1 - u32::try_from(stats.repaired).unwrap();
        assert!(stats.concealed <= concealed * 20 * MS, "{kind:?}: {lost} lost, {stats:?}");
        let longest = delays[50..].iter().max().unwrap();
        assert!(*longest <= (30 + 20 * waited) * MS, "{kind:?}: {longest:?}");
    }
}

/// A tone that is in no packet but a lost one is heard: playout has waited for the packet that carries its copy.
#[test]
fn a4_opus_with_fec_repairs_what_is_lost() {
    let settings = |fec| EncoderSettings { fec, expected_loss: 10, ..EncoderSettings::default() };
    let level_at = |fec| {
        let mut encoder = CodecKind::Opus.encoder(settings(fec)).unwrap();
        let (mut low, mut high) = (Sine::new(Hz::FULL, 400.0, 6_000.0), Sine::new(Hz::FULL, 1_500.0, 6_000.0));
        let mut packets = Vec::new();
        for n in 0..150_u16 {
            let mut pcm = vec![0; 960];
            if n == 100 { &mut high } else { &mut low }.fill(&mut pcm);
            let mut payload = Vec::new();
            encoder.encode(&pcm, &mut payload).unwrap();
            if n != 80 && n != 100 {
                packets.push((u64::from(n) * 20_000 + 9_000, n, u32::from(n) * 960, payload));
            }
        }
        let (heard, _, stats) = play(CodecKind::Opus, &packets, 3);
        // A steady tone is not protected, and needs no copy; what differs is.
        assert_eq!((stats.lost, stats.repaired), (2, u64::from(fec)));
        let levels = heard[90 * 960..115 * 960].chunks(240).map(|piece| tone_detector::heard(piece, Hz::FULL, &[1_500.0])[0]);
        levels.fold(f32::MIN, f32::max)
    };
    let (with, without) = (level_at(true), level_at(false));
    assert!(with > -24.0 && without < with - 7.0, "{with} dBov with FEC, {without} without");
}

/// The delay goes up with the network's by a step, and is back within 20 ms of the old one 5 s after the step down.
#[test]
fn a4_a_delay_step_is_followed_up_and_down() {
    for kind in [CodecKind::G722, CodecKind::Pcmu, CodecKind::Opus] {
        let mut packets = Call { seconds: 20, phase: 40_000, ..Call::new(kind) }.packets();
        for packet in &mut packets {
            let is_far = (5_000_000..10_000_000).contains(&packet.0);
            packet.0 += if is_far { 160_000 } else { 0 };
        }
        packets.sort_by_key(|packet| packet.0);
        let (heard, delays, stats) = play(kind, &packets, 20);
        let (before, after) = (delays[4 * 50], delays[15 * 50]);
        assert!(after <= before + 20 * MS, "{kind:?}: {before:?} before, {after:?} after");
        assert!(stats.concealed <= 240 * MS && stats.discarded == 0, "{kind:?}: {stats:?}");
        let rate = kind.row().sample_rate;
        let (up, down) = (rate.samples(5_000 * MS), rate.samples(6_000 * MS));
        assert!(longest_gap(&heard[up..down], rate) < 200 * MS, "{kind:?}");
        assert_eq!(longest_gap(&heard[down..], rate), Duration::ZERO, "{kind:?}");
    }
}

#[test]
fn a4_after_an_outage_voice_is_back_within_200_ms() {
    for kind in [CodecKind::G722, CodecKind::Pcmu, CodecKind::Opus] {
        let mut packets = Call { seconds: 10, phase: 7_000, ..Call::new(kind) }.packets();
        packets.retain(|packet| !(3_000_000..6_000_000).contains(&packet.0));
        let (heard, ..) = play(kind, &packets, 10);
        let rate = kind.row().sample_rate;
        let gap = longest_gap(&heard[rate.samples(200 * MS)..], rate);
        assert!(gap < 3_200 * MS, "{kind:?}: {gap:?}");
        assert_eq!(longest_gap(&heard[rate.samples(6_200 * MS)..], rate), Duration::ZERO, "{kind:?}");
    }
}

#[test]
fn a4_200_ppm_are_absorbed_for_five_minutes_without_a_gap() {
    for (kind, drift) in [(CodecKind::G722, 200), (CodecKind::Pcmu, -200)] {
        let call = Call { drift, seconds: 300, jitter: 2_000, ..Call::new(kind) };
        let (heard, delays, stats) = play(kind, &call.packets(), 299);
        assert_eq!((stats.late, stats.discarded, stats.lost), (0, 0, 0), "{kind:?} {drift}: {stats:?}");
        assert_eq!(stats.concealed, Duration::ZERO, "{kind:?} {drift}: {stats:?}");
        assert!(delays.iter().all(|delay| *delay < 50 * MS), "{kind:?} {drift}: {stats:?}");
        assert_eq!(call.longest_gap(&heard), Duration::ZERO, "{kind:?} {drift}");
    }
}

/// Half of the packets are played at most 80 ms after they have come where the network's delay varies by 60 ms.
#[test]
fn a4_the_delay_is_what_the_jitter_asks_for() {
    for (jitter, most) in [(0, 30), (60_000, 80)] {
        let call = Call { jitter, seconds: 20, ..Call::new(CodecKind::G722) };
        let (_, mut delays, stats) = play(call.kind, &call.packets(), 20);
        delays.sort();
        let median = delays[delays.len() / 2];
        assert!(median <= most * MS, "{jitter} µs: {median:?}");
        assert!(stats.concealed <= 100 * MS, "{jitter} µs: {stats:?}");
    }
}
