//! A little more or less time without a change of pitch: whole periods are cut out or repeated, cross-faded where they
//! resemble each other most. This is how a jitter buffer follows a foreign clock.

use std::time::Duration;

use crate::common::units::Hz;
use crate::dsp::level::dbov;

/// What is cut or repeated at once.
const SHORTEST: Duration = Duration::from_micros(2500);
/// The longest step; [`NEEDED`] samples must be at hand for one.
const LONGEST: Duration = Duration::from_millis(10);
/// How much must be at hand: the longest step twice.
pub const NEEDED: Duration = Duration::from_millis(20);
/// Below this level any cut is inaudible.
const QUIET: f32 = -50.0;
/// How alike (1.0 = the same) the two ends of a cut must be in louder sound.
const ALIKE: f32 = 0.75;
/// Likenesses that differ by less are the same.
const AS_GOOD: f32 = 0.02;

/// How choosy a step is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// Only where nobody hears it: quiet or periodic sound.
    Inaudible,
    /// Here and now, at the best place there is.
    Now,
}

/// Takes 2.5 to 10 ms (at most `limit` samples) out of the first 20 ms of `samples`. Gives how many were taken: 0 when there are
/// too few samples, or no good place.
pub fn shorten(samples: &mut Vec<i16>, rate: Hz, limit: usize, choice: Choice) -> usize {
    let Some(lag) = best_lag(samples, rate, limit, choice) else { return 0 };
    let blend = rate.samples(SHORTEST).min(lag);
    // The beginning stays what it was and slides into what comes `lag` later.
    for i in 0..blend {
        samples[lag + i] = mix(samples[i], samples[lag + i], i, blend);
    }
    samples.drain(..lag);
    lag
}

/// Puts 2.5 to 10 ms (at most `limit` samples) into the first 20 ms of `samples`. Gives how many were added: 0 when there are
/// too few samples, or no good place.
pub fn lengthen(samples: &mut Vec<i16>, rate: Hz, limit: usize, choice: Choice) -> usize {
    let Some(lag) = best_lag(samples, rate, limit, choice) else { return 0 };
    let blend = rate.samples(SHORTEST).min(lag);
    // One period, then again from its beginning, entered by sliding from what would have come.
    let mut longer: Vec<i16> = samples[..lag].to_vec();
    longer.extend((0..blend).map(|i| mix(samples[lag + i], samples[i], i, blend)));
    samples.splice(..blend, longer);
    lag
}

/// Goes from `from` to `to` in `of` steps.
fn mix(from: i16, to: i16, step: usize, of: usize) -> i16 {
    let share = (step + 1) as f32 / (of + 1) as f32;
    (f32::from(from) * (1.0 - share) + f32::from(to) * share) as i16
}

/// The lag at which the beginning of `samples` resembles itself most.
fn best_lag(samples: &[i16], rate: Hz, limit: usize, choice: Choice) -> Option<usize> {
    let (shortest, longest) = (rate.samples(SHORTEST), rate.samples(LONGEST).min(limit));
    if samples.len() < rate.samples(NEEDED) || longest < shortest {
        return None;
    }
    let head = &samples[..rate.samples(LONGEST)];
    if dbov(&samples[..rate.samples(NEEDED)]) < QUIET {
        return Some(longest);
    }
    let stride = (rate.0 as usize / 8_000).max(1);
    let alike = |lag: usize| {
        let (mut cross, mut here, mut there) = (0f32, 1f32, 1f32);
        for (&a, &b) in head.iter().zip(&samples[lag..]).step_by(stride) {
            let (a, b) = (f32::from(a), f32::from(b));
            cross += a * b;
            here += a * a;
            there += b * b;
        }
        cross / (here * there).sqrt()
    };
    let better = |best: (usize, f32), lag: usize, margin: f32| {
        let score = alike(lag);
        if score + margin > best.1 { (lag, score.max(best.1)) } else { best }
    };
    // Where much is to be changed, the longest of lags that are as good.
    let margin = if choice == Choice::Now { AS_GOOD } else { 0.0 };
    let (coarse, _) = (shortest..=longest).step_by(stride).fold((longest, f32::MIN), |best, lag| better(best, lag, margin));
    let around = coarse.saturating_sub(stride).max(shortest)..=(coarse + stride).min(longest);
    let (lag, score) = around.fold((coarse, f32::MIN), |best, lag| better(best, lag, 0.0));
    (choice == Choice::Now || score >= ALIKE).then_some(lag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::tone::Sine;

    fn tone(rate: Hz) -> Vec<i16> {
        let mut samples = vec![0; rate.0 as usize / 25];
        Sine::new(rate, 220.0, 9_000.0).fill(&mut samples);
        samples
    }

    #[test]
    fn a_tone_stays_a_tone_when_time_is_taken_or_given() {
        for rate in [Hz::NARROW, Hz::WIDE, Hz::FULL] {
            let step = |samples: &[i16]| samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max().unwrap();
            let original = tone(rate);
            let mut shorter = original.clone();
            let taken = shorten(&mut shorter, rate, rate.samples(LONGEST), Choice::Inaudible);
            assert!(taken >= rate.samples(SHORTEST) && shorter.len() == original.len() - taken);
            assert!(step(&shorter) <= step(&original) * 5 / 4);
            let mut longer = original.clone();
            let given = lengthen(&mut longer, rate, rate.samples(LONGEST), Choice::Inaudible);
            assert!(given >= rate.samples(SHORTEST) && longer.len() == original.len() + given);
            assert!(step(&longer) <= step(&original) * 5 / 4);
        }
    }

    #[test]
    fn loud_noise_is_left_alone_unless_it_must_be() {
        let mut seed = 1u32;
        let mut noise: Vec<i16> = (0..320)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 18) as i16
            })
            .map(|value| value - 8192)
            .collect();
        assert_eq!(shorten(&mut noise, Hz::NARROW, 80, Choice::Inaudible), 0);
        assert!(shorten(&mut noise, Hz::NARROW, 80, Choice::Now) > 0);
        assert_eq!(lengthen(&mut vec![0; 100], Hz::NARROW, 80, Choice::Now), 0);
        assert_eq!(lengthen(&mut vec![0; 160], Hz::NARROW, 10, Choice::Now), 0);
        assert_eq!(lengthen(&mut vec![0; 160], Hz::NARROW, 80, Choice::Inaudible), 80);
    }
}
