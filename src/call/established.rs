//! A call that has media, from its menu to its end: [`EstablishedCall`].
//!
//! Keys, texts and requests of the device, its meeting's messages and what was played come in; things to play, messages for the meeting
//! and SIP commands go out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chat_readout::ChatReadout;
use super::messages::{CallAct, CallEnd, CallInput, CallSummary};
use super::offer_answer::OfferAnswer;
use super::registry::CallStage;
use super::settings::CallSettings;
use super::setup::EarlyRequests;
use super::sms_opt_in_stage::SmsOptIn;
use crate::codec::CodecKind;
use crate::common::cause::Cause;
use crate::common::ids::{MeetingName, NoticeId, PlayId};
use crate::common::machine::Machine;
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;
use crate::common::rate_limit::{RateLimit, TokenBucket};
use crate::common::redact::Redacted;
use crate::media::{MediaEvent, Play, PlayKind, PortStats, SentPackets};
use crate::meeting::{FromGuest, ToGuest};
use crate::menu::{DigitFilter, DigitMeans, KeyPress, Keypad, KeypadInput, Menu, MenuInput};
use crate::prompt::Clip;
use crate::sip;

/// How long the last words may take before the BYE goes out all the same.
const LAST_WORDS: Duration = Duration::from_secs(12);
/// Texts that a phone may send.
const TEXTS: RateLimit = RateLimit { burst: 10, every: Duration::from_secs(1) };
/// How long the port's figures are awaited after it was closed.
const FIGURES: Duration = Duration::from_secs(2);

pub(super) enum EstablishedPhase {
    /// In the menu (K-1).
    Menu(Box<Menu>),
    /// At a meeting's door or inside.
    Meeting { keypad: Box<Keypad> },
    /// Last words are being said.
    Parting { prompt: PlayId, until: Instant },
    /// BYE said, port closing.
    Closing { until: Instant },
    /// Nothing follows.
    Over,
}

/// A call with sound both ways.
pub(super) struct EstablishedCall {
    pub(super) settings: CallSettings,
    pub(super) offer_answer: OfferAnswer,
    /// Presses through the whole call: one that opens the meeting may be reported again inside (K-3).
    pub(super) presses: DigitFilter,
    pub(super) phase: EstablishedPhase,
    codec: CodecKind,
    /// What was handed to the player so far.
    plays: u64,
    notices: BTreeMap<PlayId, (NoticeId, Duration)>,
    /// What the menu says, until it is said.
    pub(super) menu_prompt: Option<PlayId>,
    cause: Option<Cause>,
    /// SIP has ended the call: there is nobody left to say BYE to.
    pub(super) peer_gone: bool,
    answered: Instant,
    pub(super) meeting: Option<MeetingName>,
    pub(super) knocked: Option<Instant>,
    pub(super) admitted: Option<Instant>,
    joined: Option<Instant>,
    notices_told: u32,
    pub(super) texts: TokenBucket,
    pub(super) texting: SmsOptIn,
    pub(super) readout: ChatReadout,
    /// The device wants to know who is in the meeting (RFC 4575).
    pub(super) watches: bool,
    stats: PortStats,
    pub(super) acts: VecDeque<CallAct>,
}

impl EstablishedCall {
    /// A call whose port has just been opened. [`EstablishedCall::begin`] or [`EstablishedCall::end`] comes next.
    pub(super) fn new(now: Instant, settings: CallSettings, offer_answer: OfferAnswer, codec: CodecKind) -> Self {
        let menu = Menu::new(Arc::clone(&settings.directory));
        Self {
            settings,
            offer_answer,
            presses: DigitFilter::default(),
            phase: EstablishedPhase::Menu(Box::new(menu)),
            codec,
            plays: 0,
            notices: BTreeMap::new(),
            menu_prompt: None,
            cause: None,
            peer_gone: false,
            answered: now,
            meeting: None,
            knocked: None,
            admitted: None,
            joined: None,
            notices_told: 0,
            texts: TokenBucket::new(TEXTS, now),
            texting: SmsOptIn::default(),
            readout: ChatReadout::default(),
            watches: false,
            stats: PortStats::default(),
            acts: VecDeque::new(),
        }
    }

