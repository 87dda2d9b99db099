//! The messages of a call, for whoever asks why it went as it did (O-5): masked by [`masking`](super::masking), and bounded.

use std::collections::VecDeque;
use std::time::Duration;

use super::Transport;

/// Messages of a call that are remembered.
const MESSAGES: usize = 50;
/// Characters of their contents, for a call altogether; the oldest contents give way first.
const CONTENTS: usize = 24 * 1024;

/// One message of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LadderLine {
    /// Since the call began.
    pub at: Duration,
    /// From the peer to us.
    pub inbound: bool,
    /// The way the call's messages take.
    pub transport: Transport,
    /// Method or status, and CSeq.
    pub summary: String,
    /// Its lines, masked; empty once there was no more room.
    pub content: String,
}

/// The messages of one call, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    lines: VecDeque<LadderLine>,
    contents: usize,
}

impl Ladder {
    /// Remembers one.
    pub(super) fn push(&mut self, line: LadderLine) {
        if self.lines.len() >= MESSAGES
            && let Some(oldest) = self.lines.pop_front()
        {
            self.contents -= oldest.content.len();
        }
        self.contents += line.content.len();
        self.lines.push_back(line);
        let mut oldest = self.lines.iter_mut();
        while self.contents > CONTENTS
            && let Some(line) = oldest.next()
        {
            self.contents -= std::mem::take(&mut line.content).len();
        }
    }

    /// All of them.
    pub(super) fn lines(&self) -> Vec<LadderLine> {
        self.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::masking::CONTENT;

    #[test]
    fn what_is_remembered_of_a_call_is_bounded() {
        let mut ladder = Ladder::default();
        for number in 0..200 {
            let (at, summary) = (Duration::from_secs(number), number.to_string());
            let content = "x".repeat(CONTENT);
            ladder.push(LadderLine { at, inbound: true, transport: Transport::Udp, summary, content });
        }
        let lines = ladder.lines();
        assert_eq!((lines.len(), lines[0].summary.as_str(), lines[49].summary.as_str()), (MESSAGES, "150", "199"));
        assert!(lines.iter().map(|line| line.content.len()).sum::<usize>() <= CONTENTS);
        assert!(lines[0].content.is_empty() && !lines[49].content.is_empty(), "the newest are kept whole");
    }
}
