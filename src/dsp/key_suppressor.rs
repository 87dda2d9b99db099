//! [`KeySuppressor`]: removes the tones of keys from a device's audio, with their edges.
//!
//! Frames at the codec's rate flow in and out, silent where a key is or may be. A tone is known some milliseconds after it has begun, so
//! sound waits for [`LOOK_AHEAD`] where keys are to be silent from their first sample; without that only what follows is silent.

use std::collections::VecDeque;
use std::time::Duration;

use super::dtmf::{DtmfDetector, HOP, Hop};
use super::gain::Gain;
use super::resample::{Resampler, between};
use crate::common::units::Hz;

/// How long sound waits: the blocks before a suspect window that are silent too, and a block of margin.
pub const LOOK_AHEAD: Duration = Duration::from_millis(30);
/// Blocks of 5 ms, each with the hop of the detector that ends with it: of a frame, and of what waits.
const BLOCKS: usize = 4;
const BLOCKS_AHEAD: usize = 6;
/// Before the end of the first window that is suspect: two windows, the resampler's delay and what a codec smears may hold its beginning.
const BEFORE: usize = 6;
/// After the last: what is left of the tone is too short to be known, and codecs smear it.
const AFTER: usize = 4;
const FADE: Duration = Duration::from_millis(1);

/// See the module.
pub struct KeySuppressor {
    rate: Hz,
    /// To the detector's rate.
    narrow: Option<Resampler>,
    detector: DtmfDetector,
    samples: Vec<i16>,
    hops: Vec<Hop>,
    /// Sound that waits, and which of its blocks are silent.
    waiting: VecDeque<i16>,
    silent: VecDeque<bool>,
    /// Blocks that are to be silent still.
    after: usize,
    gain: Gain,
}

/// What a frame has brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Suppressed {
    /// Something in it may be of a key.
    pub suspect: bool,
    /// This key has lasted long enough to be one.
    pub pressed: Option<char>,
    /// This key is up again.
    pub released: Option<char>,
}

// === impl KeySuppressor ===

impl KeySuppressor {
    /// For sound at `rate`, which passes at once.
    #[must_use]
    pub fn new(rate: Hz) -> Self {
        Self {
            rate,
            narrow: between(rate, Hz::NARROW),
            detector: DtmfDetector::default(),
            samples: Vec::new(),
            hops: Vec::new(),
            waiting: VecDeque::new(),
            silent: VecDeque::new(),
            after: 0,
            gain: Gain::new(1.0),
        }
    }

    /// The rate of the sound.
    #[must_use]
    pub const fn rate(&self) -> Hz {
        self.rate
    }

    /// Sound waits from now on for [`LOOK_AHEAD`], behind as much silence.
    pub fn look_ahead(&mut self) {
        if !self.looks_ahead() {
            self.waiting.extend(std::iter::repeat_n(0, self.rate.samples(LOOK_AHEAD)));
            self.silent.extend(std::iter::repeat_n(false, BLOCKS_AHEAD));
        }
    }

    /// Whether sound waits.
    #[must_use]
    pub fn looks_ahead(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes a frame of 20 ms, and makes it the one that has waited long enough. `mute`: a key is down by another means, all of
    /// what comes is to be silent.
    pub fn process(&mut self, frame: &mut [i16], mute: bool) -> Suppressed {
        let ahead = self.looks_ahead();
        self.samples.clear();
        match &mut self.narrow {
            Some(narrow) => narrow.process(frame, &mut self.samples),
            None => self.samples.extend_from_slice(frame),
        }
        self.hops.clear();
        self.detector.process(&self.samples, &mut self.hops);
        self.waiting.extend(&*frame);
        let mut found = Suppressed::default();
        let hops = std::mem::take(&mut self.hops);
        for hop in &hops {
            self.mark(hop.suspect, mute);
            found.suspect |= hop.suspect;
            found.pressed = found.pressed.or(hop.pressed);
            found.released = found.released.or(hop.released);
        }
        self.hops = hops;
        let fade = if ahead { FADE } else { Duration::ZERO };
        let mut rest = frame;
        for left in (1..=BLOCKS).rev() {
            let block = rest.split_off_mut(..rest.len() / left).unwrap_or_default();
            block.iter_mut().for_each(|sample| *sample = self.waiting.pop_front().unwrap_or(0));
            self.gain.set(if self.silent.pop_front().unwrap_or(false) { 0.0 } else { 1.0 }, fade);
            self.gain.apply(block, self.rate);
        }
        found
    }

    /// Judges the block that came last.
    fn mark(&mut self, suspect: bool, mute: bool) {
        self.silent.push_back(suspect || mute || self.after > 0);
        if suspect {
            self.after = AFTER;
            let first = self.silent.len().saturating_sub(1 + BEFORE);
            self.silent.range_mut(first..).for_each(|silent| *silent = true);
        } else {
            self.after = self.after.saturating_sub(1);
        }
    }
}

// A frame at the rate of the detector has 160 samples.
const _: () = assert!(HOP * BLOCKS == 160 && LOOK_AHEAD.as_millis() == 5 * BLOCKS_AHEAD as u128);
