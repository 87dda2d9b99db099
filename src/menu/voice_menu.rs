//! [`Menu`]: the voice menu before a meeting is known (K-1). Pure; time is an input.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq;

use crate::common::cause::Cause;
use crate::common::ids::MeetingName;
use crate::common::machine::Machine;
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;

use super::digit_filter::KeyPress;

/// Time between digits of a code, after which what is there is taken (K-3).
pub const BETWEEN_DIGITS: Duration = Duration::from_secs(5);
/// Silence after a prompt until it is repeated.
pub const SILENCE: Duration = Duration::from_secs(15);
/// Wrong tries of one code, in all (K-1).
pub const TRIES: u8 = 3;
/// Repeats into silence before the call ends.
const REPEATS: u8 = 3;
/// A prompt whose end nobody reports counts as over after this long.
const LONGEST_PROMPT: Duration = Duration::from_secs(60);
/// Digits of a code that are kept. Longer codes exist nowhere; a longer entry is wrong.
const LONGEST_CODE: usize = 32;

/// One meeting, as callers know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: MeetingName,
    /// What is keyed in.
    pub conference_id: String,
    /// What is asked for then.
    pub passcode: Option<Redacted<String>>,
}

/// The meetings that can be reached by keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Directory {
    entries: Vec<Entry>,
}

impl Directory {
    /// These meetings. Of two with the same conference ID the first is found; the configuration's check refuses that.
    #[must_use]
    pub const fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// The meeting with this conference ID.
    #[must_use]
    pub fn by_conference_id(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.conference_id == id)
    }

    /// The meeting of this name.
    #[must_use]
    pub fn by_name(&self, name: &MeetingName) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == *name)
    }
}

/// What the dialled address selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// Nothing: the menu asks.
    Nothing,
    /// A meeting; the conference ID is not asked for.
    Meeting {
        /// Which.
        name: MeetingName,
        /// The passcode, where the address or the device's own entry carries one (K-1).
        passcode: Option<Redacted<String>>,
    },
    /// Nobody dialled: the device is called into this meeting, and whoever answers accepts or declines (S-9).
    Invited {
        /// Which.
        name: MeetingName,
    },
}

/// What happens to a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MenuInput {
    /// The call is answered.
    Start {
        /// The selection of its address.
        address: Addressed,
    },
    /// A press of a key, of which a [`DigitFilter`](super::DigitFilter) has let one report through (K-3).
    Digit(KeyPress),
    /// What was to be played has been played to its end.
    PromptsDone,
    /// The source or the meeting is locked out ([`Lockout`]): nothing is tried any more.
    LockedOut,
}

/// What a menu wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MenuOutput {
    /// Play these, then report [`MenuInput::PromptsDone`].
    Play(Vec<Phrase>),
    /// Say that this is an invitation, to which meeting, and how to come in; then report [`MenuInput::PromptsDone`].
    Invite {
        /// The meeting's conference ID; empty where it has none.
        conference_id: String,
    },
    /// Stop playing: the caller has begun to key in. No report is awaited.
    StopPlaying,
    /// A code was wrong; for the [`Lockout`]. Comes before the outcome it leads to.
    WrongTry {
        /// The meeting, when it was a passcode.
        meeting: Option<MeetingName>,
    },
    /// The menu is done: this meeting, and every code it asks for was right. What plays may play on.
    Chosen {
        /// Which.
        meeting: MeetingName,
        /// Its passcode was keyed in by the caller, and counts as a try.
        keyed: bool,
    },
    /// The menu is done: the call ends, with the phrase of [`Cause::verdict`].
    Failed(Cause),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Idle,
    ConferenceId,
    Passcode { meeting: MeetingName, passcode: Redacted<String> },
    Invited { meeting: MeetingName, conference_id: String },
    Done,
}

/// Keys gathered for one code.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) digits: Redacted<String>,
    pub(super) too_long: bool,
}

