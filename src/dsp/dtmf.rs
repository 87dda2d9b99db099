//! [`DtmfDetector`]: keys by their pair of tones in the audio (A-2; ITU-T Q.23 and Q.24).
//!
//! Samples at 8 kHz flow in, one [`Hop`] for each 5 ms flows out: whether the last 15 ms look like a key, and what keys went down and up.
//! One per stream. A voice has energy at the right frequencies too, so a key is what has two tones and nothing else of weight: one of each
//! group, in balance, on their frequencies by the phase from one hop to the next, without harmonics, and steady for 40 ms.

use std::f32::consts::TAU;

/// Samples of a window: its main lobe tells the tones of a group apart, which lie 73 Hz and more from each other.
const WINDOW: usize = 120;
/// Samples from one window to the next: 5 ms.
pub const HOP: usize = 40;
/// Samples a second.
const RATE: f32 = 8000.0;

/// Frequencies of the rows, then of the columns (Q.23).
const TONES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: [[char; 4]; 4] = [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// Mean square of the weaker tone: -45 dBov, below what Q.24 asks for.
const WEAKEST: f32 = 34_000.0;
/// The stronger of the others of a group is this much weaker (2 dB): speech beside may be there.
const OTHERS: f32 = 0.6;
/// A column may be this much stronger than its row (8 dB, "reverse") or weaker ("normal", 9.5 dB).
const TWIST: (f32, f32) = (6.3, 9.0);
/// What the two tones have of the whole energy; the rest is what is spoken meanwhile.
const SHARE: f32 = 0.45;
/// Deviation of each frequency, of a hop and in the mean of a key (Q.24: 1.5 % is a key, 3.5 % is none). What is spoken shifts phases.
const DEVIATION: f32 = 0.07;
const MEAN_DEVIATION: f32 = 0.024;
/// The second harmonic of the column is this much weaker (6 dB). That of the row lies among the columns.
const HARMONIC: f32 = 0.25;
/// A tone that has this much of its power is still there, under what is spoken.
const PRESENT: f32 = 0.3;
/// Hops that make a key, by what its tones have of the energy in their mean: 40 ms of tone alone, more with speech beside.
const CONFIRMED: [(f32, u32); 3] = [(0.85, 5), (0.65, 8), (0.0, 12)];
/// Hops without the tones that end what may become a key, and a key: less than the 40 ms of pause that Q.24 asks for.
const BROKEN: u32 = 2;
const GONE: u32 = 5;
/// Hops for which the tones may be covered by what is spoken.
const COVERED: u32 = 12;

/// What 5 ms have brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hop {
    /// The last 15 ms may be of a key, and were twice in a row.
    pub suspect: bool,
    /// This key is down: it has lasted long enough.
    pub pressed: Option<char>,
    /// This key, which was down, is up.
    pub released: Option<char>,
}

/// One bin of a window: its phase at the window's end, and its mean square.
#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    re: f32,
    im: f32,
    power: f32,
}

/// The tones of one window that looks like a key.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Where in [`TONES`].
    places: [usize; 2],
    /// Mean squares.
    powers: [f32; 2],
    /// Both tones' part of the window's energy.
    share: f32,
}

/// A key that may be, or is, down.
#[derive(Clone, Copy, Debug)]
struct Key {
    places: [usize; 2],
    /// Averages over the hits.
    powers: [f32; 2],
    deviation: [f32; 2],
    share: f32,
    hits: u32,
    /// Since the last hit.
    misses: u32,
    covered: u32,
    is_down: bool,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct DtmfDetector {
    tones: Goertzel<8>,
    /// The second harmonics of the columns.
    harmonics: Goertzel<4>,
    /// The last [`WINDOW`] samples and more, up to a hop.
    samples: Vec<f32>,
    before: [Bin; 8],
    /// The window before looked like this key.
    last: Option<[usize; 2]>,
    key: Option<Key>,
}

// === impl Key ===

impl Key {
    fn new(candidate: &Candidate, deviation: [f32; 2]) -> Self {
        let Candidate { places, powers, share } = *candidate;
        Self { places, powers, deviation, share, hits: 1, misses: 0, covered: 0, is_down: false }
    }

