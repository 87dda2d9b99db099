//! Lines of the log that people from outside bring about: of each cause one an interval, whatever they do. Those of members and known
//! devices are all written; what is not written is there at the level `debug`.

use std::time::Instant;

use super::MeetingTask;
use crate::common::ids::ParticipantId;
use crate::common::log_limit::LogLimit;
use crate::policy::{Asker, Role};

/// One limit for each cause.
#[derive(Debug, Default)]
pub(super) struct StrangerLines {
    refused: LogLimit,
    came: LogLimit,
    left: LogLimit,
}

/// What somebody brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineCause {
    /// An ask was refused.
    Refused,
    /// They have come.
    Came,
    /// They are gone.
    Left,
}

impl StrangerLines {
    fn says(&mut self, now: Instant, cause: LineCause) -> Option<u64> {
        let limit = match cause {
            LineCause::Refused => &mut self.refused,
            LineCause::Came => &mut self.came,
            LineCause::Left => &mut self.left,
        };
        limit.says(now)
    }
}

impl MeetingTask {
    /// Whether a line about somebody is written; then how many of its kind were not.
    pub(super) fn says_of(&mut self, now: Instant, who: ParticipantId, cause: LineCause) -> Option<u64> {
        let page = self.pages.get(&who).is_some_and(|page| page.role == Role::External);
        let stranger = page || self.guests.get(&who).is_some_and(|guest| !guest.known);
        if stranger { self.stranger_lines.says(now, cause) } else { Some(0) }
    }

    /// The same of somebody who asks.
    pub(super) fn says_of_asker(&mut self, now: Instant, by: Asker, cause: LineCause) -> Option<u64> {
        match by {
            Asker::Participant(who) => self.says_of(now, who, cause),
            Asker::Operator => Some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Whatever somebody from outside asks for, the log has one line of each cause a minute.
    #[test]
    fn x2_a_flood_of_refused_asks_is_one_line_a_minute() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let mut lines = StrangerLines::default();
        let says = |lines: &mut StrangerLines, n: u32, cause| lines.says(start + Duration::from_millis(500) * n, cause);
        let refused: Vec<_> = (0..600).filter_map(|n| says(&mut lines, n, LineCause::Refused)).collect();
        assert_eq!(refused, [0, 119, 119, 119, 119]);
        assert_eq!(says(&mut lines, 599, LineCause::Came), Some(0), "another cause has its own");
        assert_eq!(says(&mut lines, 599, LineCause::Left), Some(0));
    }
}
