//! `*7`: what the chat has said since it was last asked for is read aloud, by a speech program of the machine's own.

use std::collections::VecDeque;

use crate::common::redact::Redacted;

/// Lines that wait to be read. Full: the oldest goes, since nobody has asked for it.
const UNREAD: usize = 30;
/// Characters of a line that are read, and of all that is read at once: well under a minute.
const LONGEST: usize = 400;

/// What waits to be read.
#[derive(Debug, Default)]
pub(super) struct ChatReadout {
    unread: VecDeque<Redacted<String>>,
    /// So many of them are being turned into sound.
    taken: Option<usize>,
    /// The program has just failed; a second time, what it was given is to blame.
    failed: bool,
}

impl ChatReadout {
    /// A line of the chat by somebody else.
    pub(super) fn push(&mut self, line: &str) {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        self.unread.push_back(Redacted::new(line.chars().map(plain).take(LONGEST).collect()));
        if self.unread.len() > UNREAD {
            self.unread.pop_front();
            self.taken = self.taken.map(|taken| taken.saturating_sub(1));
        }
    }

    /// The program is at work.
    pub(super) const fn is_busy(&self) -> bool {
        self.taken.is_some()
    }

    /// As many whole lines as are read at once, for the program; `None`: there are none.
    pub(super) fn take(&mut self) -> Option<Redacted<String>> {
        let mut length = 0;
        let fits = self.unread.iter().take_while(|line| {
            length += line.expose().chars().count();
            length <= LONGEST
        });
        // A line each: voices make a pause there.
        let lines: Vec<&str> = fits.map(|line| line.expose().as_str()).collect();
        self.taken = (!lines.is_empty()).then_some(lines.len());
        (!lines.is_empty()).then(|| Redacted::new(lines.join("\n")))
    }

    /// The program is done, and nobody is there to listen.
    pub(super) const fn drop_taken(&mut self) {
        self.taken = None;
    }

    /// The program is done. Where it has failed, the lines wait for one more try. Says whether there are more.
    pub(super) fn done(&mut self, succeeded: bool) -> bool {
        let taken = self.taken.take().unwrap_or_default();
        let failed_before = std::mem::replace(&mut self.failed, !succeeded);
        if succeeded || failed_before {
            self.unread.drain(..taken.min(self.unread.len()));
            self.failed = false;
        }
        !self.unread.is_empty()
    }
}