    fn hit(&mut self, candidate: &Candidate, deviation: [f32; 2]) {
        self.hits = self.hits.saturating_add(1);
        (self.misses, self.covered) = (0, 0);
        let weight = 1.0 / self.hits.min(32) as f32;
        self.share += (candidate.share - self.share) * weight;
        let averages = self.powers.iter_mut().chain(&mut self.deviation);
        for (average, new) in averages.zip(candidate.powers.into_iter().chain(deviation)) {
            *average += (new - *average) * weight;
        }
    }

    /// A window that is none of this key's: whether its tones are still there.
    fn miss(&mut self, bins: &[Bin; 8]) {
        let is_present = |(place, power): (&usize, &f32)| bins.get(*place).is_some_and(|bin| bin.power >= PRESENT * power);
        if self.covered < COVERED && self.places.iter().zip(&self.powers).all(is_present) {
            self.covered += 1;
        } else {
            self.misses += 1;
        }
    }

    fn is_long_enough(&self) -> bool {
        CONFIRMED.iter().any(|(share, hits)| self.share >= *share && self.hits >= *hits)
    }

    fn is_over(&self) -> bool {
        self.misses >= if self.is_down { GONE } else { BROKEN }
    }

    fn digit(&self) -> Option<char> {
        let [row, column] = self.places;
        KEYS.get(row)?.get(column.checked_sub(KEYS.len())?).copied()
    }
}

// === impl DtmfDetector ===

impl Default for DtmfDetector {
    fn default() -> Self {
        let [.., a, b, c, d] = TONES;
        Self {
            tones: Goertzel::new(TONES),
            harmonics: Goertzel::new([a, b, c, d].map(|column| 2.0 * column)),
            samples: vec![0.0; WINDOW - HOP],
            before: [Bin::default(); 8],
            last: None,
            key: None,
        }
    }
}

impl DtmfDetector {
    /// Takes samples at 8 kHz; appends a [`Hop`] for each [`HOP`] of them.
    pub fn process(&mut self, samples: &[i16], hops: &mut Vec<Hop>) {
        for sample in samples {
            self.samples.push(f32::from(*sample));
            if self.samples.len() == WINDOW {
                let hop = self.hop();
                hops.push(hop);
                self.samples.drain(..HOP);
            }
        }
    }

    fn hop(&mut self) -> Hop {
        let total = self.samples.iter().map(|sample| sample * sample).sum::<f32>() / self.samples.len() as f32;
        // What is softer than the weakest tone need not be looked at.
        let bins = if total < WEAKEST { [Bin::default(); 8] } else { self.tones.bins(&self.samples) };
        let before = std::mem::replace(&mut self.before, bins);
        let candidate = candidate(&bins, total);
        let last = std::mem::replace(&mut self.last, candidate.map(|candidate| candidate.places));
        let steady = candidate.filter(|candidate| last == Some(candidate.places));
        let steady = steady.map(|candidate| (candidate, candidate.places.map(|place| deviation(place, &before, &bins))));
        let on_pitch = steady.filter(|(_, off)| off.iter().all(|off| off.abs() <= DEVIATION));
        let hit = on_pitch.filter(|(candidate, _)| !self.has_harmonic(candidate));
        let mut hop = Hop::default();
        match (&mut self.key, hit) {
            (Some(key), Some((candidate, off))) if key.places == candidate.places => key.hit(&candidate, off),
            (Some(key), hit) => {
                key.miss(&bins);
                if key.is_over() || hit.is_some() && !key.is_down {
                    hop.released = key.digit().filter(|_| key.is_down);
                    self.key = hit.map(|(candidate, off)| Key::new(&candidate, off));
                }
            }
            (None, Some((candidate, off))) => self.key = Some(Key::new(&candidate, off)),
            (None, None) => {}
        }
        if let Some(key) = self.key.as_mut().filter(|key| !key.is_down && key.is_long_enough()) {
            key.is_down = key.deviation.iter().all(|off| off.abs() <= MEAN_DEVIATION);
            hop.pressed = key.digit().filter(|_| key.is_down);
        }
        hop.suspect = hit.is_some() || self.key.is_some_and(|key| key.hits > 1 && key.misses == 0);
        hop
    }

