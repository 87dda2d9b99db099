//! Keys in band through the codecs of phones, with speech beside and without any key.

use std::path::Path;

use crate::codec::{CodecKind, EncoderSettings};
use crate::common::split_mix::SplitMix;
use crate::common::units::Hz;
use crate::dsp::Resampler;
use crate::dsp::key_suppressor::KeySuppressor;

const TONES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: &str = "123A456B789C*0#D";

/// All English prompts one after the other, at 16 kHz.
fn voices() -> Vec<i16> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/prompts/en");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("prompts").map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wav"));
    files.sort();
    let samples = files.iter().flat_map(|file| {
        let mut reader = hound::WavReader::open(file).expect("a prompt");
        assert_eq!(reader.spec().sample_rate, Hz::WIDE.0);
        reader.samples::<i16>().map(|sample| sample.expect("a sample")).collect::<Vec<_>>()
    });
    samples.collect()
}

/// At another rate. A wrong `from` makes a voice of another height and speed.
fn resampled(samples: &[i16], from: Hz, to: Hz) -> Vec<i16> {
    let mut out = Vec::new();
    Resampler::new(from, to).process(samples, &mut out);
    out
}

fn scaled(samples: &[i16], gain: f32) -> Vec<i16> {
    samples.iter().map(|sample| (f32::from(*sample) * gain) as i16).collect()
}

/// The keys that are found, and the samples that are not as they came.
fn found(rate: Hz, samples: &[i16]) -> (String, usize) {
    let mut suppressor = KeySuppressor::new(rate);
    suppressor.look_ahead();
    let (mut keys, mut out) = (String::new(), Vec::new());
    for frame in samples.chunks_exact(rate.0 as usize / 50) {
        let mut frame = frame.to_vec();
        keys.extend(suppressor.process(&mut frame, false).pressed);
        out.extend(frame);
    }
    let waits = rate.samples(crate::dsp::key_suppressor::LOOK_AHEAD);
    let changed = out.iter().skip(waits).zip(samples).filter(|(out, sample)| out != sample).count();
    (keys, changed)
}

/// Encoded and decoded.
fn through(codec: CodecKind, samples: &[i16]) -> Vec<i16> {
    let mut encoder = codec.encoder(EncoderSettings::default()).expect("a codec");
    let (mut decoder, mut out) = (codec.decoder().expect("a codec"), Vec::new());
    for frame in samples.chunks_exact(codec.row().sample_rate.0 as usize / 50) {
        let mut payload = Vec::new();
        encoder.encode(frame, &mut payload).expect("encodes");
        decoder.decode(&payload, &mut out).expect("decodes");
    }
    out
}

/// Keys at -20 dBov, the column stronger than the row by `twist` (dB), each off its frequencies by up to 1.5 %.
fn pressed(rate: Hz, keys: &str, (key, pause): (u32, u32), twist: f32) -> Vec<i16> {
    let power = 32_768.0_f32.powi(2) / 100.0;
    let ratio = 10.0_f32.powf(twist / 10.0);
    let amplitudes = [power / (1.0 + ratio), power * ratio / (1.0 + ratio)].map(|power| (2.0 * power).sqrt());
    let mut random = SplitMix::new(9);
    let mut samples = vec![0; rate.0 as usize / 2];
    for digit in keys.chars() {
        let at = KEYS.find(digit).expect("a key");
        let off = 1.0 + 0.015 * (random.draw() % 2001) as f32 / 1000.0 - 0.015;
        let steps = [TONES[at / 4], TONES[4 + at % 4]].map(|tone| std::f32::consts::TAU * tone * off / rate.0 as f32);
        samples.extend(
            (0..rate.0 * key / 1000)
                .map(|n| (amplitudes[0] * (steps[0] * n as f32).sin() + amplitudes[1] * (steps[1] * n as f32).sin()) as i16),
        );
        samples.extend(vec![0; (rate.0 * pause / 1000) as usize + (random.draw() % 97) as usize]);
    }
    samples
}

fn mean_square(samples: &[i16]) -> f32 {
    samples.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>() / samples.len() as f32
}

