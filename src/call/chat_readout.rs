//! `*7`: what the chat has said since it was last asked for is read aloud, by a speech program of the machine's own.

use std::collections::VecDeque;

use super::{Call, CallAct, Phase};
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;
use crate::media::PlayKind;
use crate::prompt::Clip;
use crate::sip;

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
    fn push(&mut self, line: &str) {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        self.unread.push_back(Redacted::new(line.chars().map(plain).take(LONGEST).collect()));
        if self.unread.len() > UNREAD {
            self.unread.pop_front();
            self.taken = self.taken.map(|taken| taken.saturating_sub(1));
        }
    }

    /// As many whole lines as are read at once.
    fn next(&mut self) -> Option<Redacted<String>> {
        let mut length = 0;
        let fits = self.unread.iter().take_while(|line| {
            length += line.expose().chars().count();
            length <= LONGEST
        });
        // A line each: voices make a pause there.
        let lines: Vec<&str> = fits.map(|line| line.expose().as_str()).collect();
        self.taken = Some(lines.len());
        (!lines.is_empty()).then(|| Redacted::new(lines.join("\n")))
    }
}

impl Call {
    /// A line of the chat by somebody else, for a device that shows or reads them.
    pub(super) fn line(&mut self, text: Redacted<String>) {
        if self.settings.speaks {
            self.reading.push(text.expose());
        }
        if self.settings.text {
            self.acts.push_back(CallAct::Sip(sip::Command::Text { call: self.settings.call, text }));
        }
    }

    /// `*7`. Asked for again while the program is at work, it is not started twice.
    pub(super) fn read_aloud(&mut self) {
        if self.reading.taken.is_some() {
            return;
        }
        match self.reading.next() {
            Some(text) => self.acts.push_back(CallAct::Speak(text)),
            None => {
                self.reading.taken = None;
                self.say(Phrase::NoMessages);
            }
        }
    }

    /// The program is done; without a clip it has failed, and the lines wait for one more try.
    pub(super) fn spoken(&mut self, clip: Option<Clip>) {
        let taken = self.reading.taken.take().unwrap_or_default();
        if !matches!(self.phase, Phase::Meeting { .. }) || self.admitted.is_none() {
            return;
        }
        let failed = std::mem::replace(&mut self.reading.failed, clip.is_none()) && clip.is_none();
        if clip.is_some() || failed {
            self.reading.unread.drain(..taken.min(self.reading.unread.len()));
            self.reading.failed = false;
        }
        let Some(clip) = clip else { return self.say(Phrase::NotAvailable) };
        let mut clips = vec![clip];
        if !self.reading.unread.is_empty() {
            clips.extend(self.clips(&[Phrase::MoreMessages]));
        }
        self.play_clips(clips, PlayKind::Prompt);
    }
}
