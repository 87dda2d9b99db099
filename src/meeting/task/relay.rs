//! What a meeting has for the relay of chat by SMS, on its way there.
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: it starts what waits for an answer")]

use super::effects::MeetingEffects;
use crate::common::ids::ParticipantId;
use crate::meeting::state::MeetingInput;
use crate::relay::driver::RelayHandle;
use crate::relay::{RelayAnswer, RelayInput};

impl MeetingEffects {
    /// In the order of the meeting's acts; an answer comes in its own time.
    pub(super) async fn tell_relay(&self, input: RelayInput) {
        let Some(relay) = &self.shared.relay else { return };
        match input {
            RelayInput::Entered { participant, .. } => {
                relay.entered(participant, input, self.own.relay_events.clone()).await;
            }
            RelayInput::Ask { participant, .. } | RelayInput::Code { participant, .. } | RelayInput::Stop { participant } => {
                self.ask_relay(relay, participant, input).await;
            }
            input => relay.say(input).await,
        }
    }

    async fn ask_relay(&self, relay: &RelayHandle, who: ParticipantId, input: RelayInput) {
        let (answer, mailbox) = (relay.ask(input).await, self.own.mailbox.clone());
        tokio::spawn(async move {
            let answer = answer.await.unwrap_or(RelayAnswer::Trouble);
            // A meeting that has ended meanwhile has nobody to tell.
            if let Some(mailbox) = mailbox.upgrade() {
                let _ = mailbox.send(MeetingInput::RelayAnswered(who, answer).into()).await;
            }
        });
    }
}
