//! The chat by SMS for the people around the devices of a meeting (C-1 to C-4): what their calls and the relay say to each other goes
//! through here, by participant.

use super::act::MeetingAct;
use super::machine::MeetingState;
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;
use crate::meeting::guest::{SmsKeyed, ToGuest};
use crate::meeting::messages::{MeetingRefusal, ToPage};
use crate::policy::{Capability, Standing};
use crate::relay::driver::{InboundText, LineProgress, Readers, RelayEvent};
use crate::relay::{ReaderId, RelayAnswer, RelayInput};

impl MeetingState {
    /// The device is inside: people around it can have the chat.
    pub(super) fn sms_begins(&mut self, who: ParticipantId) {
        let Some(guest) = self.people.guests.get_mut(&who).filter(|_| self.by_sms) else { return };
        if !std::mem::replace(&mut guest.entered_relay, true) {
            let (call, meeting) = (guest.call, self.name.clone());
            let (device, name) = (guest.device.clone(), guest.name.clone());
            self.acts.push_back(MeetingAct::Relay(RelayInput::Entered { participant: who, call, meeting, device, name }));
        }
    }

    /// The chat by SMS ends with the presence (C-1).
    pub(super) fn sms_ends(&mut self, who: ParticipantId) {
        self.acts.push_back(MeetingAct::Relay(RelayInput::Left { participant: who }));
    }

    /// Somebody at a device has keyed something (C-2, K-2). The answer comes by [`Self::relay_answered`].
    pub(super) fn sms_keyed(&mut self, participant: ParticipantId, keyed: SmsKeyed) {
        if self.by_sms && self.people.guests.contains_key(&participant) {
            self.acts.push_back(MeetingAct::Relay(match keyed {
                SmsKeyed::Number(number) => RelayInput::Ask { participant, number },
                SmsKeyed::Code(code) => RelayInput::Code { participant, code },
                SmsKeyed::Stop => RelayInput::Stop { participant },
            }));
        }
    }

    /// What a device is told in a notice, for those who read (N-10).
    pub(super) fn sms_notice(&mut self, participant: ParticipantId, text: Redacted<String>) {
        if self.by_sms && self.people.guests.contains_key(&participant) {
            self.acts.push_back(MeetingAct::Relay(RelayInput::Notice { participant, text }));
        }
    }

    pub(super) fn relay_answered(&mut self, who: ParticipantId, answer: RelayAnswer) {
        self.tell_guest(who, ToGuest::Sms(answer));
    }

    pub(super) fn take_relay_event(&mut self, who: ParticipantId, event: RelayEvent) {
        if !self.people.guests.contains_key(&who) {
            return;
        }
        match event {
            RelayEvent::Text(text) => self.text_by_sms(who, text),
            RelayEvent::Progress(progress) => self.line_progress(progress),
            RelayEvent::Stopped => self.tell_guest(who, ToGuest::SmsStopped),
            RelayEvent::Readers(readers) => self.readers_are(who, readers),
        }
    }

    /// C-3: into the chat, while the device is inside; nobody floods it.
    fn text_by_sms(&mut self, who: ParticipantId, InboundText { by, text }: InboundText) {
        let (now, inside) = (self.instant(), self.policy.standing(who) == Some(Standing::In));
        let Some(guest) = self.people.guests.get_mut(&who) else { return };
        if inside && guest.inbound_texts.take(now) {
            return self.guest_writes(who, text, Some(by.to_string()));
        }
        if let Some(unlogged) = guest.texts_refused.admit(now) {
            tracing::warn!(meeting = %self.name, participant = %who, %by, inside, unlogged, "a text by SMS is not taken");
        }
    }

    /// A line of the chat has come further on its way by SMS.
    fn line_progress(&mut self, progress: LineProgress) {
        let Some(texted) = self.chat.texted(progress) else { return };
        for who in self.pages_inside() {
            self.people.tell_page(who, ToPage::ChatTexted { id: progress.line, texted });
        }
    }

    /// How people around this device get the chat by SMS, and who does, from now on (C-2): shown to those who may admit.
    fn readers_are(&mut self, device: ParticipantId, readers: Readers) {
        self.people.readers.insert(device, readers);
        self.views.row_changed(&self.policy, &self.people, device, self.instant());
        self.views.schedule(self.instant());
        self.show_due();
    }

    /// Somebody (`None`: the operator) wants a reader confirmed, or removed (C-2, M-7).
    pub(super) fn ask_of_reader(
        &mut self,
        who: Option<ParticipantId>,
        participant: ParticipantId,
        reader: ReaderId,
        confirm: bool,
    ) -> Result<(), MeetingRefusal> {
        if who.is_some_and(|who| self.policy.may(who, Capability::Admit).is_err()) {
            return Err(MeetingRefusal::NotAllowed);
        }
        let around = self.people.readers.get(&participant);
        if !around.is_some_and(|around| around.readers.iter().any(|one| one.id == reader)) {
            return Err(MeetingRefusal::NoSuchParticipant);
        }
        let by = who.map_or_else(|| "the operator".to_owned(), |who| who.to_string());
        tracing::info!(meeting = %self.name, %by, device = %participant, %reader, confirm, "a reader by SMS is confirmed or removed");
        self.acts.push_back(MeetingAct::Relay(match confirm {
            true => RelayInput::Confirm { participant, reader },
            false => RelayInput::Remove { participant, reader },
        }));
        Ok(())
    }
}
