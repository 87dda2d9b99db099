//! [`SmppSession`]: one bound connection to a short message centre, without its socket.
//!
//! Frames of the centre and items to be submitted flow in; PDUs, outcomes and what people have written flow out. A centre that does
//! not answer is left.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rusmpp::{CommandId, CommandStatus, Pdu};
use zeroize::Zeroizing;

use super::pdu::{self, Delivery, PduFrame};
use super::settings::SmppSettings;
use crate::common::machine::Machine;
use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;
use crate::relay::provider::{DeliveryOutcome, OutgoingSms, SubmitOutcome};

/// How long the centre may take to answer. Longer than it sometimes hangs: what is given up must be sent twice (C-7).
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(75);
/// How long a throttled session rests.
const THROTTLED: Duration = Duration::from_secs(1);
/// Parts of messages that are not whole yet, and how long they are waited for.
const UNFINISHED: usize = 256;
const WHOLE_WITHIN: Duration = Duration::from_secs(5 * 60);

/// What happens to a [`SmppSession`].
#[derive(Debug)]
pub(super) enum SmppInput {
    Frame(PduFrame),
    /// To be submitted.
    Submit(OutgoingSms),
    /// What this `deliver_sm` has brought is safe.
    Taken(u32),
    /// We want to end it.
    Unbind,
}

/// What a [`SmppSession`] wants done.
#[derive(Debug)]
pub(super) enum SmppOutput {
    /// A bind among them carries our password.
    Write(Zeroizing<Vec<u8>>),
    /// So many items may be unanswered from now on.
    Takes(usize),
    Bound,
    /// How the submit of this item has ended.
    Outcome(u64, SubmitOutcome),
    /// What has become of a message.
    Receipt {
        name: String,
        fate: DeliveryOutcome,
    },
    /// Somebody has written this.
    Received {
        from: PhoneNumber,
        text: Redacted<String>,
    },
    /// Say [`SmppInput::Taken`] when what was put out before is safe.
    Secure(u32),
    Close(SmppSessionEnd),
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum SmppSessionEnd {
    #[error("the centre does not let us in ({0:?}): see system_id and password")]
    NotLetIn(CommandStatus),
    #[error("the centre does not answer")]
    Silent,
    #[error("the centre has ended it")]
    Unbound,
    #[error("we have ended it")]
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Binding { until: Instant },
    Bound,
    Unbinding { until: Instant },
    Closed,
}

/// A message of which parts are missing.
#[derive(Debug)]
struct Unfinished {
    parts: BTreeMap<u8, Redacted<String>>,
    until: Instant,
}

#[derive(Debug)]
pub(super) struct SmppSession {
    settings: SmppSettings,
    from: PhoneNumber,
    state: State,
    sequence: u32,
    /// By sequence number: the item's id, and since when.
    unanswered: BTreeMap<u32, (u64, Instant)>,
    /// An `enquire_link` of ours is out since then.
    asked: Option<Instant>,
    heard: Instant,
    rests_until: Option<Instant>,
    unfinished: BTreeMap<(PhoneNumber, u8, u8), Unfinished>,
    outputs: VecDeque<SmppOutput>,
}

impl SmppSession {
    /// Over a connection that has just been made.
    pub(super) fn new(now: Instant, settings: SmppSettings, from: PhoneNumber) -> Self {
        let state = State::Binding { until: now + ANSWERS_WITHIN };
        let bind = pdu::bind(&settings.login);
        let mut session = Self {
            settings,
            from,
            state,
            sequence: 0,
            unanswered: BTreeMap::new(),
            asked: None,
            heard: now,
            rests_until: None,
            unfinished: BTreeMap::new(),
            outputs: VecDeque::new(),
        };
        session.ask(bind);
        session
    }

    /// What was submitted and never answered: the centre may have it or not (C-7).
    pub(super) fn unanswered(&self) -> impl Iterator<Item = u64> {
        self.unanswered.values().map(|(id, _)| *id)
    }

    fn ask(&mut self, pdu: Pdu) -> u32 {
        // Section 3.2: 1 to 7FFFFFFF, counted up.
        self.sequence = self.sequence % 0x7FFF_FFFF + 1;
        self.outputs.push_back(SmppOutput::Write(pdu::write(CommandStatus::EsmeRok, self.sequence, pdu).into()));
        self.sequence
    }

