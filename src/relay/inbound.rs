//! What comes from the holders of numbers: keywords, and words for the one meeting in which their device is (C-2, C-5, C-6).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::{Keyword, Number, Output, Relay, State, plain};
use crate::budget::{Allowance, Budget, Budgets};
use crate::ids::CallId;
use crate::redact::Redacted;

/// Messages of providers that are remembered: one that comes twice counts once (C-6).
const REMEMBERED: usize = 4096;
/// Answers of our own to one number that is in no meeting (C-5).
const ANSWERS: Allowance = Allowance { burst: 1, every: Duration::from_secs(24 * 3600) };
/// Answers to keywords: a machine at the other end must not make two of us talk for ever.
const KEYWORDS: Allowance = Allowance { burst: 4, every: Duration::from_secs(15 * 60) };
/// The same text from one number: what is more is a loop (C-6).
const SAME: Allowance = Allowance { burst: 2, every: Duration::from_secs(30) };
/// Join codes from one number, and altogether: there are a million of them, and some are right.
const JOINS: Allowance = Allowance { burst: 5, every: Duration::from_secs(120) };
const ALL_JOINS: Allowance = Allowance { burst: 100, every: Duration::from_secs(5) };
/// Numbers that are told apart in each of these; beyond, they share one allowance.
const NUMBERS: usize = 4096;
/// How long a text waits for the answer to which meeting it is for.
const ASKED_FOR: Duration = Duration::from_secs(10 * 60);
/// Octets of what one number has written so, from which on nothing is added to it.
const LONGEST: usize = 2000;
/// Numbers whose texts wait so; more are refused by the same question anew.
const WAITING: usize = 256;

/// What inbound messages have left behind.
#[derive(Debug)]
pub(super) struct Inbound {
    /// Numbers whose holders have said STOP: nothing is sent to them until they say START.
    pub(super) stopped: BTreeSet<Number>,
    seen: VecDeque<String>,
    answers: Budgets<Number>,
    keywords: Budgets<Number>,
    same: Budgets<(Number, Redacted<String>)>,
    joins: Budgets<Number>,
    all_joins: Budget,
    /// Texts for one of several meetings, until their writers have said which.
    asked: BTreeMap<Number, (Redacted<String>, Instant)>,
}

impl Inbound {
    pub(super) fn new(now: Instant, stopped: BTreeSet<Number>) -> Self {
        Self {
            stopped,
            seen: VecDeque::new(),
            answers: Budgets::new(ANSWERS, NUMBERS, now),
            keywords: Budgets::new(KEYWORDS, NUMBERS, now),
            same: Budgets::new(SAME, NUMBERS, now),
            joins: Budgets::new(JOINS, NUMBERS, now),
            all_joins: Budget::new(ALL_JOINS, now),
            asked: BTreeMap::new(),
        }
    }

    /// Whether a provider's message is new; it is remembered.
    fn is_new(&mut self, id: Option<String>) -> bool {
        let Some(id) = id else { return true };
        if self.seen.contains(&id) {
            return false;
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(id);
        true
    }
}

impl Relay {
    pub(super) fn received(&mut self, now: Instant, id: Option<String>, from: &Number, text: &str) {
        if *from == self.settings.number || !self.inbound.is_new(id) {
            return;
        }
        if let Some(keyword) = Keyword::of(text) {
            return self.keyword(now, from, keyword);
        }
        let text = plain(text);
        if let Some(call) = self.join_code(now, from, &text) {
            return self.join(now, call, from);
        }
        if text.is_empty() || !self.inbound.same.take(now, (from.clone(), Redacted::new(text.clone()))) {
            return;
        }
        match self.calls_of(from, |state| matches!(state, State::On)).as_slice() {
            [] => self.nobody(now, from),
            [one] => self.post(*one, from, text),
            many => self.which(now, from, text, many),
        }
    }

    fn post(&mut self, call: CallId, by: &Number, text: String) {
        self.outputs.push_back(Output::Post { call, by: by.clone(), text: Redacted::new(text) });
    }

    /// The device whose join code this text is, with a word before it or not. Nobody tries codes out: what is over the allowance is a text
    /// like any other, and so is a code of nobody.
    fn join_code(&mut self, now: Instant, from: &Number, text: &str) -> Option<CallId> {
        let code = text.split_whitespace().last().filter(|_| text.split_whitespace().count() <= 2)?;
        let is_code = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
        if !is_code || !self.inbound.joins.take(now, from.clone()) || !self.inbound.all_joins.take(now) {
            return None;
        }
        self.joined_by(code)
    }

    /// C-5: one answer a day, and the text goes nowhere.
    fn nobody(&mut self, now: Instant, from: &Number) {
        if !self.inbound.stopped.contains(from) && self.inbound.answers.take(now, from.clone()) {
            let text =
                format!("{}: you are in no meeting at the moment, so nobody has got your message.", self.settings.organisation);
            self.send(None, from.clone(), &text);
        }
    }

    /// C-5: the same number at several devices.
    fn which(&mut self, now: Instant, from: &Number, text: String, inside: &[CallId]) {
        self.inbound.asked.retain(|_, (_, until)| *until > now);
        let choice = text.parse::<usize>().ok();
        let chosen = choice.and_then(|n| inside.get(n.checked_sub(1)?)).copied();
        let text = match (chosen, choice, self.inbound.asked.remove(from)) {
            (Some(call), _, Some((asked, _))) => return self.post(call, from, asked.into_inner()),
            // A number that was not offered is no part of the text.
            (None, Some(_), Some((asked, _))) => asked.into_inner(),
            (_, None, Some((asked, _))) if asked.expose().len() < LONGEST => format!("{}\n{text}", asked.expose()),
            (_, None, Some((asked, _))) => asked.into_inner(),
            (_, _, None) => text,
        };
        if self.inbound.asked.len() < WAITING {
            self.inbound.asked.insert(from.clone(), (Redacted::new(text), now + ASKED_FOR));
        }
        let devices =
            inside.iter().enumerate().filter_map(|(n, call)| Some(format!("{} for {}", n + 1, self.rooms.get(call)?.name)));
        let question = format!("Which room do you write for? Answer {}.", devices.collect::<Vec<_>>().join(", "));
        if self.inbound.keywords.take(now, from.clone()) {
            self.send(None, from.clone(), &question);
        }
    }

    fn keyword(&mut self, now: Instant, from: &Number, keyword: Keyword) {
        let name = self.settings.organisation.clone();
        let text = match keyword {
            Keyword::Stop => {
                for call in self.calls_of(from, |_| true) {
                    self.silence(call, from);
                    if self.is_keyed(call, from) {
                        self.outputs.push_back(Output::Ended { call });
                    }
                }
                self.outputs.push_back(Output::Hush { number: from.clone() });
                self.inbound.asked.remove(from);
                self.inbound.stopped.insert(from.clone());
                self.outputs.push_back(Output::Stopped { number: from.clone(), stopped: true });
                format!("{name}: you will get no more messages. Answer START to allow them again.")
            }
            Keyword::Start => {
                self.inbound.stopped.remove(from);
                self.outputs.push_back(Output::Stopped { number: from.clone(), stopped: false });
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
        if welcome && self.inbound.keywords.take(now, from.clone()) {
            self.send(None, from.clone(), &text);
        }
    }
}
