//! Presence (M-5): connected, lost for a moment, gone, and lost for good.

use std::time::{Duration, Instant};

/// How long a lost member still counts as present (M-5).
pub const STILL_PRESENT: Duration = Duration::from_secs(15);
/// How long a lost participant keeps seat, role and mute (M-5).
pub const SEAT_KEPT: Duration = Duration::from_secs(60);

/// How long a page that has announced its closing keeps its seat: as long as a browser needs to reload it and join again (M-5).
pub const RELOAD: Duration = Duration::from_secs(3);

/// One participant's connection, as last reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Signalling connected and, once media is up, ICE consent alive.
    Alive,
    /// Lost at this time, still counted.
    Lost(Instant),
    /// Lost at this time, no longer counted as present; the seat is kept.
    Gone(Instant),
    /// Its page was closed at this time, or is being loaded anew.
    Closed(Instant),
}

impl Presence {
    /// Takes a report. A repeated loss keeps the time of the first, and that of a page that was closed changes nothing.
    pub(super) fn report(&mut self, now: Instant, alive: bool) {
        *self = match (*self, alive) {
            (_, true) => Self::Alive,
            (Self::Alive, false) => Self::Lost(now),
            (lost, false) => lost,
        };
    }

    /// Its page is being closed.
    pub(super) fn close(&mut self, now: Instant) {
        if !self.is_closed() {
            *self = Self::Closed(now);
        }
    }

    /// The page that was closed is there again, and has yet to join: it has as long as after any loss.
    pub(super) fn reload(&mut self) {
        if let Self::Closed(at) = *self {
            *self = Self::Lost(at);
        }
    }

    /// Its page was closed, not lost.
    pub(super) const fn is_closed(self) -> bool {
        matches!(self, Self::Closed(_))
    }

    /// Counts as present for M-5.
    pub(super) const fn is_present(self) -> bool {
        matches!(self, Self::Alive | Self::Lost(_) | Self::Closed(_))
    }

    /// Connected at this moment.
    pub(super) const fn is_alive(self) -> bool {
        matches!(self, Self::Alive)
    }

    /// When it stops counting as present.
    pub(super) fn gone_at(self) -> Option<Instant> {
        match self {
            Self::Lost(at) => at.checked_add(STILL_PRESENT),
            Self::Alive | Self::Gone(_) | Self::Closed(_) => None,
        }
    }

    /// It has been lost for [`STILL_PRESENT`].
    pub(super) fn go(&mut self) {
        if let Self::Lost(at) = *self {
            *self = Self::Gone(at);
        }
    }

    /// When the seat is given up.
    pub(super) fn left_at(self) -> Option<Instant> {
        match self {
            Self::Alive => None,
            Self::Lost(at) | Self::Gone(at) => at.checked_add(SEAT_KEPT),
            Self::Closed(at) => at.checked_add(RELOAD),
        }
    }
}
