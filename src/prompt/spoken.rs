//! What a speech program wrote, as a clip that sounds beside the prompts.

use super::Clip;
use super::wav::{WavFault, decode};
use crate::dsp::level::dbov;

/// Level of the prompts in dBov, over what is not a pause (`conf/prompts/render.py`).
const LEVEL: f32 = -20.0;
/// The highest sample, about -3 dBov.
const PEAK: f32 = 23_197.0;
/// What is quieter than this is a pause, in dBov.
const PAUSE: f32 = -50.0;
/// Blocks a second in which pauses are looked for.
const BLOCKS: u32 = 50;

/// Reads 16-bit PCM as [`decode`] does, and the streams of programs that write their header before they know how long it gets; brings it
/// to the level of the prompts.
///
/// # Errors
/// [`WavFault`], whatever the bytes are.
pub fn spoken(bytes: &[u8]) -> Result<Clip, WavFault> {
    let clip = decode(&with_true_lengths(bytes))?;
    let block = usize::try_from(clip.rate.0 / BLOCKS).unwrap_or(1).max(1);
    let loud: Vec<i16> = clip.samples.chunks(block).filter(|block| dbov(block) > PAUSE).flatten().copied().collect();
    if loud.is_empty() {
        return Err(WavFault::Silent);
    }
    let peak = clip.samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(1);
    let gain = 10_f32.powf((LEVEL - dbov(&loud)) / 20.0).min(PEAK / f32::from(peak));
    #[allow(clippy::cast_possible_truncation, reason = "within the range: peaks are bounded above")]
    let samples = clip.samples.iter().map(|sample| (f32::from(*sample) * gain).round() as i16).collect();
    Ok(Clip { rate: clip.rate, samples })
}

/// With the sizes of the file and of its samples as they are, where the header promises more than there is.
fn with_true_lengths(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let size_at = |bytes: &[u8], at: usize| {
        let size = bytes.get(at..at + 4)?;
        Some(usize::try_from(u32::from_le_bytes(size.try_into().ok()?)).unwrap_or(usize::MAX))
    };
    let mut at = 12;
    while let Some(size) = size_at(&bytes, at + 4) {
        let there = bytes.len() - (at + 8);
        if bytes.get(at..at + 4) == Some(b"data") && size > there {
            // A frame of two channels has four octets.
            let whole = u32::try_from(there / 4 * 4).unwrap_or(u32::MAX);
            bytes.truncate(at + 8 + there / 4 * 4);
            let all = u32::try_from(bytes.len() - 8).unwrap_or(u32::MAX);
            for (at, size) in [(at + 4, whole), (4, all)] {
                if let Some(field) = bytes.get_mut(at..at + 4) {
                    field.copy_from_slice(&size.to_le_bytes());
                }
            }
            break;
        }
        at = at.saturating_add(8).saturating_add(size).saturating_add(size % 2).min(bytes.len());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::wav::tests::wav;
    use super::*;

    fn tone(level: f64) -> Vec<i16> {
        #[allow(clippy::cast_possible_truncation, reason = "a tone within the range")]
        let sample = |n: u32| ((f64::from(n) * 0.3).sin() * level) as i16;
        (0..16_000).map(sample).collect()
    }

    /// What is quiet or loud gets the level of the prompts and pauses do not count.
    #[test]
    fn what_is_quiet_or_loud_gets_the_level_of_the_prompts() {
        for level in [200.0, 3_000.0, 32_000.0] {
            let mut samples = vec![0; 32_000];
            samples.extend(tone(level));
            let clip = spoken(&wav(1, 16_000, &samples)).expect("speech");
            let sound = &clip.samples[32_000..];
            let rms = (sound.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / sound.len() as f64).sqrt();
            assert!((3_200.0..3_350.0).contains(&rms), "{level}: {rms}");
        }
    }

    #[test]
    fn a_peak_is_never_cut_off() {
        let mut samples = tone(300.0);
        samples[100] = i16::MIN;
        let clip = spoken(&wav(1, 16_000, &samples)).expect("speech");
        assert_eq!(clip.samples.iter().map(|sample| sample.unsigned_abs()).max(), Some(23_197));
    }

    /// As `espeak-ng --stdout` and others write it.
    #[test]
    fn a_stream_whose_header_does_not_know_its_length_is_read() {
        for lengths in [0x7FFF_FFFF_u32, u32::MAX, 0x7FFF_F000] {
            let mut bytes = wav(1, 22_050, &tone(1_000.0));
            let at = bytes.windows(4).position(|four| four == b"data").expect("samples") + 4;
            bytes[at..at + 4].copy_from_slice(&lengths.to_le_bytes());
            bytes[4..8].copy_from_slice(&lengths.to_le_bytes());
            assert_eq!(spoken(&bytes).expect("speech").samples.len(), 16_000);
        }
    }

    #[test]
    fn silence_is_no_speech() {
        assert_eq!(spoken(&wav(1, 16_000, &[40; 16_000])), Err(WavFault::Silent));
    }

    proptest! {
        #[test]
        fn whatever_a_program_writes_does_no_harm(mut octets in proptest::collection::vec(0_u8.., 0..200), at in 0..60_usize) {
            let _ = spoken(&octets);
            let mut file = wav(2, 8_000, &tone(900.0)[..100]);
            for (old, new) in file.iter_mut().skip(at).zip(octets.drain(..)) {
                *old = new;
            }
            let _ = spoken(&file);
        }
    }
}