    fn answer(&mut self, status: CommandStatus, sequence: u32, pdu: Pdu) {
        self.outputs.push_back(SmppOutput::Write(pdu::write(status, sequence, pdu).into()));
    }

    fn taken(&mut self, sequence: u32) {
        self.answer(CommandStatus::EsmeRok, sequence, pdu::delivered());
    }

    fn close(&mut self, why: SmppSessionEnd) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.outputs.push_back(SmppOutput::Close(why));
        }
    }

    fn frame(&mut self, now: Instant, frame: PduFrame) {
        self.heard = now;
        let command = match frame {
            PduFrame::Command(command) => command,
            PduFrame::Unreadable { id, sequence } => {
                if CommandId::from(id) == CommandId::DeliverSm {
                    // Left unanswered it would come again and again.
                    return self.answer(CommandStatus::EsmeRxPAppn, sequence, pdu::delivered());
                }
                return;
            }
        };
        let (status, sequence) = (command.status(), command.sequence_number());
        match command.pdu() {
            Some(Pdu::EnquireLink) => self.answer(CommandStatus::EsmeRok, sequence, Pdu::EnquireLinkResp),
            Some(Pdu::EnquireLinkResp) => self.asked = None,
            Some(Pdu::Unbind) => {
                self.answer(CommandStatus::EsmeRok, sequence, Pdu::UnbindResp);
                self.close(SmppSessionEnd::Unbound);
            }
            Some(Pdu::DeliverSm(deliver)) => {
                let before = self.outputs.len();
                self.delivered(now, pdu::delivery(deliver, &self.from));
                if self.outputs.len() > before {
                    self.outputs.push_back(SmppOutput::Secure(sequence));
                } else {
                    // A part of something: the others may come only after the answer.
                    self.taken(sequence);
                }
            }
            pdu => {
                let name = match pdu {
                    Some(Pdu::SubmitSmResp(answer)) => answer.message_id().as_str().to_owned(),
                    _ => String::new(),
                };
                self.answered(now, (command.id(), status), sequence, name);
            }
        }
    }

    /// An answer; one that says no comes without a body often.
    fn answered(&mut self, now: Instant, (id, status): (CommandId, CommandStatus), sequence: u32, name: String) {
        match (id, self.state) {
            (CommandId::BindTransceiverResp | CommandId::GenericNack, State::Binding { .. }) => {
                if id == CommandId::BindTransceiverResp && status == CommandStatus::EsmeRok {
                    self.state = State::Bound;
                    self.outputs.extend([SmppOutput::Bound, SmppOutput::Takes(self.settings.window)]);
                } else {
                    self.close(SmppSessionEnd::NotLetIn(status));
                }
            }
            (CommandId::UnbindResp, _) => self.close(SmppSessionEnd::Done),
            (CommandId::SubmitSmResp | CommandId::GenericNack, _) => self.submitted(now, status, sequence, name),
            _ => {}
        }
    }

    fn submitted(&mut self, now: Instant, status: CommandStatus, sequence: u32, name: String) {
        let Some((id, _)) = self.unanswered.remove(&sequence) else { return };
        let outcome = match status {
            CommandStatus::EsmeRok => SubmitOutcome::Accepted { name: (!name.is_empty()).then_some(name) },
            CommandStatus::EsmeRthrottled | CommandStatus::EsmeRmsgqful => {
                self.rests_until = Some(now + THROTTLED);
                self.outputs.push_back(SmppOutput::Takes(0));
                SubmitOutcome::Later
            }
            CommandStatus::EsmeRsyserr => SubmitOutcome::Later,
            refused => SubmitOutcome::Refused(format!("{refused:?}")),
        };
        self.outputs.push_back(SmppOutput::Outcome(id, outcome));
    }

    fn submit(&mut self, now: Instant, sms: &OutgoingSms) {
        let rests = self.rests_until.is_some_and(|until| until > now);
        if self.state != State::Bound || rests || self.unanswered.len() >= self.settings.window {
            // It was given while this was on its way to whoever gave it.
            return self.outputs.push_back(SmppOutput::Outcome(sms.id, SubmitOutcome::Later));
        }
        let sequence = self.ask(pdu::submit(&self.from, sms));
        self.unanswered.insert(sequence, (sms.id, now));
    }

    fn delivered(&mut self, now: Instant, delivery: Delivery) {
        match delivery {
            Delivery::Nothing => {}
            Delivery::Receipt { name, state } => {
                self.outputs.push_back(SmppOutput::Receipt { name, fate: pdu::fate(&state) });
            }
            Delivery::Part { from, total: 1, text, .. } => self.outputs.push_back(SmppOutput::Received { from, text }),
            Delivery::Part { from, reference, total, number, text } => {
                let key = (from, reference, total);
                if self.unfinished.len() >= UNFINISHED && !self.unfinished.contains_key(&key) {
                    return;
                }
                let new = || Unfinished { parts: BTreeMap::new(), until: now + WHOLE_WITHIN };
                let unfinished = self.unfinished.entry(key.clone()).or_insert_with(new);
                unfinished.parts.insert(number, text);
                if unfinished.parts.len() == usize::from(total)
                    && let Some(whole) = self.unfinished.remove(&key)
                {
                    let text: String = whole.parts.into_values().map(Redacted::into_inner).collect();
                    self.outputs.push_back(SmppOutput::Received { from: key.0, text: Redacted::new(text) });
                }
            }
        }
    }

    /// What is whole as far as it goes, when the rest does not come: better read in part than not at all.
    fn give_up_waiting(&mut self, now: Instant) {
        let late: Vec<_> = self.unfinished.iter().filter(|(_, u)| u.until <= now).map(|(key, _)| key.clone()).collect();
        for key in late {
            let Some(unfinished) = self.unfinished.remove(&key) else { continue };
            let parts: Vec<String> = unfinished.parts.into_values().map(Redacted::into_inner).collect();
            self.outputs.push_back(SmppOutput::Received { from: key.0, text: Redacted::new(parts.join(" … ")) });
        }
    }

    fn oldest_question(&self) -> Option<Instant> {
        self.unanswered.values().map(|(_, at)| *at).chain(self.asked).min()
    }
}

