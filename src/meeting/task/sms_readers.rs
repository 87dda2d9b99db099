//! Who reads the chat by SMS around the devices of a meeting: shown to those who may admit, who confirm and remove them (C-2, M-7).

use std::time::Instant;

use super::{MeetingAct, MeetingTask};
use crate::common::ids::ParticipantId;
use crate::meeting::messages::MeetingRefusal;
use crate::relay::driver::Readers;
use crate::relay::{self, ReaderId};

impl MeetingTask {
    fn may_admit(&self, now: Instant, who: Option<ParticipantId>) -> bool {
        who.is_none_or(|who| self.policy.snapshot(who, now).is_some_and(|view| view.may_admit))
    }

    /// Around this device it is so from now on.
    pub(super) fn readers_are(&mut self, now: Instant, device: ParticipantId, readers: Readers) {
        self.joins.insert(device, readers);
        self.take_row(now, device);
        self.show_soon(now);
    }

    /// Somebody (`None`: the operator) wants a reader confirmed, or removed.
    pub(super) fn ask_of_reader(
        &mut self,
        now: Instant,
        who: Option<ParticipantId>,
        device: ParticipantId,
        reader: ReaderId,
        wanted: bool,
    ) -> Result<(), MeetingRefusal> {
        if !self.may_admit(now, who) {
            return Err(MeetingRefusal::NotAllowed);
        }
        let known = self.joins.get(&device).is_some_and(|around| around.readers.iter().any(|one| one.id == reader));
        let Some(call) = self.guests.get(&device).map(|guest| guest.call).filter(|_| known) else {
            return Err(MeetingRefusal::NoSuchParticipant);
        };
        let by = who.map_or_else(|| "the operator".to_owned(), |who| who.to_string());
        tracing::info!(meeting = %self.name, %by, %device, %reader, wanted, "a reader by SMS is confirmed or removed");
        let input = if wanted { relay::RelayInput::Confirm { call, reader } } else { relay::RelayInput::Remove { call, reader } };
        self.acts.push_back(MeetingAct::Relay(input));
        Ok(())
    }
}
