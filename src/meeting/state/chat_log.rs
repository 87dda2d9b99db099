//! The chat of a meeting (C-1): it lives in memory, and ends with the meeting (C-8).

use std::collections::{BTreeMap, VecDeque};

use crate::meeting::messages::{ChatLine, Texted};
use crate::relay::driver::LineProgress;
use crate::relay::outbox::LineDelivery;

/// Lines kept for those who join later.
const KEPT: usize = 500;
/// Lines that somebody who joins is shown.
const SHOWN: usize = 30;
/// The longest line, in characters.
pub(super) const LONGEST: usize = 4_000;

/// The lines so far, and how far they have come by SMS.
#[derive(Debug, Default)]
pub(super) struct ChatLog {
    lines: VecDeque<ChatLine>,
    count: u64,
    /// Of each line that is kept, by the message that brings it.
    texted: BTreeMap<u64, BTreeMap<u64, LineDelivery>>,
}

impl ChatLog {
    /// All that is kept, oldest first.
    pub(super) fn lines(&self) -> Vec<ChatLine> {
        self.lines.iter().cloned().collect()
    }

    /// What somebody who joins is shown, oldest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &ChatLine> {
        self.lines.iter().skip(self.lines.len().saturating_sub(SHOWN))
    }

    /// The number of the next line.
    pub(super) const fn next_id(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Keeps a line; the oldest gives way.
    pub(super) fn push(&mut self, line: ChatLine) {
        self.lines.push_back(line);
        if self.lines.len() > KEPT
            && let Some(gone) = self.lines.pop_front()
        {
            self.texted.remove(&gone.id);
        }
    }

    /// Counts a message of a line; `None`: the line is no longer kept, or nothing has changed.
    pub(super) fn texted(&mut self, progress: LineProgress) -> Option<Texted> {
        let line = self.lines.iter_mut().find(|line| line.id == progress.line)?;
        let messages = self.texted.entry(progress.line).or_default();
        messages.insert(progress.message, progress.standing);
        let mut texted = Texted::default();
        for standing in messages.values() {
            *match standing {
                LineDelivery::Waiting => &mut texted.waiting,
                LineDelivery::Sent => &mut texted.sent,
                LineDelivery::Delivered => &mut texted.delivered,
                LineDelivery::Failed => &mut texted.failed,
            } += 1;
        }
        (std::mem::replace(&mut line.texted, texted) != texted).then_some(texted)
    }
}
