//! Every codec: its row, a tone through it, silence, loss and rubbish.

use ::opus as opus_crate;

use super::*;
use crate::dsp::noise::ComfortNoise;
use crate::dsp::tone::Sine;

const ALL: [CodecKind; 8] = [
    CodecKind::Opus,
    CodecKind::G722,
    CodecKind::Pcma,
    CodecKind::Pcmu,
    CodecKind::L16Full,
    CodecKind::L16Disc,
    CodecKind::L16Wide,
    CodecKind::L16Narrow,
];

/// The signal-to-noise ratio of `heard` against a sine of any amplitude and phase at `freq`, in dB.
fn snr(heard: &[i16], rate: Hz, freq: f64) -> f64 {
    let step = std::f64::consts::TAU * freq / f64::from(rate.0);
    let (mut s, mut c, mut ss, mut cc, mut sc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (i, &sample) in heard.iter().enumerate() {
        let (sin, cos) = (step * i as f64).sin_cos();
        s += f64::from(sample) * sin;
        c += f64::from(sample) * cos;
        ss += sin * sin;
        cc += cos * cos;
        sc += sin * cos;
    }
    // Least squares for heard = a sin + b cos.
    let determinant = ss * cc - sc * sc;
    let (a, b) = ((s * cc - c * sc) / determinant, (c * ss - s * sc) / determinant);
    let (mut signal, mut noise) = (0.0, 0.0);
    for (i, &sample) in heard.iter().enumerate() {
        let (sin, cos) = (step * i as f64).sin_cos();
        let ideal = a * sin + b * cos;
        signal += ideal * ideal;
        noise += (f64::from(sample) - ideal).powi(2);
    }
    10.0 * (signal / noise).log10()
}

fn through(kind: CodecKind, packet_ms: usize, amplitude: f32) -> Vec<i16> {
    let rate = kind.row().sample_rate;
    let mut encoder = kind.encoder(EncoderSettings::default()).unwrap();
    let mut decoder = kind.decoder().unwrap();
    let mut sine = Sine::new(rate, 1011.0, amplitude);
    let mut heard = Vec::new();
    let mut pcm = vec![0; rate.0 as usize * packet_ms / 1000];
    for _ in 0..2400 / packet_ms {
        sine.fill(&mut pcm);
        let mut payload = Vec::new();
        encoder.encode(&pcm, &mut payload).unwrap();
        let before = heard.len();
        decoder.decode(&payload, &mut heard).unwrap();
        assert_eq!(heard.len() - before, pcm.len());
    }
    heard
}

#[test]
fn a_tone_of_1011_hz_keeps_its_signal_to_noise_ratio() {
    let compressed = [(CodecKind::Pcmu, 35.0), (CodecKind::Pcma, 35.0), (CodecKind::G722, 44.0), (CodecKind::Opus, 28.0)];
    for (kind, wanted) in compressed.into_iter().chain(FALLBACK_CODECS.map(|kind| (kind, 80.0))) {
        let heard = through(kind, 20, 10_000.0);
        let ratio = snr(&heard[heard.len() / 2..], kind.row().sample_rate, 1011.0);
        println!("{kind:?}: {ratio:.1} dB");
        assert!(ratio >= wanted, "{kind:?}: {ratio:.1} dB");
    }
}

#[test]
fn packets_of_10_to_60_ms_come_out_as_long_as_they_went_in() {
    for kind in ALL {
        for packet_ms in [10, 20, 30, 40, 50, 60] {
            let heard = through(kind, packet_ms, 10_000.0);
            let level = crate::dsp::level::dbov(&heard[heard.len() / 2..]);
            assert!((level + 13.3).abs() < 1.0, "{kind:?} {packet_ms} ms: {level}");
        }
    }
}

#[test]
fn pcm_of_any_other_length_is_refused() {
    for kind in ALL {
        let step = kind.row().sample_rate.0 as usize / 100;
        let mut encoder = kind.encoder(EncoderSettings::default()).unwrap();
        for samples in [0, 1, step - 1, step + 1, 7 * step] {
            let mut out = Vec::new();
            assert_eq!(encoder.encode(&vec![0; samples], &mut out), Err(CodecError::FrameLength { samples }));
            assert!(out.is_empty());
        }
    }
}

#[test]
fn names_and_payload_types_find_their_row() {
    for row in CODECS {
        assert!(std::ptr::eq(row.kind.row(), row));
        assert_eq!(CodecKind::by_label(&row.label.to_uppercase()), Some(row.kind));
        assert_eq!(row.static_payload_type.and_then(CodecKind::by_static_payload_type).unwrap_or(row.kind), row.kind);
    }
    assert_eq!(CodecKind::by_label("speex"), None);
    assert_eq!(CodecKind::by_static_payload_type(96), None);
}

#[test]
fn silence_stays_silent() {
    for kind in ALL {
        let mut encoder = kind.encoder(EncoderSettings::default()).unwrap();
        let mut decoder = kind.decoder().unwrap();
        let mut heard = Vec::new();
        for _ in 0..20 {
            let mut payload = Vec::new();
            encoder.encode(&vec![0; kind.row().sample_rate.0 as usize / 50], &mut payload).unwrap();
            decoder.decode(&payload, &mut heard).unwrap();
        }
        assert!(heard.iter().all(|sample| sample.abs() <= 8), "{kind:?}");
    }
}

#[test]
fn a_lost_packet_is_made_up_at_its_exact_length() {
    for kind in ALL {
        let rate = kind.row().sample_rate;
        let mut encoder = kind.encoder(EncoderSettings::default()).unwrap();
        let mut decoder = kind.decoder().unwrap();
        let mut sine = Sine::new(rate, 211.0, 10_000.0);
        let mut pcm = vec![0; rate.0 as usize / 50];
        let payloads: Vec<Vec<u8>> = (0..20)
            .map(|_| {
                sine.fill(&mut pcm);
                let mut payload = Vec::new();
                encoder.encode(&pcm, &mut payload).unwrap();
                payload
            })
            .collect();
        let mut heard = Vec::new();
        for payload in &payloads[..15] {
            decoder.decode(payload, &mut heard).unwrap();
        }
        let mut made_up = Vec::new();
        decoder.conceal(pcm.len(), Some(&payloads[16]), &mut made_up);
        assert_eq!(made_up.len(), pcm.len());
        let level = crate::dsp::level::dbov(&made_up);
        assert!((level + 13.3).abs() < 3.0, "{kind:?}: {level}");
        for odd in [1, 7, 119, 5761] {
            made_up.clear();
            decoder.conceal(odd, None, &mut made_up);
            assert_eq!(made_up.len(), odd, "{kind:?}");
        }
        for _ in 0..50 {
            decoder.conceal(pcm.len(), None, &mut made_up);
        }
        let tail = &made_up[made_up.len() - pcm.len()..];
        assert!(crate::dsp::level::dbov(tail) < -45.0, "{kind:?} goes quiet when nothing comes");
    }
}

#[test]
fn opus_decodes_stereo_and_short_frames_to_mono() {
    for (channels, samples) in
        [(opus_crate::Channels::Stereo, 120usize), (opus_crate::Channels::Stereo, 960), (opus_crate::Channels::Mono, 240)]
    {
        let mut encoder = opus_crate::Encoder::new(48_000, channels, opus_crate::Application::LowDelay).unwrap();
        let count = if channels == opus_crate::Channels::Stereo { 2 } else { 1 };
        let payload = encoder.encode_vec(&vec![1000; samples * count], 1275).unwrap();
        let mut out = Vec::new();
        CodecKind::Opus.decoder().unwrap().decode(&payload, &mut out).unwrap();
        assert_eq!(out.len(), samples);
    }
}

/// What a description says of bit rates (RFC 7587 section 6.1), and how many bits of a noisy voice come of it where a lot is lost.
#[test]
fn a1_opus_keeps_to_the_bit_rate_that_a_device_takes() {
    for (parameters, most) in [
        ("useinbandfec=1;maxaveragebitrate=16000", 16_000),
        ("MaxAverageBitrate = 24000 ; stereo=0", 24_000),
        ("maxaveragebitrate=1", 6_000),
        ("maxaveragebitrate=500000", 60_000),
        ("maxaveragebitrate=many;maxplaybackrate=16000", 60_000),
        ("stereo", 60_000),
    ] {
        let settings = EncoderSettings::for_receiver(Some(parameters));
        let mut encoder = CodecKind::Opus.encoder(settings).unwrap();
        encoder.expect_loss(30);
        let (mut sine, mut noise, mut bits) = (Sine::new(Hz::FULL, 210.0, 5_000.0), ComfortNoise::new(30), 0);
        for frame in 0..150 {
            let (mut pcm, mut noisy) = (vec![0; 960], Vec::new());
            sine.fill(&mut pcm);
            noise.append(pcm.len(), &mut noisy);
            pcm.iter_mut().zip(noisy).for_each(|(sample, noise)| *sample += noise);
            let mut payload = Vec::new();
            encoder.encode(&pcm, &mut payload).unwrap();
            // The rate is kept on average, over more than its first second.
            bits += if frame < 50 { 0 } else { 8 * payload.len() };
        }
        let rate = bits / 2;
        assert!(rate <= most * 105 / 100 && rate > most / 2, "{parameters}: {rate}");
        assert_eq!(settings.is_limited(), most < 60_000, "{parameters}");
    }
}

#[test]
fn rubbish_neither_panics_nor_leaves_half_a_packet() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for kind in ALL {
        let mut decoder = kind.decoder().unwrap();
        for _ in 0..3000 {
            let payload: Vec<u8> = (0..random() % 200).map(|_| random() as u8).collect();
            let mut out = Vec::new();
            if decoder.decode(&payload, &mut out).is_err() {
                assert!(out.is_empty());
            }
            assert!(out.len() <= 5760);
            if random().is_multiple_of(5) {
                decoder.conceal((random() % 3000) as usize, Some(&payload), &mut out);
            }
        }
    }
}