impl Machine for SmppSession {
    type Input = SmppInput;
    type Output = SmppOutput;

    fn handle(&mut self, now: Instant, input: SmppInput) {
        match input {
            SmppInput::Submit(sms) if self.state == State::Closed => {
                self.outputs.push_back(SmppOutput::Outcome(sms.id, SubmitOutcome::Later));
            }
            _ if self.state == State::Closed => {}
            SmppInput::Frame(frame) => self.frame(now, frame),
            SmppInput::Submit(sms) => self.submit(now, &sms),
            SmppInput::Taken(sequence) => self.taken(sequence),
            SmppInput::Unbind if self.state == State::Bound => {
                self.ask(Pdu::Unbind);
                self.state = State::Unbinding { until: now + ANSWERS_WITHIN };
            }
            SmppInput::Unbind => self.close(SmppSessionEnd::Done),
        }
    }

    fn wake(&mut self, now: Instant) {
        match self.state {
            State::Closed => return,
            State::Binding { until } | State::Unbinding { until } if until <= now => return self.close(SmppSessionEnd::Silent),
            _ => {}
        }
        if self.oldest_question().is_some_and(|at| at + ANSWERS_WITHIN <= now) {
            return self.close(SmppSessionEnd::Silent);
        }
        if self.rests_until.is_some_and(|until| until <= now) {
            self.rests_until = None;
            self.outputs.push_back(SmppOutput::Takes(self.settings.window));
        }
        self.give_up_waiting(now);
        if self.state == State::Bound && self.asked.is_none() && self.heard + self.settings.enquire_every <= now {
            self.asked = Some(now);
            self.ask(Pdu::EnquireLink);
        }
    }

    fn poll(&mut self) -> Option<SmppOutput> {
        self.outputs.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        let state = match self.state {
            State::Closed => return None,
            State::Binding { until } | State::Unbinding { until } => Some(until),
            State::Bound => None,
        };
        let enquire = (self.state == State::Bound && self.asked.is_none()).then(|| self.heard + self.settings.enquire_every);
        let answer = self.oldest_question().map(|at| at + ANSWERS_WITHIN);
        let whole = self.unfinished.values().map(|unfinished| unfinished.until).min();
        [state, enquire, answer, self.rests_until, whole].into_iter().flatten().min()
    }
}
