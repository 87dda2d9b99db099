//! A device's call: its menu, its keys, its place in a meeting, from the answer to the end.
//!
//! [`Call`] is a machine: SIP events, keys and what was played come in, and the meeting's words; SIP commands, things to
//! play and words for the meeting go out. `task.rs` drives it; `router.rs` decides whom we answer at all.
//! Keeps K-1 to K-6, M-9, S-5 and N-3's way from a notice to its proof.

mod chat_readout;
mod dialog;
mod early_media;
mod effects;
mod failures;
mod history;
mod invite_limits;
mod keys;
mod log;
mod offer_answer;
mod outbound;
mod record;
mod registry;
pub mod router;
mod sms_opt_in;
mod task;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, NoticeId, PlayId};
use crate::common::machine::Machine;
use crate::common::phrase::Phrase;
use crate::common::rate_limit::{RateLimit, TokenBucket};
use crate::common::redact::Redacted;
use crate::media::{MediaEvent, Play, PlayKind, PlayOutcome, PortStats, Profile};
use crate::meeting::{FromGuest, ToGuest};
use crate::menu::{Addressed, DigitMeans, KeyPress, Keypad, KeypadInput, Menu, MenuInput};
use crate::prompt::{Clip, Library};
use crate::relay;
use crate::sip;

pub use failures::Failure;
pub use history::EndedCall;
pub use offer_answer::{OfferAnswer, RemoteMedia, profile};
pub use outbound::{Invitation, OutboundProgress, PROGRESS};
pub use registry::CallEntry;
pub use task::{Calls, CallsSettings, CallsView, RuntimeConfig};

/// How long the last words may take before the BYE goes out all the same.
const LAST_WORDS: Duration = Duration::from_secs(12);
/// Texts that a phone may send.
const TEXTS: RateLimit = RateLimit { burst: 10, every: Duration::from_secs(1) };
/// How long the port's figures are awaited after it was closed.
const FIGURES: Duration = Duration::from_secs(2);

/// What a call takes in.
#[derive(Debug)]
pub enum CallInput {
    /// From the SIP endpoint.
    Sip(sip::Event),
    /// From the media worker.
    Heard(MediaEvent),
    /// From the meeting.
    Meeting(ToGuest),
    /// The meeting that was knocked at is not there (any more).
    NoMeeting,
    /// No code of this caller opens a meeting for now (K-1).
    LockedOut,
    /// The same for the organiser's PIN (K-2).
    PinLocked,
    /// Ended from our side: the gateway stops (O-4), or the operator wants it.
    End(Cause),
    /// How the call goes on to the device that shall take this one's place (M-18).
    Transfer(OutboundProgress),
    /// Another call has taken this one's place (M-18).
    Replaced,
    /// [`CallAct::Speak`] is done; `None`: it could not be.
    Spoken(Option<Clip>),
}

/// What a call wants done.
#[derive(Debug)]
pub enum CallAct {
    /// By the SIP endpoint.
    Sip(sip::Command),
    /// On the port.
    Play(Play),
    /// On the port.
    StopPrompts,
    /// On the port: waiting music on or off.
    Music(bool),
    /// On the port.
    Reprofile(Profile),
    /// Knock at a meeting.
    Knock {
        /// Which.
        meeting: MeetingName,
        /// Its passcode was keyed in: it is a try for the lock-out (K-1).
        keyed: bool,
    },
    /// Said to the meeting.
    Guest(FromGuest),
    /// Call another device into this call's meeting, which shall take its place (M-18).
    Transfer {
        /// Its label.
        device: Arc<str>,
        /// A call of it with this one, to be taken over (RFC 3891).
        replaces: Option<String>,
    },
    /// Turn this into sound (`*7`).
    Speak(Redacted<String>),
    /// A conference ID or passcode was wrong: counted for caller and meeting (K-1).
    WrongTry(Option<MeetingName>),
    /// The organiser's PIN was keyed in (K-2): counted, and told to the meeting where it is right.
    Pin {
        /// Whether it is.
        right: bool,
    },
    /// Close the port.
    ClosePort,
    /// All is over.
    Done(Box<CallSummary>),
}