impl Code {
    pub(super) fn push(&mut self, digit: char) {
        let digits = self.digits.expose_mut();
        if digits.len() < LONGEST_CODE {
            // As long as it may become: a buffer that grows leaves copies of itself behind.
            digits.reserve_exact(LONGEST_CODE - digits.len());
            digits.push(digit);
        } else {
            self.too_long = true;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.digits.expose().is_empty()
    }

    /// Whether this is `code`.
    pub(super) fn is(&self, code: &Redacted<String>) -> bool {
        same_code(self.digits.expose(), code.expose()) && !self.too_long
    }
}

/// Compares two codes in a time that does not depend on where they differ. An empty code opens nothing.
fn same_code(given: &str, right: &str) -> bool {
    bool::from(given.as_bytes().ct_eq(right.as_bytes())) && !right.is_empty()
}

/// The voice menu of one call, until a meeting is chosen (K-1).
#[derive(Debug)]
pub struct Menu {
    directory: Arc<Directory>,
    step: Step,
    code: Code,
    wrong: u8,
    repeats: u8,
    playing: bool,
    deadline: Option<Instant>,
    /// Bounded by what one input can cause: at most four.
    outputs: VecDeque<MenuOutput>,
}

impl Menu {
    /// A menu that knows these meetings.
    #[must_use]
    pub fn new(directory: Arc<Directory>) -> Self {
        Self {
            directory,
            step: Step::Idle,
            code: Code::default(),
            wrong: 0,
            repeats: 0,
            playing: false,
            deadline: None,
            outputs: VecDeque::new(),
        }
    }

    fn start(&mut self, now: Instant, address: Addressed) {
        if self.step != Step::Idle {
            return;
        }
        let (name, supplied, invited) = match address {
            Addressed::Nothing => {
                self.step = Step::ConferenceId;
                return self.play(now, vec![Phrase::Welcome, Phrase::EnterConferenceId]);
            }
            Addressed::Meeting { name, passcode } => (name, passcode, false),
            Addressed::Invited { name } => (name, None, true),
        };
        let Some(entry) = self.directory.by_name(&name).cloned() else {
            return self.finish(MenuOutput::Failed(Cause::UnknownAddress));
        };
        if invited {
            self.step = Step::Invited { meeting: name, conference_id: entry.conference_id };
            return self.ask(now, None);
        }
        match (entry.passcode, supplied) {
            (Some(right), Some(given)) if !same_code(given.expose(), right.expose()) => {
                self.outputs.push_back(MenuOutput::WrongTry { meeting: Some(name.clone()) });
                self.ask_passcode(name, right);
                self.wrong = 1;
                self.play(now, vec![Phrase::Welcome, Phrase::PasscodeWrong, Phrase::EnterPasscode]);
            }
            (Some(right), None) => {
                self.ask_passcode(name, right);
                self.play(now, vec![Phrase::Welcome, Phrase::EnterPasscode]);
            }
            (Some(_), Some(_)) | (None, _) => {
                self.play(now, vec![Phrase::Welcome]);
                self.finish(MenuOutput::Chosen { meeting: name, keyed: false });
            }
        }
    }

    fn ask_passcode(&mut self, meeting: MeetingName, passcode: Redacted<String>) {
        self.step = Step::Passcode { meeting, passcode };
        self.wrong = 0;
        self.repeats = 0;
    }

    fn digit(&mut self, now: Instant, press: KeyPress) {
        if matches!(self.step, Step::Idle | Step::Done) {
            return;
        }
        if std::mem::take(&mut self.playing) {
            self.outputs.push_back(MenuOutput::StopPlaying);
        }
        self.repeats = 0;
        if let Step::Invited { meeting, .. } = &self.step {
            return match press.digit() {
                '1' => self.finish(MenuOutput::Chosen { meeting: meeting.clone(), keyed: false }),
                '2' => self.finish(MenuOutput::Failed(Cause::Declined)),
                _ => self.ask(now, Some(Phrase::NotAvailable)),
            };
        }
        match press.digit() {
            '#' => return self.submit(now),
            // The usual way to begin a code anew.
            '*' => self.code = Code::default(),
            digit if digit.is_ascii_digit() => self.code.push(digit),
            _ => {}
        }
        let wait = if self.code.is_empty() { SILENCE } else { BETWEEN_DIGITS };
        self.deadline = now.checked_add(wait);
    }

