//! The absolute clock of a worker: steps of 2.5 ms from its start, without drift.

use std::time::{Duration, Instant};

use super::super::plane::SLOTS;

/// An eighth of a frame.
const STEP: Duration = Duration::from_micros(2_500);
/// Steps a late worker makes up for; what is older is skipped and counted: two frames (DESIGN §7).
const CATCH_UP: u32 = 16;

/// Counts the steps that are done.
pub(super) struct StepClock {
    start: Instant,
    step: u32,
}

impl StepClock {
    pub(super) const fn new(start: Instant) -> Self {
        Self { start, step: 0 }
    }

    /// When the next step is due.
    pub(super) fn deadline(&self) -> Instant {
        self.start + STEP * self.step
    }

    /// Skips what is too old to be made up for, and gives how many steps that were: whole frames, so that every slot misses as many ticks
    /// as any other.
    pub(super) fn skip_missed(&mut self, now: Instant) -> u32 {
        let behind = self.due(now).saturating_sub(self.step);
        if behind <= CATCH_UP {
            return 0;
        }
        let skipped = behind - CATCH_UP;
        let skipped = skipped - skipped % u32::from(SLOTS);
        self.step += skipped;
        skipped
    }

    /// The slot of the next step that is due at `now`; the step counts as done.
    pub(super) fn next_slot(&mut self, now: Instant) -> Option<u8> {
        if self.step > self.due(now) {
            return None;
        }
        let slot = u8::try_from(self.step % u32::from(SLOTS)).unwrap_or(0);
        self.step += 1;
        Some(slot)
    }

    /// Whether a second of steps has just been completed.
    pub(super) const fn is_full_second(&self) -> bool {
        self.step.is_multiple_of(400)
    }

    fn due(&self, now: Instant) -> u32 {
        let due = now.saturating_duration_since(self.start).as_micros() / STEP.as_micros();
        u32::try_from(due).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::disallowed_methods, reason = "an instant to count from")]
    fn clock() -> StepClock {
        StepClock::new(Instant::now())
    }

    fn slots(clock: &mut StepClock, now: Instant) -> Vec<u8> {
        std::iter::from_fn(|| clock.next_slot(now)).collect()
    }

    #[test]
    fn steps_that_are_a_little_late_are_made_up_for() {
        let mut clock = clock();
        let now = clock.start + STEP * 9;
        assert_eq!(clock.skip_missed(now), 0);
        assert_eq!(slots(&mut clock, now), [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]);
        assert_eq!(clock.deadline(), now + STEP);
    }

    /// Of 30 steps behind, 14 are too old, of which one whole frame is skipped.
    #[test]
    fn steps_that_are_too_late_are_skipped_by_the_frame() {
        let mut clock = clock();
        let now = clock.start + STEP * 30;
        assert_eq!(clock.skip_missed(now), 8);
        let slots = slots(&mut clock, now);
        assert_eq!((slots.len(), slots[0]), (23, 0));
    }
}
