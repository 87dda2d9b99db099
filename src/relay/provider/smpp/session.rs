//! [`SmppSession`]: one bound connection to a short message centre, without its socket.
//!
//! Frames of the centre and items to be submitted flow in; PDUs, outcomes and what people have written flow out. A centre that does
//! not answer is left.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rusmpp::{CommandId, CommandStatus, Pdu};
use zeroize::Zeroizing;

use super::deliver::{Delivery, InboundMessage};
use super::pdu::{self, PduFrame};
use super::reassembly::{Reassembly, Whole};
use super::settings::SmppSettings;
use crate::common::machine::Machine;
use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;
use crate::relay::provider::{DeliveryOutcome, OutgoingSms, SubmitOutcome};

/// How long the centre may take to answer. Longer than it sometimes hangs: what is given up must be sent twice (C-7).
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(75);
/// How long a throttled session rests.
const THROTTLED: Duration = Duration::from_secs(1);

/// What happens to a [`SmppSession`].
#[derive(Debug)]
pub(super) enum SmppInput {
    Frame(PduFrame),
    /// To be submitted.
    Submit(OutgoingSms),
    /// What this delivery has brought is safe.
    Taken(DeliveryRef),
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
        outcome: DeliveryOutcome,
    },
    /// Somebody has written this.
    Received {
        from: PhoneNumber,
        text: Redacted<String>,
    },
    /// Say [`SmppInput::Taken`] when what was put out before is safe.
    Secure(DeliveryRef),
    /// A message in this `data_coding` was no text.
    Unreadable(u8),
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

/// A delivery that is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DeliveryRef {
    /// As the centre numbers it.
    pub(super) sequence: u32,
    /// By `data_sm`, which has an answer of its own.
    pub(super) is_data: bool,
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
    reassembly: Reassembly,
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
            reassembly: Reassembly::default(),
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

    fn taken(&mut self, delivery: DeliveryRef) {
        self.answer(CommandStatus::EsmeRok, delivery.sequence, pdu::delivered(delivery.is_data));
    }

    fn close(&mut self, why: SmppSessionEnd) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.outputs.push_back(SmppOutput::Close(why));
        }
    }

    fn frame(&mut self, now: Instant, frame: &PduFrame) {
        self.heard = now;
        let sequence = frame.sequence;
        match frame.id {
            CommandId::EnquireLink => self.answer(CommandStatus::EsmeRok, sequence, Pdu::EnquireLinkResp),
            CommandId::EnquireLinkResp => self.asked = None,
            CommandId::Unbind => {
                self.answer(CommandStatus::EsmeRok, sequence, Pdu::UnbindResp);
                self.close(SmppSessionEnd::Unbound);
            }
            CommandId::DeliverSm | CommandId::DataSm => self.delivery(now, frame),
            // Neither has an answer (sections 4.1.7 and 4.12.1).
            CommandId::Outbind | CommandId::AlertNotification => {}
            id if frame.is_response() => {
                let name = if id == CommandId::SubmitSmResp { frame.message_id() } else { String::new() };
                self.answered(now, (id, frame.status), sequence, name);
            }
            // Section 3.3.
            _ => self.answer(CommandStatus::EsmeRinvcmdid, sequence, Pdu::GenericNack),
        }
    }

    fn delivery(&mut self, now: Instant, frame: &PduFrame) {
        let is_data = frame.id == CommandId::DataSm;
        let read = if is_data { InboundMessage::data_sm } else { InboundMessage::deliver_sm };
        let Some(message) = read(&frame.body) else {
            // Left unanswered it would come again and again.
            return self.answer(CommandStatus::EsmeRxPAppn, frame.sequence, pdu::delivered(is_data));
        };
        let (before, delivery) = (self.outputs.len(), DeliveryRef { sequence: frame.sequence, is_data });
        self.delivered(now, message.delivery(&self.from));
        if self.outputs.len() > before {
            self.outputs.push_back(SmppOutput::Secure(delivery));
        } else {
            // A part of something: the others may come only after the answer.
            self.taken(delivery);
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
            Delivery::Nobody => {}
            Delivery::Unreadable(data_coding) => self.outputs.push_back(SmppOutput::Unreadable(data_coding)),
            Delivery::Receipt { name, state } => {
                self.outputs.push_back(SmppOutput::Receipt { name, outcome: pdu::outcome(&state) });
            }
            Delivery::Part(part) => {
                let whole = self.reassembly.push(now, part);
                self.received(whole);
            }
        }
    }

    fn received(&mut self, whole: Vec<Whole>) {
        self.outputs.extend(whole.into_iter().map(|Whole { from, text }| SmppOutput::Received { from, text }));
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
            SmppInput::Frame(frame) => self.frame(now, &frame),
            SmppInput::Submit(sms) => self.submit(now, &sms),
            SmppInput::Taken(delivery) => self.taken(delivery),
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
        let late = self.reassembly.expire(now);
        self.received(late);
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
        [state, enquire, answer, self.rests_until, self.reassembly.deadline()].into_iter().flatten().min()
    }
}