    fn submit(&mut self, now: Instant) {
        let code = std::mem::take(&mut self.code);
        if code.is_empty() {
            return self.ask(now, None);
        }
        match self.step.clone() {
            Step::ConferenceId => match self.directory.by_conference_id(code.digits.expose()).filter(|_| !code.too_long).cloned()
            {
                Some(Entry { name, passcode: Some(passcode), .. }) => {
                    self.ask_passcode(name, passcode);
                    self.ask(now, None);
                }
                Some(Entry { name, passcode: None, .. }) => self.finish(MenuOutput::Chosen { meeting: name, keyed: false }),
                None => self.wrong(now, None, Phrase::ConferenceIdUnknown),
            },
            Step::Passcode { meeting, passcode } if code.is(&passcode) => {
                self.finish(MenuOutput::Chosen { meeting, keyed: true })
            }
            Step::Passcode { meeting, .. } => self.wrong(now, Some(meeting), Phrase::PasscodeWrong),
            Step::Idle | Step::Invited { .. } | Step::Done => {}
        }
    }

    fn wrong(&mut self, now: Instant, meeting: Option<MeetingName>, said: Phrase) {
        self.outputs.push_back(MenuOutput::WrongTry { meeting });
        self.wrong = self.wrong.saturating_add(1);
        if self.wrong >= TRIES {
            self.finish(MenuOutput::Failed(Cause::TooManyTries));
        } else {
            self.ask(now, Some(said));
        }
    }

    fn ask(&mut self, now: Instant, first: Option<Phrase>) {
        let question = match &self.step {
            Step::ConferenceId => Phrase::EnterConferenceId,
            Step::Passcode { .. } => Phrase::EnterPasscode,
            Step::Invited { conference_id, .. } => {
                let conference_id = conference_id.clone();
                self.outputs.extend(first.map(|first| MenuOutput::Play(vec![first])));
                self.outputs.push_back(MenuOutput::Invite { conference_id });
                return self.speaks(now);
            }
            Step::Idle | Step::Done => return,
        };
        self.play(now, first.into_iter().chain([question]).collect());
    }

    fn play(&mut self, now: Instant, phrases: Vec<Phrase>) {
        self.outputs.push_back(MenuOutput::Play(phrases));
        self.speaks(now);
    }

    fn speaks(&mut self, now: Instant) {
        self.playing = true;
        self.deadline = now.checked_add(LONGEST_PROMPT);
    }

    fn finish(&mut self, output: MenuOutput) {
        self.step = Step::Done;
        self.code = Code::default();
        self.playing = false;
        self.deadline = None;
        self.outputs.push_back(output);
    }
}

impl Machine for Menu {
    type Input = MenuInput;
    type Output = MenuOutput;

    fn handle(&mut self, now: Instant, input: MenuInput) {
        self.wake(now);
        match input {
            MenuInput::Start { address } => self.start(now, address),
            MenuInput::Digit(press) => self.digit(now, press),
            MenuInput::PromptsDone if self.playing => {
                self.playing = false;
                self.deadline = now.checked_add(SILENCE);
            }
            // The report of a prompt that was stopped.
            MenuInput::PromptsDone => {}
            MenuInput::LockedOut if self.step != Step::Done => self.finish(MenuOutput::Failed(Cause::TooManyTries)),
            MenuInput::LockedOut => {}
        }
    }

    fn wake(&mut self, now: Instant) {
        if self.deadline.is_none_or(|at| at > now) {
            return;
        }
        self.deadline = None;
        if self.playing {
            self.playing = false;
            self.deadline = now.checked_add(SILENCE);
        } else if !self.code.is_empty() {
            self.submit(now);
        } else if self.repeats >= REPEATS {
            self.finish(MenuOutput::Failed(Cause::NoInput));
        } else {
            self.repeats = self.repeats.saturating_add(1);
            self.ask(now, None);
        }
    }

    fn poll(&mut self) -> Option<MenuOutput> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

#[cfg(test)]
mod tests;
