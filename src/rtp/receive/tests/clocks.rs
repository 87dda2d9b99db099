//! Timestamps that count by another clock than the codec's.

use super::*;
use crate::dsp::level::dbov;
use crate::rtp::receive::media_clock::MediaClock;

/// What senders count, by the codec and the packet's time.
type Count = (&'static str, CodecKind, fn(u64, u64) -> u32);

const COUNTS: [Count; 12] = [
    ("Opus at 8 kHz", CodecKind::Opus, |_, ms| ms as u32 * 8),
    ("Opus at 16 kHz", CodecKind::Opus, |_, ms| ms as u32 * 16),
    ("Opus at 24 kHz", CodecKind::Opus, |_, ms| ms as u32 * 24),
    ("Opus in milliseconds", CodecKind::Opus, |i, ms| ms as u32 + (i % 3) as u32 - 1),
    ("Opus that stands", CodecKind::Opus, |_, _| 0),
    ("Opus that steps back", CodecKind::Opus, |_, _| 0_u32.wrapping_sub(960)),
    ("G.722 at 16 kHz", CodecKind::G722, |_, ms| ms as u32 * 16),
    ("G.722 at 4 kHz", CodecKind::G722, |_, ms| ms as u32 * 4),
    ("PCMU in milliseconds", CodecKind::Pcmu, |_, ms| ms as u32),
    ("PCMU that stands", CodecKind::Pcmu, |_, _| 0),
    ("PCMU at 16 kHz", CodecKind::Pcmu, |_, ms| ms as u32 * 16),
    ("PCMU that jumps about", CodecKind::Pcmu, |i, _| (i as u32).wrapping_mul(0x9e37_79b9)),
];

/// The first half second is for learning; then it sounds as by the right clock, at every phase of the arrivals against the pulls.
#[test]
fn a1_any_clock_of_a_sender_is_heard_like_the_right_one() {
    for (name, kind, step) in COUNTS {
        for phase in (0..20_000).step_by(2_500) {
            let right = Call { phase, seconds: 3, jitter: 2_000, ..Call::new(kind) };
            let wrong = Call { step: Some(step), ..Call { phase, seconds: 3, jitter: 2_000, ..Call::new(kind) } };
            let ((expected, _), (heard, stats)) = (right.run(), wrong.run());
            let learnt = kind.row().sample_rate.samples(500 * MS);
            let rate = kind.row().sample_rate;
            assert_eq!(longest_gap(&heard[learnt..], rate), Duration::ZERO, "{name} at {phase} us: {stats:?}");
            let (level, wanted) = (dbov(&heard[learnt..]), dbov(&expected[learnt..]));
            assert!((level - wanted).abs() < 0.3, "{name} at {phase} us: {level} for {wanted} dBov");
            assert!(stats.concealed <= 250 * MS, "{name} at {phase} us: {stats:?}");
            assert!(stats.jitter < 8 * MS && stats.lost == 0, "{name} at {phase} us: {stats:?}");
            assert!(stats.delay < 60 * MS, "{name} at {phase} us: {stats:?}");
        }
    }
}

#[test]
fn a1_a_wrong_clock_with_loss_and_swaps_is_heard() {
    for (name, kind, step) in COUNTS {
        let of = |step| Call { step, lose_every: 20, swap_every: 33, seconds: 10, ..Call::new(kind) };
        let ((_, expected), (heard, stats)) = (of(None).run(), of(Some(step)).run());
        let learnt = kind.row().sample_rate.samples(500 * MS);
        assert!(longest_gap(&heard[learnt..], kind.row().sample_rate) <= 20 * MS, "{name}: {stats:?}");
        assert_eq!(stats.lost, expected.lost, "{name}");
        assert!(stats.concealed < expected.concealed + 300 * MS, "{name}: {stats:?}, {expected:?}");
    }
}

/// A sender whose clock is right is never taken for one whose clock is wrong: through pauses of every kind, loss, swaps, bursts, other packet
/// times and the wrap.
#[test]
fn a1_a_right_clock_is_never_taken_for_a_wrong_one() {
    for seed in 0..300 {
        let mut random = SplitMix::new(seed);
        let (mut clock, begin) = (MediaClock::new(Hz::NARROW), start());
        let (mut at, mut seq, mut timestamp, mut stall) = (0_u64, 0_i64, u32::MAX - 50_000, 0_u64);
        let mut waiting = Vec::new();
        for _ in 0..600 {
            let ms = [20, 20, 20, 10, 30, 60][(random.draw() % 6) as usize];
            // Discontinuous transmission: in one call of three packets of noise each 60 to 400 ms, in others a pause now and then.
            let pause = match (seed % 3, random.draw() % 30) {
                (0, 0..20) => 60 + random.draw() % 340,
                (1, 0) => random.draw() % 3_000,
                _ => 0,
            };
            stall = if random.draw().is_multiple_of(200) { at + random.draw() % 2_000 } else { stall };
            let arrival = (at + random.draw() % 40).max(stall);
            if !random.draw().is_multiple_of(25) {
                waiting.push((arrival, seq, timestamp, ms));
            }
            seq += 1;
            at += ms + pause;
            timestamp = timestamp.wrapping_add((ms + pause) as u32 * 8);
        }
        waiting.sort_by_key(|packet| packet.0);
        let mut first = None;
        for (arrival, seq, timestamp, ms) in waiting {
            let place = clock.place(begin + Duration::from_millis(arrival), seq, timestamp, ms as u32 * 8);
            // A pause that passed while the network stood still may be left out; otherwise the sender's word counts.
            let offset = place.timestamp.wrapping_sub(timestamp);
            let before = *first.get_or_insert(offset);
            assert!(!place.anew && (offset == before || stall > 0), "seed {seed} at {arrival} ms: {offset} for {before}");
            first = Some(offset);
        }
    }
}

/// A sender that is replaced behind the same source, by one whose clock is right, is followed by its timestamps again, pauses and all.
#[test]
fn a1_a_clock_that_becomes_right_is_believed_again() {
    let (mut clock, begin) = (MediaClock::new(Hz::FULL), start());
    let mut place = |n: i64, timestamp| clock.place(begin + 20 * MS * n as u32, n, timestamp, 960).timestamp;
    for n in 0..100 {
        assert_eq!(place(n, 7 + 160 * n as u32), 7 + 960 * n as u32);
    }
    for n in 100..200 {
        place(n, 5_000_000 + 960 * n as u32);
    }
    let before = place(200, 5_000_000 + 960 * 200);
    assert_eq!(place(201, 5_000_000 + 960 * 210).wrapping_sub(before), 9_600, "a pause is a pause again");
}