    /// Begins the menu, with what the device has asked for already.
    pub(super) fn begin(&mut self, now: Instant, early: EarlyRequests) {
        self.watches = early.watches;
        if let EstablishedPhase::Menu(menu) = &mut self.phase {
            menu.handle(now, MenuInput::Start { address: self.settings.addressed.clone() });
        }
        self.follow_menu(now);
        for digit in early.keys {
            self.key(now, KeyPress::new(digit, DigitMeans::Info));
        }
    }

    /// Ends it from our side or, where the peer is gone, from theirs.
    pub(super) fn end(&mut self, now: Instant, cause: Cause, peer_gone: bool) {
        self.peer_gone |= peer_gone;
        self.part(now, cause, true);
    }

    /// How far it has come.
    pub(super) const fn stage(&self) -> CallStage {
        match self.phase {
            EstablishedPhase::Menu(_) => CallStage::Menu,
            EstablishedPhase::Meeting { .. } if self.admitted.is_some() => CallStage::In,
            EstablishedPhase::Meeting { .. } => CallStage::Waiting,
            EstablishedPhase::Parting { .. } | EstablishedPhase::Closing { .. } | EstablishedPhase::Over => CallStage::Leaving,
        }
    }

    /// It stands at a meeting's door, or is inside.
    pub(super) const fn is_at_meeting(&self) -> bool {
        matches!(self.phase, EstablishedPhase::Meeting { .. })
    }

    // === Voices ===

    pub(super) fn clips(&self, phrases: &[Phrase]) -> Vec<Clip> {
        phrases.iter().map(|phrase| self.settings.library.clip(&self.settings.language, *phrase)).collect()
    }

    /// S-9: which meeting it is, by the number that people know it by, and how to come in.
    pub(super) fn invitation(&self, conference_id: &str) -> Vec<Clip> {
        let mut clips = self.clips(&[Phrase::Invited]);
        if !conference_id.is_empty() {
            clips.extend(self.clips(&[Phrase::ItsNumberIs]));
            clips.extend(self.settings.library.digits(&self.settings.language, conference_id));
        }
        clips.extend(self.clips(&[Phrase::PressOneToJoin]));
        clips
    }

    pub(super) fn play(&mut self, phrases: &[Phrase], kind: PlayKind) -> (PlayId, Duration) {
        self.play_clips(self.clips(phrases), kind)
    }

    pub(super) fn play_clips(&mut self, clips: Vec<Clip>, kind: PlayKind) -> (PlayId, Duration) {
        self.plays += 1;
        let id = PlayId::from_number(self.plays);
        let length = clips.iter().map(Clip::duration).sum();
        self.acts.push_back(CallAct::Play(Play { id, clips, kind }));
        (id, length)
    }

    pub(super) fn say(&mut self, phrase: Phrase) {
        self.play(&[phrase], PlayKind::Prompt);
    }

    // === The meeting's messages ===