/// Every key at -20 dBov is found, with 5 dB of twist either way and with speech beside.
#[test]
fn a2_inband_keys_are_found_through_g711_and_g722() {
    let voices = voices();
    let keys = KEYS.repeat(8);
    for codec in [CodecKind::Pcmu, CodecKind::Pcma, CodecKind::G722] {
        let rate = codec.row().sample_rate;
        let speech = resampled(&voices, Hz::WIDE, rate);
        for twist in [-5.0, 0.0, 5.0] {
            // As an auto-dialler sends them, as short as Q.24 allows, and with speech of -35 dBov at the same time.
            for (times, speech_level) in [((60, 40), None), ((45, 45), None), ((100, 80), Some(-35.0_f32))] {
                let mut samples = pressed(rate, &keys, times, twist);
                if let Some(level) = speech_level {
                    let gain = 32_768.0 * 10.0_f32.powf(level / 20.0) / mean_square(&speech).sqrt();
                    samples.iter_mut().zip(&speech).for_each(|(sample, speech)| {
                        *sample = sample.saturating_add((f32::from(*speech) * gain) as i16);
                    });
                }
                let heard = found(rate, &through(codec, &samples)).0;
                assert_eq!(heard, keys, "{codec:?}, twist {twist} dB, {times:?} ms, speech {speech_level:?}");
            }
        }
    }
}

/// Between speech, a key is a key and a word none.
#[test]
fn a2_inband_keys_between_words_are_the_only_ones() {
    for codec in [CodecKind::Pcmu, CodecKind::G722] {
        let rate = codec.row().sample_rate;
        let speech = resampled(&voices(), Hz::WIDE, rate);
        let key = pressed(rate, "5", (100, 60), 0.0);
        let samples: Vec<i16> = speech.chunks(3 * rate.0 as usize).flat_map(|words| [words, &key[..]].concat()).collect();
        let heard = found(rate, &through(codec, &samples)).0;
        assert_eq!(heard, "5".repeat(speech.len().div_ceil(3 * rate.0 as usize)), "{codec:?}");
    }
}

/// What lasts too short, is off its frequencies, out of balance or alone is no key.
#[test]
fn a2_what_q24_says_is_no_key_is_none() {
    let rate = Hz::NARROW;
    let of = |times, twist| found(rate, &pressed(rate, &KEYS.repeat(3), times, twist)).0;
    assert_eq!(of((20, 60), 0.0), "", "20 ms");
    assert_eq!(of((60, 60), 12.0), "", "12 dB of twist");
    assert_eq!(of((60, 60), -13.0), "", "13 dB of twist the other way");
    // Each key held for 3 % too high a tone.
    let high = resampled(&pressed(Hz(8000), KEYS, (100, 60), 0.0), Hz(8400), rate);
    assert_eq!(found(rate, &high).0, "", "5 % too high");
    assert_eq!(found(rate, &pressed(rate, "5", (3000, 60), 0.0)).0, "5", "one long key");
}

/// Voices of all kinds and levels press no key, and hardly anything of them is muted. `ROOMGATE_VOICES`: a folder of more, as G.722.
#[test]
fn a2_no_key_is_found_in_half_an_hour_of_voices() {
    let voices = voices();
    let (mut seconds, mut muted) = (0.0, 0.0);
    let mut judge = |what: &str, rate: Hz, samples: &[i16]| {
        let (keys, changed) = found(rate, samples);
        assert_eq!(keys, "", "in {what}");
        seconds += samples.len() as f32 / rate.0 as f32;
        muted += changed as f32 / rate.0 as f32;
    };
    for spoken_at in [13_000, 14_500, 16_000, 18_000, 20_000] {
        let other = resampled(&voices, Hz(spoken_at), Hz::NARROW);
        for gain in [1.0, 0.3] {
            judge(
                &format!("prompts at {spoken_at} Hz, times {gain}"),
                Hz::NARROW,
                &through(CodecKind::Pcmu, &scaled(&other, gain)),
            );
        }
    }
    judge("prompts through G.722", Hz::WIDE, &through(CodecKind::G722, &voices));
    for file in
        std::env::var("ROOMGATE_VOICES").ok().map(|folder| std::fs::read_dir(folder).expect("a folder")).into_iter().flatten()
    {
        let file = file.expect("a file").path();
        let (mut decoder, mut samples) = (CodecKind::G722.decoder().expect("a codec"), Vec::new());
        for payload in std::fs::read(&file).expect("readable").chunks(160) {
            decoder.decode(payload, &mut samples).expect("decodes");
        }
        judge(&file.display().to_string(), Hz::WIDE, &samples);
    }
    assert!(seconds > 1800.0 && muted < 0.005 * seconds, "{muted} s of {seconds} s were muted");
}
