//! The chat of a meeting (C-1): it lives here, in memory, and ends with the meeting (C-8).
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: lines carry the time of day")]

use std::collections::{BTreeMap, VecDeque};
use std::time::SystemTime;

use super::{Guest, MeetingAct, MeetingTask};
use crate::common::ids::ParticipantId;
use crate::common::machine;
use crate::common::redact::Redacted;
use crate::common::units::unix_millis;
use crate::meeting::ToGuest;
use crate::meeting::messages::{ChatLine, MeetingRefusal, OPERATOR, OPERATOR_ID, Role, Standing, Texted, ToPage};
use crate::policy::Asker;
use crate::relay;
use crate::relay::driver::LineProgress;
use crate::relay::outbox;
use crate::store::ChatCopy;

/// Lines kept for those who join later.
const KEPT: usize = 500;
/// Lines that somebody who joins is shown.
const SHOWN: usize = 30;
/// The longest line, in characters.
const LONGEST: usize = 4_000;

/// The lines so far, and how far they have come by SMS.
#[derive(Debug, Default)]
pub(super) struct MeetingChat {
    lines: VecDeque<ChatLine>,
    count: u64,
    /// Of each line that is kept, by the message that brings it.
    texted: BTreeMap<u64, BTreeMap<u64, outbox::LineDelivery>>,
}

impl MeetingChat {
    pub(super) fn lines(&self) -> Vec<ChatLine> {
        self.lines.iter().cloned().collect()
    }

    fn push(&mut self, line: ChatLine) {
        self.lines.push_back(line);
        if self.lines.len() > KEPT
            && let Some(gone) = self.lines.pop_front()
        {
            self.texted.remove(&gone.id);
        }
    }

    /// Counts a message of a line; `None`: the line is no longer kept, or nothing has changed.
    fn texted(&mut self, progress: LineProgress) -> Option<Texted> {
        let line = self.lines.iter_mut().find(|line| line.id == progress.line)?;
        let messages = self.texted.entry(progress.line).or_default();
        messages.insert(progress.message, progress.standing);
        let mut texted = Texted::default();
        for standing in messages.values() {
            *match standing {
                outbox::LineDelivery::Waiting => &mut texted.waiting,
                outbox::LineDelivery::Sent => &mut texted.sent,
                outbox::LineDelivery::Delivered => &mut texted.delivered,
                outbox::LineDelivery::Failed => &mut texted.failed,
            } += 1;
        }
        (std::mem::replace(&mut line.texted, texted) != texted).then_some(texted)
    }
}

impl MeetingTask {
    /// `sms`: the masked number of who has written it by SMS.
    pub(super) fn say(&mut self, by: Asker, text: String, sms: Option<String>) -> Result<(), MeetingRefusal> {
        let text = text.trim().to_owned();
        if text.is_empty() || text.chars().count() > LONGEST {
            return Err(MeetingRefusal::BadText);
        }
        if !self.policy.has_chat() {
            return Err(MeetingRefusal::ChatFull);
        }
        let (from, name, kind, who) = match by {
            // Nobody's presence (M-5): it speaks for the host organisation, under a name that nobody else has (M-1).
            Asker::Operator => (OPERATOR_ID.to_owned(), OPERATOR.to_owned(), Role::Member, None),
            Asker::Participant(who) => {
                let row = self.policy.row_of(who, machine::now()).filter(|row| row.standing == Standing::In);
                let row = row.ok_or(MeetingRefusal::NotInside)?;
                (who.to_string(), row.name.expose().clone(), row.role, Some(who))
            }
        };
        self.chat.count += 1;
        let at = unix_millis(SystemTime::now());
        let line = ChatLine { id: self.chat.count, from, name, kind, sms, text, texted: Texted::default(), at };
        self.chat.push(line.clone());
        for who in self.inside() {
            self.tell_page(who, ToPage::Chat(line.clone()));
        }
        self.raise_chat(who);
        self.pass_on(who, &line);
        self.copy(&line);
        Ok(())
    }

    /// C-8: for each device to which the chat is bridged, the message that was sent last.
    fn copy(&mut self, line: &ChatLine) {
        let retention = self.shared.retention.borrow().clone();
        let Some(dies_at) = retention.dies_at(line.at) else { return };
        let by_sms = self.shared.relay.is_some();
        let inside = |who: &ParticipantId| self.policy.standing(*who) == Some(Standing::In);
        let bridged = self.guests.iter().filter(|(who, guest)| (guest.text || by_sms) && inside(who));
        let copy = |(_, guest): (_, &Guest)| ChatCopy {
            device: guest.device.clone(),
            text: Redacted::new(line.text.clone()),
            region: retention.region.to_string(),
            at: line.at,
            dies_at,
        };
        let copies: Vec<_> = bridged.map(copy).map(|copy| MeetingAct::Copy(Box::new(copy))).collect();
        self.acts.extend(copies);
    }

    /// C-1: to displays of devices inside and to the people around them, and not back to the device that it comes from.
    fn pass_on(&mut self, from: Option<ParticipantId>, line: &ChatLine) {
        let reads = |who: &ParticipantId| Some(*who) != from && self.policy.standing(*who) == Some(Standing::In);
        let inside = self.guests.iter().filter(|(who, _)| reads(who));
        let devices: Vec<_> = inside.map(|(who, guest)| (*who, guest.call, guest.text)).collect();
        for (who, call, display) in devices {
            if display {
                let text = Redacted::new(format!("{}: {}", line.name, line.text));
                self.tell_guest(machine::now(), who, ToGuest::Show(text));
            }
            if self.shared.relay.is_some() {
                let (name, text) = (Redacted::new(line.name.clone()), Redacted::new(line.text.clone()));
                self.acts.push_back(MeetingAct::Relay(relay::RelayInput::Line { call, line: line.id, name, text }));
            }
        }
    }

    /// A line has come further on its way by SMS.
    pub(super) fn texted(&mut self, progress: LineProgress) {
        let Some(texted) = self.chat.texted(progress) else { return };
        for who in self.inside() {
            self.tell_page(who, ToPage::ChatTexted { id: progress.line, texted });
        }
    }

    pub(super) fn send_chat_so_far(&mut self, who: ParticipantId) {
        let lines: Vec<_> = self.chat.lines.iter().rev().take(SHOWN).rev().cloned().collect();
        for line in lines {
            self.tell_page(who, ToPage::Chat(line));
        }
    }
}
