//! One WAV file's bytes to a [`Clip`]. Pure, so that it can be fuzzed.

use std::io::Cursor;
use std::time::Duration;

use super::Clip;
use crate::common::units::Hz;

/// The longest prompt: a minute is more than anybody listens to, and bounds what one file can take in memory.
pub(super) const LONGEST: Duration = Duration::from_secs(60);

/// A peak below this (about -60 dBov) is inaudible: a notice made of it would be no notice (N-6).
const AUDIBLE: u16 = 33;

/// Why a WAV file cannot be a prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WavFault {
    /// The structure is broken, cut off, or of a kind that is not PCM.
    #[error("cannot be read as a WAV file: {0}")]
    Unreadable(Box<str>),
    /// PCM, but not of 16 bits.
    #[error("has samples of {0} bits instead of 16-bit integers")]
    SampleFormat(u16),
    /// More than two channels.
    #[error("has {0} channels instead of one or two")]
    Channels(u16),
    /// A rate outside 8 to 48 kHz.
    #[error("has a rate of {0} Hz instead of 8000 to 48000")]
    Rate(u32),
    /// Longer than a minute.
    #[error("is longer than 60 s")]
    TooLong,
    /// No samples, or nothing but silence.
    #[error("holds no sound")]
    Silent,
}

/// Reads 16-bit PCM, mono or stereo (mixed to mono), 8 to 48 kHz, at most 60 s.
///
/// # Errors
/// [`WavFault`], whatever the bytes are.
pub fn decode(bytes: &[u8]) -> Result<Clip, WavFault> {
    let unreadable = |error: hound::Error| WavFault::Unreadable(error.to_string().into());
    let mut reader = hound::WavReader::new(Cursor::new(bytes)).map_err(unreadable)?;
    let spec = reader.spec();
    if spec.sample_format != hound::SampleFormat::Int || spec.bits_per_sample != 16 {
        return Err(WavFault::SampleFormat(spec.bits_per_sample));
    }
    if !(1..=2).contains(&spec.channels) {
        return Err(WavFault::Channels(spec.channels));
    }
    let rate = Hz(spec.sample_rate);
    if !(Hz::NARROW..=Hz::FULL).contains(&rate) {
        return Err(WavFault::Rate(spec.sample_rate));
    }
    if usize::try_from(reader.duration()).map_or(true, |frames| frames > rate.samples(LONGEST)) {
        return Err(WavFault::TooLong);
    }
    let interleaved: Vec<i16> = reader.samples::<i16>().collect::<Result<_, _>>().map_err(unreadable)?;
    let samples: Vec<i16> = match spec.channels {
        1 => interleaved,
        _ => interleaved.as_chunks().0.iter().map(|[left, right]| left.midpoint(*right)).collect(),
    };
    if samples.iter().all(|sample| sample.unsigned_abs() < AUDIBLE) {
        return Err(WavFault::Silent);
    }
    Ok(Clip { rate, samples: samples.into() })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::prompt) fn wav(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
        let spec = hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn mono_is_taken_as_it_is_at_the_files_own_rate() {
        let clip = decode(&wav(1, 44_100, &[100, -200, 300])).unwrap();
        assert_eq!((clip.rate, &*clip.samples), (Hz(44_100), &[100, -200, 300][..]));
    }

    #[test]
    fn stereo_is_mixed_to_mono_without_overflow() {
        let clip = decode(&wav(2, 8_000, &[i16::MAX, i16::MAX, i16::MIN, i16::MIN, 100, 300])).unwrap();
        assert_eq!(&*clip.samples, &[i16::MAX, i16::MIN, 200]);
    }

    #[test]
    fn what_cannot_be_a_prompt_is_refused_with_its_reason() {
        assert_eq!(decode(&wav(3, 8_000, &[900; 6])), Err(WavFault::Channels(3)));
        assert_eq!(decode(&wav(1, 7_999, &[900; 6])), Err(WavFault::Rate(7_999)));
        assert_eq!(decode(&wav(1, 96_000, &[900; 6])), Err(WavFault::Rate(96_000)));
        assert_eq!(decode(&wav(1, 8_000, &[])), Err(WavFault::Silent));
        assert_eq!(decode(&wav(1, 8_000, &[5; 8_000])), Err(WavFault::Silent));
        assert_eq!(decode(&wav(1, 8_000, &vec![900; 480_001])), Err(WavFault::TooLong));
        assert!(decode(&wav(1, 8_000, &vec![900; 480_000])).is_ok());
        assert!(matches!(decode(b"RIFF"), Err(WavFault::Unreadable(_))));
        let cut_off = wav(1, 8_000, &[900; 100]);
        assert!(matches!(decode(&cut_off[..cut_off.len() - 1]), Err(WavFault::Unreadable(_))));
        assert!(matches!(decode(&wav_float()), Err(WavFault::SampleFormat(32))));
    }

    fn wav_float() -> Vec<u8> {
        let spec =
            hound::WavSpec { channels: 1, sample_rate: 8_000, bits_per_sample: 32, sample_format: hound::SampleFormat::Float };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        writer.write_sample(0.5_f32).unwrap();
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn no_mutation_of_a_file_panics_or_passes_the_limits() {
        let seeds = [wav(1, 16_000, &[1000; 40]), wav(2, 48_000, &[-1000; 40]), wav_float()];
        let mut random = 0x5eed_u64;
        let mut draw = |below: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        for round in 0..30_000 {
            let mut bytes = seeds[round % seeds.len()].clone();
            for _ in 0..=draw(4) {
                // Mostly the header, where lengths, counts and formats are.
                let header = if draw(4) > 0 { 60.min(bytes.len()) } else { bytes.len() };
                let at = draw(header);
                match draw(4) {
                    0 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0xfe][draw(6)],
                    1 => bytes[at] ^= 1 << draw(8),
                    2 => drop(bytes.drain(at..)),
                    _ => bytes.insert(at, u8::try_from(draw(256)).unwrap()),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            if let Ok(clip) = decode(&bytes) {
                assert!(!clip.samples.is_empty() && clip.duration() <= LONGEST);
                assert!((Hz::NARROW..=Hz::FULL).contains(&clip.rate));
            }
        }
    }
}
