//! [`SpeakerSelection`]: which seats of a bridge are mixed.
//!
//! A seat that is mixed needs a mix without its own voice, and so an encoding of its own; all others share one. So the background noise of
//! those who listen would cost an encoder each, and add up in everybody's ear. Mixed are the loudest of those who speak, and where nobody
//! speaks the one who spoke last, whose room keeps the line from sounding dead.

/// Seats that may speak up to which all are mixed: of two, neither could share an encoding with anybody.
const UNSELECTED: usize = 2;
/// A seat that is not mixed must be louder than one that is by this many decibels to take its place.
const HYSTERESIS: f32 = 6.0;
/// Weight of a frame in the loudness of a seat: a time constant of 200 ms.
const LOUDNESS_WEIGHT: f32 = 0.1;
/// Fall of the loudness in a pause, in dB a frame: after a third of a second any other speaker is louder.
const PAUSE_FALL: f32 = 1.0;

/// Loudness of a seat for the selection, smoothed over syllables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loudness(f32);

/// A seat whose gate lets it speak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Its place on the bridge.
    pub(super) seat: usize,
    /// It speaks, or has just spoken.
    pub(super) active: bool,
    /// It was selected in the frame before.
    pub(super) selected: bool,
    /// In dBov.
    pub(super) loudness: Loudness,
}

/// The seats that are mixed in a frame.
#[derive(Debug)]
pub(super) struct SpeakerSelection {
    most: usize,
    selected: Vec<Candidate>,
}

impl Loudness {
    /// Nothing was ever said.
    pub(super) const NONE: Self = Self(crate::dsp::level::SILENCE);

    /// Counts a frame of a seat. `level` in dBov; `None` in a pause.
    pub(super) fn follow(&mut self, level: Option<f32>) {
        self.0 = match level {
            // Where it was silent for long, the first frame counts as it is.
            Some(level) if level - self.0 > 2.0 * HYSTERESIS => level,
            Some(level) => self.0 + LOUDNESS_WEIGHT * (level - self.0),
            None => (self.0 - PAUSE_FALL).max(Self::NONE.0),
        };
    }
}

impl Candidate {
    fn rank(&self) -> f32 {
        self.loudness.0 + if self.selected { HYSTERESIS } else { 0.0 }
    }
}

impl SpeakerSelection {
    /// Selects at most so many seats, at least 1.
    pub(super) const fn new(most: usize) -> Self {
        Self { most: if most == 0 { 1 } else { most }, selected: Vec::new() }
    }

    /// Selects among all seats that may speak, for one frame.
    pub(super) fn select(&mut self, candidates: impl Iterator<Item = Candidate>) {
        self.selected.clear();
        self.selected.extend(candidates);
        if self.selected.len() <= UNSELECTED.min(self.most) {
            return;
        }
        let most = if self.selected.iter().any(|candidate| candidate.active) {
            self.selected.retain(|candidate| candidate.active);
            self.most
        } else {
            self.selected.retain(|candidate| candidate.selected);
            1
        };
        if self.selected.len() > most {
            self.selected.sort_unstable_by(|a, b| b.rank().total_cmp(&a.rank()));
            self.selected.truncate(most);
        }
    }

    /// Whether a seat is selected in this frame.
    pub(super) fn contains(&self, seat: usize) -> bool {
        self.selected.iter().any(|candidate| candidate.seat == seat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seats that speak at these levels, or are quiet; the ones named were selected before.
    fn selected(selection: &mut SpeakerSelection, levels: &[Option<f32>], before: &[usize]) -> Vec<usize> {
        selection.select(levels.iter().enumerate().map(|(seat, level)| Candidate {
            seat,
            active: level.is_some(),
            selected: before.contains(&seat),
            loudness: Loudness(level.unwrap_or(-60.0)),
        }));
        (0..levels.len()).filter(|seat| selection.contains(*seat)).collect()
    }

    #[test]
    fn a5_the_loudest_of_those_who_speak_are_selected() {
        let mut selection = SpeakerSelection::new(2);
        let levels = [Some(-30.0), None, Some(-20.0), Some(-25.0)];
        assert_eq!(selected(&mut selection, &levels, &[]), [2, 3]);
        // 5 dB louder than one who is mixed: not yet; 7 dB: yes.
        assert_eq!(selected(&mut selection, &levels, &[0, 2]), [0, 2]);
        assert_eq!(selected(&mut selection, &[Some(-32.0), None, Some(-20.0), Some(-25.0)], &[0, 2]), [2, 3]);
    }

    #[test]
    fn a5_who_spoke_last_stays_and_two_are_never_chosen_between() {
        let mut selection = SpeakerSelection::new(4);
        assert_eq!(selected(&mut selection, &[None, None, None], &[1]), [1]);
        assert_eq!(selected(&mut selection, &[None, None, Some(-30.0)], &[1]), [2]);
        assert_eq!(selected(&mut selection, &[None, None], &[]), [0, 1]);
        assert_eq!(selected(&mut selection, &[], &[]), [0_usize; 0]);
    }

    #[test]
    fn a5_a_pause_gives_the_place_to_whoever_speaks() {
        let (mut paused, mut soft) = (Loudness(-20.0), Loudness::NONE);
        soft.follow(Some(-35.0));
        (0..22).for_each(|_| paused.follow(None));
        assert!(paused.0 + HYSTERESIS < soft.0);
        (0..100).for_each(|_| paused.follow(Some(-20.0)));
        assert!((paused.0 + 20.0).abs() < 0.1);
    }
}
