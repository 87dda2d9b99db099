//! `*4`: somebody at the table has the chat sent to a mobile phone (C-2, K-2). The number is asked for and read back, the code that is
//! texted to it is asked for, and each step is confirmed by voice.

use std::time::{Duration, Instant};

use super::established::{EstablishedCall, EstablishedPhase};
use super::messages::CallAct;
use super::sms_opt_in_stage::SmsOptIn;
use crate::common::machine::Machine;
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;
use crate::media::PlayKind;
use crate::meeting::{FromGuest, SmsKeyed};
use crate::menu::KeypadInput;
use crate::relay::RelayAnswer;

/// How long the first digit of a number is awaited; the question takes some of it.
const NUMBER_WITHIN: Duration = Duration::from_secs(30);
/// How long the first digit of a code is awaited: a message takes its time, and so does finding the phone.
const CODE_WITHIN: Duration = Duration::from_secs(180);
/// Numbers keyed in that are none, one after the other.
const TRIES: u8 = 3;

impl EstablishedCall {
    /// `*4`: asks for a number, or ends what there is.
    pub(super) fn toggle_chat(&mut self, now: Instant) {
        match self.texting {
            SmsOptIn::Waiting => {}
            SmsOptIn::On => {
                self.texting = SmsOptIn::Waiting;
                self.acts.push_back(CallAct::Guest(FromGuest::Sms(SmsKeyed::Stop)));
            }
            SmsOptIn::Off | SmsOptIn::Number { .. } | SmsOptIn::Code => {
                self.texting = SmsOptIn::Number { wrong: 0 };
                self.collect(now, &[Phrase::EnterMobileNumber], NUMBER_WITHIN);
            }
        }
    }

    /// What was keyed in; nothing, when the time was over.
    pub(super) fn collected(&mut self, now: Instant, digits: Redacted<String>) {
        let nothing = digits.expose().is_empty();
        match self.texting {
            SmsOptIn::Number { .. } | SmsOptIn::Code if nothing => self.texting_over(Phrase::ChatNotSet),
            SmsOptIn::Number { wrong } => match self.settings.chat.as_ref().and_then(|home| home.number(&digits)) {
                Some(number) => {
                    self.texting = SmsOptIn::Waiting;
                    self.acts.push_back(CallAct::Guest(FromGuest::Sms(SmsKeyed::Number(number))));
                }
                None if wrong + 1 >= TRIES => self.texting_over(Phrase::ChatNotSet),
                None => {
                    self.texting = SmsOptIn::Number { wrong: wrong + 1 };
                    self.collect(now, &[Phrase::MobileNumberWrong, Phrase::EnterMobileNumber], NUMBER_WITHIN);
                }
            },
            SmsOptIn::Code => {
                self.texting = SmsOptIn::Waiting;
                self.acts.push_back(CallAct::Guest(FromGuest::Sms(SmsKeyed::Code(digits))));
            }
            SmsOptIn::Off | SmsOptIn::Waiting | SmsOptIn::On => {}
        }
    }

    /// The relay's answer.
    pub(super) fn take_relay_answer(&mut self, now: Instant, told: &RelayAnswer) {
        if !self.is_at_meeting() {
            return;
        }
        match told {
            RelayAnswer::CodeSent(number) => {
                self.texting = SmsOptIn::Code;
                let mut clips = self.clips(&[Phrase::CodeSentTo]);
                clips.extend(self.settings.library.digits(&self.settings.language, number.expose()));
                clips.extend(self.clips(&[Phrase::EnterTextedCode]));
                self.play_clips(clips, PlayKind::Prompt);
                self.await_digits(now, CODE_WITHIN);
            }
            RelayAnswer::CodeWrong => {
                self.texting = SmsOptIn::Code;
                self.collect(now, &[Phrase::TextedCodeWrong, Phrase::EnterTextedCode], CODE_WITHIN);
            }
            RelayAnswer::On => {
                self.texting = SmsOptIn::On;
                self.say(Phrase::ChatOn);
            }
            RelayAnswer::Off => self.texting_over(Phrase::ChatOff),
            RelayAnswer::CodeGone => self.texting_over(Phrase::ChatNotSet),
            RelayAnswer::TooMany | RelayAnswer::Trouble => self.texting_over(Phrase::TextNotSent),
        }
    }

    /// Stopped by SMS. Nothing is said: whoever has stopped it knows, and the others go on with their meeting.
    pub(super) fn sms_stopped(&mut self) {
        if self.texting == SmsOptIn::On {
            self.texting = SmsOptIn::Off;
        }
    }

    fn texting_over(&mut self, said: Phrase) {
        self.texting = SmsOptIn::Off;
        self.say(said);
    }

    fn collect(&mut self, now: Instant, question: &[Phrase], within: Duration) {
        self.play(question, PlayKind::Prompt);
        self.await_digits(now, within);
    }

    fn await_digits(&mut self, now: Instant, within: Duration) {
        if let EstablishedPhase::Meeting { keypad } = &mut self.phase {
            keypad.handle(now, KeypadInput::Collect(within));
        }
    }
}