    fn meeting_message(&mut self, now: Instant, message: ToGuest) {
        if !self.is_at_meeting() {
            return;
        }
        match message {
            ToGuest::Waiting => self.acts.push_back(CallAct::Music(true)),
            ToGuest::Seated => {
                self.admitted = Some(now);
                if let EstablishedPhase::Meeting { keypad } = &mut self.phase {
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
            ToGuest::Show(text) => self.show(text),
            ToGuest::Sms(answer) => self.take_relay_answer(now, &answer),
            ToGuest::SmsStopped => self.sms_stopped(),
            ToGuest::Roster(roster) => {
                self.acts.push_back(CallAct::Sip(sip::Command::Roster { call: self.settings.call, roster }));
            }
            ToGuest::Dismiss(cause) => self.part(now, cause, false),
        }
    }

    /// A line of the chat by somebody else, for a device that shows or reads them.
    fn show(&mut self, text: Redacted<String>) {
        if self.settings.speaks {
            self.readout.push(text.expose());
        }
        if self.settings.text {
            self.acts.push_back(CallAct::Sip(sip::Command::Text { call: self.settings.call, text }));
        }
    }

    // === Media events ===

    fn media_event(&mut self, now: Instant, event: MediaEvent) {
        match event {
            MediaEvent::Flowing => {}
            MediaEvent::Encrypted(encryption) => self.acts.push_back(CallAct::ShowEncryption(encryption)),
            MediaEvent::NotEncrypted(error) => {
                tracing::info!(call = %self.settings.call, %error, "no keys by DTLS");
                self.part(now, error.cause(), true);
            }
            MediaEvent::Digit(digit) => self.key(now, KeyPress::new(digit.into_inner(), DigitMeans::Rfc4733)),
            MediaEvent::DigitReleased(digit) => {
                self.presses.release(now, KeyPress::new(digit.into_inner(), DigitMeans::Rfc4733));
            }
            MediaEvent::InbandDigit(digit) => self.key(now, KeyPress::new(digit.into_inner(), DigitMeans::Inband)),
            MediaEvent::InbandReleased(digit) => {
                self.presses.release(now, KeyPress::new(digit.into_inner(), DigitMeans::Inband));
            }
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
                // A listener is muted most of the time, and many devices then send nothing: signalling tells whether it is there.
                if !self.offer_answer.on_hold()
                    && matches!(self.phase, EstablishedPhase::Menu(_) | EstablishedPhase::Meeting { .. })
                {
                    tracing::debug!(call = %self.settings.call, silent_s = silence.as_secs(), "no media: the device is asked by OPTIONS");
                    self.acts.push_back(CallAct::Sip(sip::Command::Probe { call: self.settings.call }));
                }
            }
            MediaEvent::Closed(stats) => {
                self.stats = *stats;
                if matches!(self.phase, EstablishedPhase::Closing { .. }) {
                    self.finish(now);
                }
            }
        }
    }

    /// Shows a notice on the display and in the chat by SMS as well, where its phrases have texts (N-10).
    fn show_notice(&mut self, phrases: &[Phrase]) {
        let (library, language) = (&self.settings.library, &self.settings.language);
        let texts: Vec<_> = phrases.iter().filter_map(|phrase| library.text(language, *phrase)).collect();
        if texts.is_empty() || self.admitted.is_none() {
            return;
        }
        let text = texts.join(" ");
        let call = self.settings.call;
        if self.settings.text {
            self.acts.push_back(CallAct::Sip(sip::Command::Text { call, text: Redacted::new(text.clone()) }));
        }
        if self.settings.chat.is_some() {
            self.acts.push_back(CallAct::Guest(FromGuest::NoticeText(Redacted::new(text))));
        }
    }

    fn played(&mut self, now: Instant, play: PlayId, outcome: PlayOutcome, carried: Option<SentPackets>) {
        if let Some((notice, _)) = self.notices.get(&play).copied() {
            self.notices_told += u32::from(outcome == PlayOutcome::Completed);
            if outcome != PlayOutcome::Completed {
                self.notices.remove(&play);
            }
            self.acts.push_back(CallAct::Guest(FromGuest::Told { notice, outcome, carried }));
        } else if self.menu_prompt == Some(play) {
            self.menu_prompt = None;
            if let EstablishedPhase::Menu(menu) = &mut self.phase {
                menu.handle(now, MenuInput::PromptsDone);
                self.follow_menu(now);
            }
        } else if matches!(&self.phase, EstablishedPhase::Parting { prompt, .. } if *prompt == play) {
            self.close(now);
        }
    }

    // === The end ===

    /// Ends the call: last words where somebody hears them, then BYE. `tell`: the meeting does not know yet.
    pub(super) fn part(&mut self, now: Instant, cause: Cause, tell: bool) {
        if matches!(self.phase, EstablishedPhase::Closing { .. } | EstablishedPhase::Over) {
            return;
        }
        if let EstablishedPhase::Parting { .. } = self.phase {
            if self.peer_gone {
                self.close(now);
            }
            return;
        }
        self.cause = Some(cause);
        if tell && self.is_at_meeting() {
            self.acts.push_back(CallAct::Guest(if cause.is_own_will() { FromGuest::Left } else { FromGuest::Lost }));
        }
        self.acts.push_back(CallAct::StopPrompts);
        self.acts.push_back(CallAct::Music(false));
        match cause.verdict().phrase.filter(|_| !self.peer_gone) {
            Some(phrase) => {
                let (prompt, _) = self.play(&[phrase], PlayKind::Prompt);
                self.phase = EstablishedPhase::Parting { prompt, until: now + LAST_WORDS };
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
        self.phase = EstablishedPhase::Closing { until: now + FIGURES };
    }

    fn finish(&mut self, now: Instant) {
        self.phase = EstablishedPhase::Over;
        self.acts.push_back(CallAct::Done(CallEnd::Ended(Box::new(CallSummary {
            meeting: self.meeting.clone(),
            codec: self.codec,
            answered: self.answered,
            knocked: self.knocked,
            admitted: self.admitted,
            joined: self.joined,
            ended: now,
            cause: self.cause.unwrap_or(Cause::HungUp),
            notices: self.notices_told,
            stats: self.stats,
        }))));
    }
}

impl Machine for EstablishedCall {
    type Input = CallInput;
    type Output = CallAct;

    fn handle(&mut self, now: Instant, input: CallInput) {
        match input {
            CallInput::Sip(event) => self.sip_event(now, event),
            CallInput::Media(event) => self.media_event(now, event),
            CallInput::Meeting(message) => self.meeting_message(now, message),
            CallInput::NoMeeting => self.part(now, Cause::MeetingEnded, false),
            CallInput::LockedOut => self.locked_out(now),
            CallInput::PinLocked => self.pin_locked(now),
            CallInput::End(cause) => self.part(now, cause, true),
            CallInput::Stalled => self.end(now, Cause::Stalled, true),
            CallInput::Transfer(step) => self.transfer(now, step),
            CallInput::Replaced => self.part(now, Cause::Transferred, true),
            CallInput::Spoken(clip) => self.spoken(clip),
            // Results of the set-up, which is over.
            CallInput::TargetFound(_)
            | CallInput::NoTarget(_)
            | CallInput::PortReserved(_)
            | CallInput::PortNotReserved(_)
            | CallInput::NamesLookedUp { .. }
            | CallInput::PortOpened
            | CallInput::PortNotOpened => {}
        }
    }

    fn wake(&mut self, now: Instant) {
        match &mut self.phase {
            EstablishedPhase::Menu(menu) => {
                menu.wake(now);
                self.follow_menu(now);
            }
            EstablishedPhase::Meeting { keypad } => {
                keypad.wake(now);
                self.follow_keypad(now);
            }
            EstablishedPhase::Parting { until, .. } if *until <= now => self.close(now),
            EstablishedPhase::Closing { until } if *until <= now => self.finish(now),
            EstablishedPhase::Parting { .. } | EstablishedPhase::Closing { .. } | EstablishedPhase::Over => {}
        }
    }

    fn poll(&mut self) -> Option<CallAct> {
        self.acts.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            EstablishedPhase::Menu(menu) => menu.deadline(),
            EstablishedPhase::Meeting { keypad } => keypad.deadline(),
            EstablishedPhase::Parting { until, .. } | EstablishedPhase::Closing { until } => Some(*until),
            EstablishedPhase::Over => None,
        }
    }
}