    /// A voice has harmonics, two tones have none.
    fn has_harmonic(&self, candidate: &Candidate) -> bool {
        let ([_, column], [_, power]) = (candidate.places, candidate.powers);
        let harmonic = column.checked_sub(4).and_then(|column| self.harmonics.bins(&self.samples).get(column).copied());
        harmonic.is_some_and(|harmonic| harmonic.power > HARMONIC * power)
    }
}

/// Goertzel's algorithm, for some frequencies at once.
#[derive(Clone, Copy, Debug)]
struct Goertzel<const N: usize> {
    sin: [f32; N],
    cos: [f32; N],
}

impl<const N: usize> Goertzel<N> {
    fn new(frequencies: [f32; N]) -> Self {
        let angles = frequencies.map(|frequency| TAU * frequency / RATE);
        Self { sin: angles.map(f32::sin), cos: angles.map(f32::cos) }
    }

    fn bins(&self, samples: &[f32]) -> [Bin; N] {
        let (mut newest, mut older) = ([0.0_f32; N], [0.0_f32; N]);
        for sample in samples {
            for ((newest, older), cos) in newest.iter_mut().zip(older.iter_mut()).zip(&self.cos) {
                let next = sample + 2.0 * cos * *newest - *older;
                (*older, *newest) = (*newest, next);
            }
        }
        let scale = 2.0 / (samples.len() as f32).powi(2);
        std::array::from_fn(|at| {
            let (re, im) = (newest[at] - older[at] * self.cos[at], older[at] * self.sin[at]);
            Bin { re, im, power: scale * (re * re + im * im) }
        })
    }
}

/// The strongest row and column, if they are what the window is made of.
fn candidate(bins: &[Bin; 8], total: f32) -> Option<Candidate> {
    let power = |at: usize| bins.get(at).map_or(0.0, |bin| bin.power);
    let strongest = |group: std::ops::Range<usize>| group.max_by(|a, b| power(*a).total_cmp(&power(*b)));
    let (row, column) = (strongest(0..4)?, strongest(4..8)?);
    let (low, high) = (power(row), power(column));
    if low.min(high) < WEAKEST || high > TWIST.0 * low || low > TWIST.1 * high {
        return None;
    }
    let others =
        |group: std::ops::Range<usize>, strongest: usize, limit| group.filter(|at| *at != strongest).all(|at| power(at) <= limit);
    let alone = others(0..4, row, OTHERS * low) && others(4..8, column, OTHERS * high) && low + high >= SHARE * total;
    alone.then(|| Candidate { places: [row, column], powers: [low, high], share: (low + high) / total.max(1.0) })
}

/// How far a frequency is off, by how far its phase has moved since the window before: a part of the nominal one.
fn deviation(place: usize, before: &[Bin; 8], now: &[Bin; 8]) -> f32 {
    let (Some(a), Some(b), Some(frequency)) = (before.get(place), now.get(place), TONES.get(place)) else { return f32::MAX };
    let turned = (b.im * a.re - b.re * a.im).atan2(b.re * a.re + b.im * a.im);
    let nominal = TAU * frequency * HOP as f32 / RATE;
    let off = (turned - nominal).rem_euclid(TAU);
    (if off > TAU / 2.0 { off - TAU } else { off }) / nominal
}