/// What is known of a call at its end, for its record (M-16).
#[derive(Debug, Clone)]
pub struct CallSummary {
    /// The meeting it came to, if it did.
    pub meeting: Option<MeetingName>,
    /// When its menu began.
    pub answered: Instant,
    /// When it knocked.
    pub knocked: Option<Instant>,
    /// When it was admitted.
    pub admitted: Option<Instant>,
    /// When sound first passed between it and the meeting.
    pub joined: Option<Instant>,
    /// When it ended.
    pub ended: Instant,
    /// Why.
    pub cause: Cause,
    /// Notices played to their end.
    pub notices: u32,
    /// Media.
    pub stats: PortStats,
}

/// What a call is given at its start.
pub struct CallSettings {
    /// Its name.
    pub call: CallId,
    /// The device's label.
    pub device: String,
    /// Its name, cleaned (M-4).
    pub name: String,
    /// Its display shows texts (C-10).
    pub text: bool,
    /// The chat can be read aloud.
    pub speaks: bool,
    /// Chat by SMS is to be had, with numbers keyed in like this (C-2).
    pub chat: Option<relay::NumberingPlan>,
    /// What was dialled.
    pub addressed: Addressed,
    /// The meetings a code may lead to.
    pub directory: Arc<crate::menu::Directory>,
    /// Organiser PINs by meeting.
    pub pins: Arc<BTreeMap<MeetingName, Redacted<String>>>,
    /// Voices.
    pub library: Arc<Library>,
    /// The device's language (K-5).
    pub language: String,
    /// What offer and answer have agreed on.
    pub offer_answer: OfferAnswer,
}

/// How far a call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallStage {
    /// It rings there (S-9).
    Calling,
    /// Not yet acknowledged by the device.
    Answering,
    /// In the menu (K-1).
    Menu,
    /// At a meeting's door.
    Waiting,
    /// Inside.
    In,
    /// Last words, or waiting for the media's figures.
    Leaving,
}

enum Phase {
    /// In the menu (K-1).
    Menu(Box<Menu>),
    /// At a meeting's door or inside.
    Meeting { keypad: Box<Keypad> },
    /// Last words are being said.
    Parting { words: PlayId, until: Instant },
    /// BYE said, port closing.
    Closing { until: Instant },
    /// Nothing follows.
    Over,
}

/// One device's call.
pub struct Call {
    settings: CallSettings,
    phase: Phase,
    /// What was handed to the player so far.
    plays: u64,
    notices: BTreeMap<PlayId, (NoticeId, Duration)>,
    menu_words: Option<PlayId>,
    cause: Option<Cause>,
    peer_gone: bool,
    answered: Instant,
    meeting: Option<MeetingName>,
    knocked: Option<Instant>,
    admitted: Option<Instant>,
    joined: Option<Instant>,
    notices_told: u32,
    texts: TokenBucket,
    texting: sms_opt_in::SmsOptIn,
    reading: chat_readout::ChatReadout,
    /// The device wants to know who is in the meeting (RFC 4575).
    watches: bool,
    stats: PortStats,
    acts: VecDeque<CallAct>,
}

impl Call {
    /// A call that has just been answered.
    #[must_use]
    pub fn new(now: Instant, settings: CallSettings) -> Self {
        let mut menu = Menu::new(Arc::clone(&settings.directory));
        menu.handle(now, MenuInput::Start { address: settings.addressed.clone() });
        let mut call = Self {
            settings,
            phase: Phase::Menu(Box::new(menu)),
            plays: 0,
            notices: BTreeMap::new(),
            menu_words: None,
            cause: None,
            peer_gone: false,
            answered: now,
            meeting: None,
            knocked: None,
            admitted: None,
            joined: None,
            notices_told: 0,
            texts: TokenBucket::new(TEXTS, now),
            texting: sms_opt_in::SmsOptIn::default(),
            reading: chat_readout::ChatReadout::default(),
            watches: false,
            stats: PortStats::default(),
            acts: VecDeque::new(),
        };
        call.follow_menu(now);
        call
    }

    /// How far it has come.
    #[must_use]
    pub const fn stage(&self) -> CallStage {
        match self.phase {
            Phase::Menu(_) => CallStage::Menu,
            Phase::Meeting { .. } if self.admitted.is_some() => CallStage::In,
            Phase::Meeting { .. } => CallStage::Waiting,
            Phase::Parting { .. } | Phase::Closing { .. } | Phase::Over => CallStage::Leaving,
        }
    }

