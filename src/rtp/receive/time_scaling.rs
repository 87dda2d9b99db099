//! Time scaling of what is decoded and not yet played: how clock drift is absorbed, and the playout delay changed.
//!
//! A frame is pulled as a whole, so a packet is *needed* at the pull that takes its first sample, wherever in the frame that lies. Time that is put
//! in or taken out therefore changes the headroom of packets by whole *quanta* (the common divisor of packet and frame: 20 ms for most devices).

use crate::common::units::Hz;
use crate::dsp::stretch::{self, Choice};

use super::tick_conversion::TickConversion;

/// Pulls between two changes where there is time, so that changes are not heard as a flutter.
const UNHURRIED: u32 = 5;
/// The same where the delay is far too long: 160 ms less take a second.
const HURRIED: u32 = 3;

/// When the last change was, and how urgent the next one is.
#[derive(Debug, Default)]
pub(super) struct TimeScaling {
    pulls_since: u32,
    is_urgent: bool,
}

/// Where the decoded samples lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// Between ticks, samples and time.
    pub(super) conversion: TickConversion,
    /// Samples of a quantum.
    pub(super) quantum: usize,
}

impl TimeScaling {
    /// Counts a pull; whether there may be a change at it.
    pub(super) fn is_due(&mut self) -> bool {
        self.pulls_since = self.pulls_since.saturating_add(1);
        self.pulls_since >= if self.is_urgent { HURRIED } else { UNHURRIED }
    }

    /// The next change may come at the next pull, or is to wait for its turn.
    pub(super) fn set_urgent(&mut self, is_urgent: bool) {
        self.is_urgent = is_urgent;
    }

    /// Puts in what brings packets a quantum of headroom, or part of it. Gives by how many quanta they are needed later.
    pub(super) fn lengthen(&mut self, pcm: &mut Vec<i16>, grid: Grid) -> i64 {
        let phase = grid.phase(pcm.len());
        let wanted = (grid.quantum - phase).max(grid.least_step());
        let given = stretch::lengthen(pcm, grid.rate(), wanted, Choice::Inaudible);
        self.changed(given);
        ((phase + given) / grid.quantum) as i64
    }

    /// Takes out up to `limit` samples. Gives by how many quanta packets are needed earlier.
    pub(super) fn shorten(&mut self, pcm: &mut Vec<i16>, grid: Grid, limit: usize, choice: Choice) -> i64 {
        let phase = grid.phase(pcm.len());
        let limit = limit.min(pcm.len().saturating_sub(grid.conversion.frame()));
        let taken = stretch::shorten(pcm, grid.rate(), limit, choice);
        self.changed(taken);
        taken.saturating_sub(phase).div_ceil(grid.quantum) as i64
    }

    fn changed(&mut self, samples: usize) {
        if samples > 0 {
            self.pulls_since = 0;
        }
    }
}

impl Grid {
    /// Where in its quantum the next packet's sound begins, behind `decoded` samples; what is cut up to there costs no headroom.
    pub(super) fn phase(self, decoded: usize) -> usize {
        decoded.saturating_sub(self.conversion.frame()) % self.quantum
    }

    fn rate(self) -> Hz {
        self.conversion.rate
    }

    /// Less is not worth a change: 5 ms.
    fn least_step(self) -> usize {
        self.conversion.frame() / 4
    }
}
