//! What people ask of a meeting: by a page, by the API, or in the chat.

use super::act::MeetingAct;
use super::chat_log::LONGEST;
use super::machine::MeetingState;
use super::page_views::captures;
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;
use crate::meeting::guest::ToGuest;
use crate::meeting::messages::{
    ChatLine, MeetingRefusal, MeetingRequest, OPERATOR, OPERATOR_ID, Role, Snapshot, Standing, Texted, ToPage,
};
use crate::meeting::roster;
use crate::policy::{Asker, Capability, CaptureKind, Fact, Switch};
use crate::relay::RelayInput;

impl MeetingState {
    /// Spends one request of a participant's (M-14); the operator is not counted here.
    pub(super) fn spend(&mut self, who: Option<ParticipantId>, ask: &MeetingRequest) -> Result<(), MeetingRefusal> {
        let (now, Some(who)) = (self.instant(), who) else { return Ok(()) };
        let may = self.policy.may(who, Capability::Admit).is_ok();
        let page = self.people.pages.get_mut(&who).map(|page| &mut page.requests);
        match page.or_else(|| self.people.guests.get_mut(&who).map(|guest| &mut guest.requests)) {
            Some(requests) => requests.take(now, ask, may),
            None => Ok(()),
        }
    }

    /// Somebody (`None`: the operator) asks for something. What the policy refuses comes back as an effect.
    pub(super) fn ask(&mut self, who: Option<ParticipantId>, ask: MeetingRequest) -> Result<(), MeetingRefusal> {
        let by = who.map_or(Asker::Operator, Asker::Participant);
        let fact = match (ask, who) {
            (MeetingRequest::MuteSelf(on), Some(who)) => Fact::MuteSelf { who, to: Switch::To(on) },
            (MeetingRequest::Hand(on), Some(who)) => Fact::Hand { who, to: Switch::To(on) },
            (MeetingRequest::Leave, Some(who)) => {
                self.page_leaves(who);
                return Ok(());
            }
            (MeetingRequest::Close, Some(who)) => {
                if let Some(page) = self.people.pages.get_mut(&who) {
                    page.connected = false;
                }
                Fact::Closed { who }
            }
            (MeetingRequest::MuteSelf(_) | MeetingRequest::Hand(_) | MeetingRequest::Leave | MeetingRequest::Close, None) => {
                return Err(MeetingRefusal::NoSuchParticipant);
            }
            (MeetingRequest::Admit(who), _) => Fact::Admit { by, who },
            (MeetingRequest::AdmitAll, _) => Fact::AdmitAll { by },
            (MeetingRequest::Deny(who), _) => Fact::Deny { by, who },
            (MeetingRequest::Mute(who, on), _) => Fact::Mute { by, who, on },
            (MeetingRequest::Remove(who), _) => Fact::Remove { by, who },
            (MeetingRequest::Recording(want), _) => Fact::Capture { what: CaptureKind::Recording, by, want },
            (MeetingRequest::Transcription(want), _) => Fact::Capture { what: CaptureKind::Transcription, by, want },
            (MeetingRequest::End, _) => Fact::End { by },
            (MeetingRequest::ConfirmReader(device, reader), who) => return self.ask_of_reader(who, device, reader, true),
            (MeetingRequest::RemoveReader(device, reader), who) => return self.ask_of_reader(who, device, reader, false),
            (MeetingRequest::Chat(text), _) => return self.write_chat(by, &text, None),
        };
        self.fact(fact);
        Ok(())
    }

    /// What a viewer (`None`: the operator) may see.
    pub(super) fn snapshot(&self, viewer: Option<ParticipantId>) -> Snapshot {
        let (now, beside) = (self.instant(), self.people.row_context());
        match viewer.map(|viewer| self.policy.snapshot(viewer, now)) {
            Some(Some(view)) => roster::snapshot(&view, beside, now),
            Some(None) => roster::nobody(),
            None => roster::operator(&self.policy.rows(now), beside, now, captures(&self.policy)),
        }
    }

    // === Chat ===