    // === Voices ===

    fn clips(&self, phrases: &[Phrase]) -> Vec<Clip> {
        phrases.iter().map(|phrase| self.settings.library.clip(&self.settings.language, *phrase)).collect()
    }

    /// S-9: which meeting it is, by the number that people know it by, and how to come in.
    fn invitation(&self, conference_id: &str) -> Vec<Clip> {
        let mut clips = self.clips(&[Phrase::Invited]);
        if !conference_id.is_empty() {
            clips.extend(self.clips(&[Phrase::ItsNumberIs]));
            clips.extend(self.settings.library.digits(&self.settings.language, conference_id));
        }
        clips.extend(self.clips(&[Phrase::PressOneToJoin]));
        clips
    }

    fn play(&mut self, phrases: &[Phrase], kind: PlayKind) -> (PlayId, Duration) {
        self.play_clips(self.clips(phrases), kind)
    }

    fn play_clips(&mut self, clips: Vec<Clip>, kind: PlayKind) -> (PlayId, Duration) {
        self.plays += 1;
        let id = PlayId::from_number(self.plays);
        let length = clips.iter().map(Clip::duration).sum();
        self.acts.push_back(CallAct::Play(Play { id, clips, kind }));
        (id, length)
    }

    fn say(&mut self, phrase: Phrase) {
        self.play(&[phrase], PlayKind::Prompt);
    }

    // === The meeting's words ===

    fn meeting_says(&mut self, now: Instant, word: ToGuest) {
        if !matches!(self.phase, Phase::Meeting { .. }) {
            return;
        }
        match word {
            ToGuest::Waiting => self.acts.push_back(CallAct::Music(true)),
            ToGuest::Seated => {
                self.admitted = Some(now);
                if let Phase::Meeting { keypad } = &mut self.phase {
                    keypad.handle(now, KeypadInput::Inside(true));
                }
                self.acts.push_back(CallAct::Music(false));
                self.acts.push_back(CallAct::StopPrompts);
            }
            ToGuest::Joined => self.joined = self.joined.or(Some(now)),
            ToGuest::Say(phrase) => self.say(phrase),
            ToGuest::Tell { notice, phrases } => {
                let (play, length) = self.play(&phrases, PlayKind::Notice);
                self.notices.insert(play, (notice, length));
                self.show_notice(&phrases);
            }
            ToGuest::Show(text) => self.line(text),
            ToGuest::Sms(answer) => self.relay_says(now, &answer),
            ToGuest::SmsStopped => self.sms_stopped(),
            ToGuest::Roster(roster) => {
                self.acts.push_back(CallAct::Sip(sip::Command::Roster { call: self.settings.call, roster }));
            }
            ToGuest::Dismiss(cause) => self.part(now, cause, false),
        }
    }

    // === What was heard ===

    fn heard(&mut self, now: Instant, heard: MediaEvent) {
        match heard {
            MediaEvent::Flowing => {}
            MediaEvent::Digit(digit) => self.key(now, KeyPress::new(digit.into_inner(), DigitMeans::Rfc4733)),
            MediaEvent::Began { play } => {
                if let Some((notice, length)) = self.notices.get(&play).copied() {
                    self.acts.push_back(CallAct::Guest(FromGuest::Began { notice, length }));
                }
            }
            MediaEvent::Played { play, outcome, carried } => self.played(now, play, outcome, carried),
            MediaEvent::Reported { play, received_permille } => {
                if let Some((notice, _)) = self.notices.remove(&play) {
                    self.acts.push_back(CallAct::Guest(FromGuest::Reported { notice, received_permille }));
                }
            }
            MediaEvent::Silent(silence) => {
                if !self.settings.offer_answer.on_hold() {
                    tracing::info!(call = %self.settings.call, silent_s = silence.as_secs(), "no media");
                    self.part(now, Cause::MediaTimeout, true);
                }
            }
            MediaEvent::Closed(stats) => {
                self.stats = *stats;
                if matches!(self.phase, Phase::Closing { .. }) {
                    self.finish(now);
                }
            }
        }
    }

