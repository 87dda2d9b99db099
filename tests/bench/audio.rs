//! One leg, and a full meeting.

use std::path::Path;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use roomgate::codec::{CodecKind, Decoder, Encoder, EncoderSettings};
use roomgate::common::units::Hz;
use roomgate::dsp::Resampler;
use roomgate::dsp::key_suppressor::KeySuppressor;
use roomgate::dsp::level::dbov;
use roomgate::media::bench_rig::{BenchMeeting, Crowd};

/// Members of the full meeting, and how many of them talk at the same time.
const MEMBERS: usize = 40;
const TALKERS: usize = 3;

/// The gateway's own longest prompt: speech, at 16 kHz.
fn speech() -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/prompts/en/help.wav");
    let mut reader = hound::WavReader::open(path).expect("a prompt");
    assert_eq!(reader.spec().sample_rate, Hz::WIDE.0);
    reader.samples::<i16>().map(|sample| sample.expect("a sample")).collect()
}

/// Background noise of a room at `level` dBov, 8 s at 16 kHz: by a first-order low-pass filter, as most of it lies below 1 kHz.
fn room_noise(level: f32, seed: u32) -> Vec<i16> {
    let (mut state, mut filtered) = (seed | 1, 0.0_f32);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        filtered += 0.2 * (state.cast_signed() as f32 / 2_147_483_648.0 - filtered);
        filtered * 16_384.0
    };
    let noise: Vec<f32> = (0..8 * Hz::WIDE.0).map(|_| next()).collect();
    let loud: Vec<i16> = noise.iter().map(|sample| *sample as i16).collect();
    let gain = 10_f32.powf((level - dbov(&loud)) / 20.0);
    noise.iter().map(|sample| (sample * gain).round() as i16).collect()
}

/// A meeting of browsers and G.722 phones in turn, each with the noise of its room; the first of them talk as well.
fn noisy_meeting(members: usize, talkers: usize, level: f32, speech: &[i16]) -> BenchMeeting {
    let mut meeting = BenchMeeting::new();
    for member in 0..members {
        let mut sound = room_noise(level, 77 + 1_000 * member as u32);
        if member < talkers {
            let speech = speech.iter().cycle().skip(member * 16_000);
            sound.iter_mut().zip(speech).for_each(|(sample, speech)| *sample = sample.saturating_add(*speech));
        }
        if member % 2 == 0 {
            meeting.seat_browser(Some(&sound));
        } else {
            meeting.seat_phone(CodecKind::G722, &sound);
        }
    }
    meeting.begin();
    // The noise floor of each room is known by then.
    frames(&mut meeting, 150);
    meeting
}

/// Meetings of which every room has background noise: members, talkers, and the level of the noise in -dBov.
fn noisy_rooms(group: &mut BenchmarkGroup<'_, WallTime>, speech: &[i16]) {
    for (members, talkers, noise) in [(40, 3, 70), (40, 3, 60), (40, 3, 55), (40, 4, 55), (4, 1, 55), (4, 4, 55)] {
        let mut meeting = None;
        group.bench_function(format!("{members}-members-{talkers}-talkers-room-noise-{noise}"), |bencher| {
            let meeting = meeting.get_or_insert_with(|| noisy_meeting(members, talkers, -(noise as f32), speech));
            bencher.iter_custom(|iterations| frames(meeting, iterations));
        });
    }
}

/// A codec with 20 ms after 20 ms of speech, and payloads of the same speech, in an endless round.
struct Bare {
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    frames: Vec<Vec<i16>>,
    payloads: Vec<Vec<u8>>,
    at: usize,
    samples: Vec<i16>,
    payload: Vec<u8>,
}

impl Bare {
    fn new(codec: CodecKind, speech: &[i16]) -> Self {
        let rate = codec.row().sample_rate;
        let mut samples = Vec::new();
        Resampler::new(Hz::WIDE, rate).process(speech, &mut samples);
        let frames: Vec<_> = samples.chunks_exact(rate.0 as usize / 50).map(<[i16]>::to_vec).collect();
        let encoder = || codec.encoder(EncoderSettings::default()).expect("a codec");
        let mut far = encoder();
        let payloads = frames.iter().map(|frame| {
            let mut payload = Vec::new();
            far.encode(frame, &mut payload).expect("encodes");
            payload
        });
        let payloads = payloads.collect();
        let decoder = codec.decoder().expect("a codec");
        Self { encoder: encoder(), decoder, frames, payloads, at: 0, samples: Vec::new(), payload: Vec::new() }
    }