    /// A line for the chat (C-1). `sms`: the masked number of who has written it by SMS.
    pub(super) fn write_chat(&mut self, by: Asker, text: &str, sms: Option<String>) -> Result<(), MeetingRefusal> {
        let line = self.chat_line(by, text, sms)?;
        let who = match by {
            Asker::Operator => None,
            Asker::Participant(who) => Some(who),
        };
        self.chat.push(line.clone());
        for who in self.pages_inside() {
            self.people.tell_page(who, ToPage::Chat(line.clone()));
        }
        let event = self.events.chat(who, who.and_then(|who| self.people.call_of(who)));
        self.acts.push_back(MeetingAct::Raise(event));
        self.pass_on(who, &line);
        self.write_to_room(who, &line);
        self.copy(&line);
        Ok(())
    }

    /// A line that somebody may write now.
    fn chat_line(&mut self, by: Asker, text: &str, sms: Option<String>) -> Result<ChatLine, MeetingRefusal> {
        let text = text.trim().to_owned();
        if text.is_empty() || text.chars().count() > LONGEST {
            return Err(MeetingRefusal::BadText);
        }
        if !self.policy.has_chat() {
            return Err(MeetingRefusal::ChatFull);
        }
        let (from, name, kind) = match by {
            // Nobody's presence (M-5): it writes for the host organisation, under a name that nobody else has (M-1).
            Asker::Operator => (OPERATOR_ID.to_owned(), OPERATOR.to_owned(), Role::Member),
            Asker::Participant(who) => {
                let row = self.policy.row_of(who, self.instant()).filter(|row| row.standing == Standing::In);
                let row = row.ok_or(MeetingRefusal::NotInside)?;
                (who.to_string(), row.name.expose().clone(), row.role)
            }
        };
        let (id, at) = (self.chat.next_id(), self.unix_millis());
        Ok(ChatLine { id, from, name, kind, sms, text, texted: Texted::default(), at })
    }

    /// C-1: to displays of devices inside and to the people around them, and not back to the device that it comes from.
    fn pass_on(&mut self, from: Option<ParticipantId>, line: &ChatLine) {
        let readers: Vec<_> = self.people.guests.keys().copied().filter(|who| Some(*who) != from).collect();
        for who in readers {
            self.pass_to(who, line);
        }
    }

    /// To one device, if it is inside.
    fn pass_to(&mut self, who: ParticipantId, line: &ChatLine) {
        let inside = self.policy.standing(who) == Some(Standing::In);
        let Some(guest) = self.people.guests.get(&who).filter(|_| inside) else { return };
        if guest.text {
            let what = ToGuest::Show(Redacted::new(format!("{}: {}", line.name, line.text)));
            self.acts.push_back(MeetingAct::TellGuest { who, what });
        }
        if self.by_sms {
            let (name, text) = (Redacted::new(line.name.clone()), Redacted::new(line.text.clone()));
            self.acts.push_back(MeetingAct::Relay(RelayInput::Line { participant: who, line: line.id, name, text }));
        }
    }

    /// A line for one device alone: it is in nobody else's chat, and nowhere once it has been shown.
    pub(super) fn write_to_device(&mut self, by: ParticipantId, device: ParticipantId, text: &str) -> Result<(), MeetingRefusal> {
        let line = self.chat_line(Asker::Participant(by), text, None)?;
        self.pass_to(device, &line);
        Ok(())
    }

    /// C-8: for each device to which the chat is bridged, the text that was sent last.
    fn copy(&mut self, line: &ChatLine) {
        let inside = |who: &ParticipantId| self.policy.standing(*who) == Some(Standing::In);
        let bridged = self.people.guests.iter().filter(|(who, guest)| (guest.text || self.by_sms) && inside(who));
        let copies = bridged.map(|(_, guest)| MeetingAct::CopyChat {
            device: guest.device.clone(),
            text: Redacted::new(line.text.clone()),
            at: line.at,
        });
        self.acts.extend(copies);
    }

    pub(super) fn send_chat_so_far(&self, who: ParticipantId) {
        for line in self.chat.newest() {
            self.people.tell_page(who, ToPage::Chat(line.clone()));
        }
    }
}
