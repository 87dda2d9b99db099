//! What has ended lately, for an operator.

use std::collections::VecDeque;

use super::messages::OutboxLine;

/// Ended items that an operator still sees.
const RECENT: usize = 100;

/// The newest of what has ended.
#[derive(Debug, Default)]
pub(super) struct RecentLines(VecDeque<OutboxLine>);

impl RecentLines {
    /// One more has ended; the oldest gives way.
    pub(super) fn push(&mut self, line: OutboxLine) {
        if self.0.len() >= RECENT {
            self.0.pop_front();
        }
        self.0.push_back(line);
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = OutboxLine> {
        self.0.iter().rev().cloned()
    }
}
