//! What keys do (K-1, K-2): before the door in the menu, inside on the keypad.

use std::time::Instant;

use super::established::{EstablishedCall, EstablishedPhase};
use super::messages::CallAct;
use crate::common::cause::Cause;
use crate::common::machine::Machine as _;
use crate::common::phrase::Phrase;
use crate::media::PlayKind;
use crate::meeting::FromGuest;
use crate::menu::{KeyCommand, KeyPress, Keymap, Keypad, KeypadInput, KeypadRights, MenuInput, MenuOutput};
use crate::policy::Switch;
use crate::prompt::Clip;

impl EstablishedCall {
    pub(super) fn follow_menu(&mut self, now: Instant) {
        loop {
            let EstablishedPhase::Menu(menu) = &mut self.phase else { return };
            match menu.poll() {
                None => return,
                Some(MenuOutput::Play(phrases)) => {
                    let (id, _) = self.play(&phrases, PlayKind::Prompt);
                    self.menu_prompt = Some(id);
                }
                Some(MenuOutput::Invite { conference_id }) => {
                    let clips = self.invitation(&conference_id);
                    let (id, _) = self.play_clips(clips, PlayKind::Prompt);
                    self.menu_prompt = Some(id);
                }
                Some(MenuOutput::StopPlaying) => {
                    self.menu_prompt = None;
                    self.acts.push_back(CallAct::StopPrompts);
                }
                Some(MenuOutput::WrongTry { meeting }) => self.acts.push_back(CallAct::WrongTry(meeting)),
                Some(MenuOutput::Chosen { meeting, keyed }) => {
                    let pin = self.settings.pins.get(&meeting).cloned();
                    let keypad = Keypad::new(Keymap::default(), pin, self.has());
                    self.phase = EstablishedPhase::Meeting { keypad: Box::new(keypad) };
                    self.meeting = Some(meeting.clone());
                    self.knocked = Some(now);
                    self.acts.push_back(CallAct::Knock { meeting, keyed });
                    if self.watches {
                        self.acts.push_back(CallAct::Guest(FromGuest::Watch(true)));
                    }
                    if self.offer_answer.on_hold() {
                        self.acts.push_back(CallAct::Guest(FromGuest::Hold(true)));
                    }
                }
                Some(MenuOutput::Failed(cause)) => self.part(now, cause, true),
            }
        }
    }

    /// K-1: a right code opens nothing while no code of its caller is looked at.
    pub(super) fn locked_out(&mut self, now: Instant) {
        match &mut self.phase {
            EstablishedPhase::Menu(menu) => {
                menu.handle(now, MenuInput::LockedOut);
                self.follow_menu(now);
            }
            _ => self.part(now, Cause::TooManyTries, true),
        }
    }

    /// K-2: the call goes on, without the organiser's powers.
    pub(super) fn pin_locked(&mut self, now: Instant) {
        if let EstablishedPhase::Meeting { keypad } = &mut self.phase {
            keypad.handle(now, KeypadInput::LockedOut);
            self.follow_keypad(now);
        }
    }

    /// A report of a key; of each press one counts (K-3).
    pub(super) fn key(&mut self, now: Instant, press: KeyPress) {
        if !self.presses.accept(now, press) {
            return;
        }
        match &mut self.phase {
            EstablishedPhase::Menu(menu) => {
                menu.handle(now, MenuInput::Digit(press));
                self.follow_menu(now);
            }
            EstablishedPhase::Meeting { keypad } => {
                keypad.handle(now, KeypadInput::Press(press));
                self.follow_keypad(now);
            }
            EstablishedPhase::Parting { .. } | EstablishedPhase::Closing { .. } | EstablishedPhase::Over => {}
        }
    }

    pub(super) fn follow_keypad(&mut self, now: Instant) {
        loop {
            let EstablishedPhase::Meeting { keypad } = &mut self.phase else { return };
            let Some(command) = keypad.poll() else { return };
            // The answer to a key is not kept waiting behind earlier words.
            self.acts.push_back(CallAct::StopPrompts);
            match command {
                KeyCommand::Help => self.help(),
                KeyCommand::Read => self.read_aloud(),
                KeyCommand::Chat => self.toggle_chat(now),
                KeyCommand::Digits(digits) => self.collected(now, digits),
                KeyCommand::ToggleHand => self.acts.push_back(CallAct::Guest(FromGuest::Hand(Switch::Toggle))),
                KeyCommand::ToggleMute => self.acts.push_back(CallAct::Guest(FromGuest::Mute(Switch::Toggle))),
                KeyCommand::AdmitAll => self.acts.push_back(CallAct::Guest(FromGuest::AdmitAll)),
                KeyCommand::AskPin => self.say(Phrase::EnterPin),
                KeyCommand::PinAccepted => {
                    self.acts.push_back(CallAct::Pin { right: true });
                    self.say(Phrase::PinAccepted);
                }
                KeyCommand::PinWrong => {
                    self.acts.push_back(CallAct::Pin { right: false });
                    self.say(Phrase::PinWrong);
                }
                KeyCommand::PinLocked => self.say(Phrase::PinLocked),
                KeyCommand::NotAvailable => self.say(Phrase::NotAvailable),
                KeyCommand::Leave => self.part(now, Cause::Left, true),
            }
        }
    }

    pub(super) fn has(&self) -> KeypadRights {
        KeypadRights { chat: self.settings.chat.is_some(), speech: self.settings.speaks }
    }

    /// `*1`: the keys that are there.
    fn help(&mut self) {
        let (has, inside) = (self.has(), self.admitted.is_some());
        let mut phrases = vec![Phrase::Help];
        phrases.extend((inside && has.chat).then_some(Phrase::HelpChat));
        phrases.extend((inside && has.speech).then_some(Phrase::HelpRead));
        self.play(&phrases, PlayKind::Prompt);
    }

    /// `*7`. Asked for again while the program is at work, it is not started twice.
    fn read_aloud(&mut self) {
        if self.readout.is_busy() {
            return;
        }
        match self.readout.take() {
            Some(text) => self.acts.push_back(CallAct::Speak(text)),
            None => self.say(Phrase::NoMessages),
        }
    }

    /// The program has turned lines of the chat into sound; `None`: it has failed.
    pub(super) fn spoken(&mut self, clip: Option<Clip>) {
        if !self.is_at_meeting() || self.admitted.is_none() {
            return self.readout.drop_taken();
        }
        let has_more = self.readout.done(clip.is_some());
        let Some(clip) = clip else { return self.say(Phrase::NotAvailable) };
        let mut clips = vec![clip];
        if has_more {
            clips.extend(self.clips(&[Phrase::MoreMessages]));
        }
        self.play_clips(clips, PlayKind::Prompt);
    }
}
