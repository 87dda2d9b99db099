//! What comes from the holders of numbers: keywords, and texts for the one meeting in which their device is (C-2, C-5, C-6).

use std::time::{Duration, Instant};

use super::subscription::{State, plain};
use super::{DailyNeed, Keyword, PhoneNumber, Relay, RelayOutput};
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;

/// How long a text waits for the answer to which meeting it is for.
const ASKED_FOR: Duration = Duration::from_secs(10 * 60);
/// Octets of what one number has written so, from which on nothing is added to it.
const LONGEST: usize = 2000;
/// Numbers whose texts wait so; more are refused by the same question anew.
const WAITING: usize = 256;

impl Relay {
    pub(super) fn received(&mut self, now: Instant, id: Option<String>, from: &PhoneNumber, text: &str) {
        let reads =
            !self.presences_of(from, |state| matches!(state, State::Pending { .. } | State::Proving | State::On)).is_empty();
        if *from == self.settings.number || !self.inbound.is_new(reads, id) {
            return;
        }
        if let Some(keyword) = Keyword::of(text) {
            return self.keyword(now, from, keyword, reads);
        }
        let text = plain(text);
        if let Some(participant) = self.joined_by(now, from, &text) {
            return self.join(now, participant, from);
        }
        if text.is_empty() {
            return;
        }
        let inside = self.presences_of(from, |state| matches!(state, State::On));
        // Strangers, of whom there may be many, leave no texts behind.
        if !inside.is_empty() && !self.inbound.same.take(now, (from.clone(), Redacted::new(text.clone()))) {
            return;
        }
        match inside.as_slice() {
            // Who waits to be confirmed was told so.
            [] if reads => {}
            [] => self.nobody(now, from),
            [one] => self.post(*one, from, text),
            many => self.which(now, from, text, many),
        }
    }

    fn post(&mut self, participant: ParticipantId, by: &PhoneNumber, text: String) {
        self.outputs.push_back(RelayOutput::Post { participant, by: by.clone(), text: Redacted::new(text) });
    }

    /// C-5: one answer a day, and the text goes nowhere. A number's answer is not spent on a moment in which nobody gets one.
    fn nobody(&mut self, now: Instant, from: &PhoneNumber) {
        let allowed = self.settings.prefixes.allow(from) && !self.inbound.stopped.contains(from);
        if allowed && self.inbound.strangers_answers.has(now) && self.inbound.answers.take(now, from.clone()) {
            let text =
                format!("{}: you are in no meeting at the moment, so nobody has got your message.", self.settings.organisation);
            self.answer_stranger(now, from, &text);
        }
    }

    fn answer_stranger(&mut self, now: Instant, from: &PhoneNumber, text: &str) {
        // Who may not be written to takes no answer from who may.
        if self.settings.prefixes.allow(from) && self.inbound.strangers_answers.take(now) {
            self.send(now, None, from.clone(), text, DailyNeed::Wanted);
        }
    }

    /// What a keyword, or a text for one of several meetings, is answered.
    fn answer(&mut self, now: Instant, from: &PhoneNumber, text: &str, reads: bool) {
        if !self.inbound.limits(reads).keywords.take(now, from.clone()) {
            return;
        }
        if reads {
            let meeting = self
                .presences_of(from, |_| true)
                .first()
                .and_then(|participant| Some(self.devices.get(participant)?.meeting.clone()));
            self.send_for(now, (None, meeting), from.clone(), text, DailyNeed::Owed);
        } else {
            self.answer_stranger(now, from, text);
        }
    }

    /// C-5: the same number at several devices.
    fn which(&mut self, now: Instant, from: &PhoneNumber, text: String, inside: &[ParticipantId]) {
        self.inbound.asked.retain(|_, (_, until)| *until > now);
        let choice = text.parse::<usize>().ok();
        let chosen = choice.and_then(|n| inside.get(n.checked_sub(1)?)).copied();
        let text = match (chosen, choice, self.inbound.asked.remove(from)) {
            (Some(participant), _, Some((asked, _))) => return self.post(participant, from, asked.into_inner()),
            // A number that was not offered is no part of the text.
            (None, Some(_), Some((asked, _))) => asked.into_inner(),
            (_, None, Some((asked, _))) if asked.expose().len() < LONGEST => format!("{}\n{text}", asked.expose()),
            (_, None, Some((asked, _))) => asked.into_inner(),
            (_, _, None) => text,
        };
        if self.inbound.asked.len() < WAITING {
            self.inbound.asked.insert(from.clone(), (Redacted::new(text), now + ASKED_FOR));
        }
        let devices = inside
            .iter()
            .enumerate()
            .filter_map(|(n, participant)| Some(format!("{} for {}", n + 1, self.devices.get(participant)?.name)));
        let question = format!("Which room do you write for? Answer {}.", devices.collect::<Vec<_>>().join(", "));
        self.answer(now, from, &question, true);
    }

    fn keyword(&mut self, now: Instant, from: &PhoneNumber, keyword: Keyword, reads: bool) {
        let name = self.settings.organisation.clone();
        let text = match keyword {
            Keyword::Stop => {
                for participant in self.presences_of(from, |_| true) {
                    self.silence(participant, from);
                    if self.is_keyed(participant, from) {
                        self.outputs.push_back(RelayOutput::Ended { participant });
                    }
                }
                self.outputs.push_back(RelayOutput::DropNumber { number: from.clone() });
                self.inbound.asked.remove(from);
                if self.inbound.stopped.insert(from.clone()) {
                    self.outputs.push_back(RelayOutput::Stopped { number: from.clone(), stopped: true });
                }
                format!("{name}: you will get no more messages. Answer START to allow them again.")
            }
            Keyword::Start => {
                if self.inbound.stopped.remove(from) {
                    self.outputs.push_back(RelayOutput::Stopped { number: from.clone(), stopped: false });
                }
                format!("{name}: messages are allowed again. To get the chat of a meeting, press *4 on its phone. STOP ends it.")
            }
            Keyword::Help => {
                format!(
                    "{name}: the chat of the meeting that you have joined by phone. What you answer goes to it. STOP ends it."
                )
            }
        };
        // The law of many places wants the answer to STOP; to anybody else who has said it before, nothing is said.
        let welcome = keyword == Keyword::Stop || !self.inbound.stopped.contains(from);
        if welcome {
            self.answer(now, from, &text, reads);
        }
    }
}