    fn encode(&mut self) {
        self.payload.clear();
        self.encoder.encode(&self.frames[self.at % self.frames.len()], &mut self.payload).expect("encodes");
        self.at += 1;
    }

    fn decode(&mut self) {
        self.samples.clear();
        self.decoder.decode(&self.payloads[self.at % self.payloads.len()], &mut self.samples).expect("decodes");
    }
}

/// The time of `iterations` frames of a meeting.
fn frames(meeting: &mut BenchMeeting, iterations: u64) -> Duration {
    (0..iterations).map(|_| meeting.frame()).sum()
}

/// A G.722 phone without telephone-event: the tones of its keys are looked for, 30 ms ahead.
fn key_search(group: &mut BenchmarkGroup<'_, WallTime>, speech: &[i16]) {
    let mut suppressor = KeySuppressor::new(Hz::WIDE);
    suppressor.look_ahead();
    let spoken: Vec<_> = speech.chunks_exact(320).collect();
    let mut at = 0;
    group.bench_function("keys-in-band-looked-for", |bencher| {
        bencher.iter(|| {
            let mut frame = [0_i16; 320];
            frame.copy_from_slice(spoken[at % spoken.len()]);
            at += 1;
            suppressor.process(&mut frame, false)
        });
    });
}

pub(crate) fn benches(criterion: &mut Criterion) {
    let speech = speech();
    let mut group = criterion.benchmark_group("20ms");

    let (mut narrow, mut full) = (Bare::new(CodecKind::G722, &speech), Bare::new(CodecKind::Opus, &speech));
    group.bench_function("bare-codecs-of-a-leg", |bencher| {
        bencher.iter_custom(|iterations| {
            let began = Instant::now();
            for _ in 0..iterations {
                for codec in [&mut narrow, &mut full] {
                    codec.decode();
                    codec.encode();
                }
            }
            began.elapsed()
        });
    });

    let mut leg = BenchMeeting::new();
    leg.seat_phone(CodecKind::G722, &speech);
    leg.seat_browser(Some(&speech));
    leg.begin();
    group.bench_function("bridged-leg-with-srtp", |bencher| bencher.iter_custom(|iterations| frames(&mut leg, iterations)));
    let (packets, loudest) = leg.heard();
    // Nothing where this benchmark was left out.
    assert!(packets[0] == 0 || loudest[0] > 3000, "it was a call: {packets:?} {loudest:?}");

    key_search(&mut group, &speech);

    let mut opus = Bare::new(CodecKind::Opus, &speech);
    group.bench_function("40-opus-encodes", |bencher| {
        bencher.iter_custom(|iterations| {
            let began = Instant::now();
            for _ in 0..iterations * MEMBERS as u64 {
                opus.encode();
            }
            began.elapsed()
        });
    });

    let voices: Vec<_> = (0..TALKERS).map(|talker| &speech[talker * 16_000 % speech.len()..]).collect();
    let mut crowd = Crowd::new(MEMBERS, &voices);
    group.bench_function("40-member-bridge-3-talkers", |bencher| {
        bencher.iter_custom(|iterations| (0..iterations).map(|_| crowd.frame()).sum());
    });

    let mut meeting = BenchMeeting::new();
    for member in 0..MEMBERS {
        meeting.seat_browser(voices.get(member).copied());
    }
    meeting.begin();
    group.bench_function("40-browsers-3-talkers-with-srtp", |bencher| {
        bencher.iter_custom(|iterations| frames(&mut meeting, iterations))
    });
    let (_, loudest) = meeting.heard();
    let silent = loudest.iter().all(|loudest| *loudest == 0);
    assert!(silent || loudest.iter().all(|loudest| *loudest > 3000), "everybody heard somebody: {loudest:?}");
    noisy_rooms(&mut group, &speech);
    group.finish();
}