    fn played(&mut self, now: Instant, play: PlayId, outcome: PlayOutcome, carried: Option<crate::media::SentPackets>) {
        if let Some((notice, _)) = self.notices.get(&play).copied() {
            self.notices_told += u32::from(outcome == PlayOutcome::Completed);
            if outcome != PlayOutcome::Completed {
                self.notices.remove(&play);
            }
            self.acts.push_back(CallAct::Guest(FromGuest::Told { notice, outcome, carried }));
        } else if self.menu_words == Some(play) {
            self.menu_words = None;
            if let Phase::Menu(menu) = &mut self.phase {
                menu.handle(now, MenuInput::PromptsDone);
                self.follow_menu(now);
            }
        } else if matches!(&self.phase, Phase::Parting { words, .. } if *words == play) {
            self.close(now);
        }
    }

    // === The end ===

    /// Ends the call: last words where somebody hears them, then BYE. `tell`: the meeting does not know yet.
    fn part(&mut self, now: Instant, cause: Cause, tell: bool) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Over) {
            return;
        }
        if let Phase::Parting { .. } = self.phase {
            if self.peer_gone {
                self.close(now);
            }
            return;
        }
        self.cause = Some(cause);
        if tell && matches!(self.phase, Phase::Meeting { .. }) {
            self.acts.push_back(CallAct::Guest(if cause.is_own_will() { FromGuest::Left } else { FromGuest::Lost }));
        }
        self.acts.push_back(CallAct::StopPrompts);
        self.acts.push_back(CallAct::Music(false));
        match cause.verdict().phrase.filter(|_| !self.peer_gone) {
            Some(phrase) => {
                let (words, _) = self.play(&[phrase], PlayKind::Prompt);
                self.phase = Phase::Parting { words, until: now + LAST_WORDS };
            }
            None => self.close(now),
        }
    }

    fn close(&mut self, now: Instant) {
        if !self.peer_gone {
            let cause = self.cause.unwrap_or(Cause::HungUp);
            self.acts.push_back(CallAct::Sip(sip::Command::Bye { call: self.settings.call, cause }));
        }
        self.acts.push_back(CallAct::ClosePort);
        self.phase = Phase::Closing { until: now + FIGURES };
    }

    fn finish(&mut self, now: Instant) {
        self.phase = Phase::Over;
        self.acts.push_back(CallAct::Done(Box::new(CallSummary {
            meeting: self.meeting.clone(),
            answered: self.answered,
            knocked: self.knocked,
            admitted: self.admitted,
            joined: self.joined,
            ended: now,
            cause: self.cause.unwrap_or(Cause::HungUp),
            notices: self.notices_told,
            stats: self.stats,
        })));
    }
}

impl Machine for Call {
    type Input = CallInput;
    type Output = CallAct;

    fn handle(&mut self, now: Instant, input: CallInput) {
        match input {
            CallInput::Sip(event) => self.sip_says(now, event),
            CallInput::Heard(heard) => self.heard(now, heard),
            CallInput::Meeting(word) => self.meeting_says(now, word),
            CallInput::NoMeeting => self.part(now, Cause::MeetingEnded, false),
            CallInput::LockedOut => self.locked_out(now),
            CallInput::PinLocked => self.pin_locked(now),
            CallInput::End(cause) => self.part(now, cause, true),
            CallInput::Transfer(step) => self.transfer(now, step),
            CallInput::Replaced => self.part(now, Cause::Transferred, true),
            CallInput::Spoken(clip) => self.spoken(clip),
        }
    }

    fn wake(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Menu(menu) => {
                menu.wake(now);
                self.follow_menu(now);
            }
            Phase::Meeting { keypad } => {
                keypad.wake(now);
                self.follow_keypad(now);
            }
            Phase::Parting { until, .. } if *until <= now => self.close(now),
            Phase::Closing { until } if *until <= now => self.finish(now),
            Phase::Parting { .. } | Phase::Closing { .. } | Phase::Over => {}
        }
    }

    fn poll(&mut self) -> Option<CallAct> {
        self.acts.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Menu(menu) => menu.deadline(),
            Phase::Meeting { keypad } => keypad.deadline(),
            Phase::Parting { until, .. } | Phase::Closing { until } => Some(*until),
            Phase::Over => None,
        }
    }
}
