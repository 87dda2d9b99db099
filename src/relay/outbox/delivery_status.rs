//! How far each line of a chat has come by SMS, over all its parts: what the page shows beside it.

use std::collections::BTreeMap;

use super::messages::{LineDelivery, OutboxOutput};
use crate::common::ids::ParticipantId;
use crate::relay::sms::DeliveryOutcome;

/// A message of which parts are on their way.
#[derive(Debug)]
struct LineParts {
    message: u64,
    /// Who wants to know; `None`: nobody (any more).
    whose: Option<(ParticipantId, u64)>,
    parts: usize,
    kept: usize,
    accepted: usize,
    delivered: usize,
    /// Nothing more is told.
    told_end: bool,
}

/// Those of which something is still to be told.
#[derive(Debug, Default)]
pub(super) struct LineDeliveries {
    /// By the first part's id.
    open: BTreeMap<u64, LineParts>,
    /// Which message a part belongs to whose receipt is awaited.
    awaited: BTreeMap<u64, u64>,
}

impl LineDeliveries {
    pub(super) fn open(&mut self, message: u64, whose: Option<(ParticipantId, u64)>, parts: usize) {
        if whose.is_some() {
            let delivery = LineParts { message, whose, parts, kept: 0, accepted: 0, delivered: 0, told_end: false };
            self.open.insert(message, delivery);
        }
    }

    /// One more part is on the disk.
    pub(super) fn kept(&mut self, message: u64) -> Option<OutboxOutput> {
        let delivery = self.open.get_mut(&message)?;
        delivery.kept += 1;
        if delivery.kept == delivery.parts { delivery.tell(LineDelivery::Waiting) } else { None }
    }

    /// The provider has one more part.
    pub(super) fn accepted(&mut self, message: u64) -> Option<OutboxOutput> {
        let delivery = self.open.get_mut(&message)?;
        delivery.accepted += 1;
        if delivery.accepted == delivery.parts { delivery.tell(LineDelivery::Sent) } else { None }
    }

    /// A part will never arrive, and so the message will not.
    pub(super) fn failed(&mut self, message: u64) -> Option<OutboxOutput> {
        let told = self.open.get_mut(&message)?.tell(LineDelivery::Failed);
        self.close(message);
        told
    }

    /// A receipt of this part is awaited.
    pub(super) fn awaits(&mut self, id: u64, message: u64) {
        if self.open.contains_key(&message) {
            self.awaited.insert(id, message);
        }
    }

    /// A receipt of this part has come, or never will.
    pub(super) fn settled(&mut self, id: u64, outcome: DeliveryOutcome) -> Option<OutboxOutput> {
        let message = self.awaited.remove(&id)?;
        match outcome {
            DeliveryOutcome::Failed => self.failed(message),
            DeliveryOutcome::Delivered => {
                let delivery = self.open.get_mut(&message)?;
                delivery.delivered += 1;
                if delivery.delivered < delivery.parts {
                    return None;
                }
                let told = delivery.tell(LineDelivery::Delivered);
                self.close(message);
                told
            }
            DeliveryOutcome::OnItsWay | DeliveryOutcome::Unknown => {
                self.close(message);
                None
            }
        }
    }

    /// Nothing more will be known of a part that the provider has.
    pub(super) fn no_receipt(&mut self, message: u64) {
        if self.open.get(&message).is_some_and(|delivery| delivery.accepted == delivery.parts) {
            self.close(message);
        }
    }

    fn close(&mut self, message: u64) {
        self.open.remove(&message);
        self.awaited.retain(|_, of| *of != message);
    }

    /// This device has left: nobody wants to know any more.
    pub(super) fn forget(&mut self, participant: ParticipantId) {
        self.open.retain(|_, delivery| delivery.whose.is_none_or(|(whose, _)| whose != participant));
        self.awaited.retain(|_, message| self.open.contains_key(message));
    }
}

impl LineParts {
    fn tell(&mut self, standing: LineDelivery) -> Option<OutboxOutput> {
        let (participant, line) = self.whose.filter(|_| !self.told_end)?;
        self.told_end = matches!(standing, LineDelivery::Delivered | LineDelivery::Failed);
        Some(OutboxOutput::Progress { participant, line, message: self.message, standing })
    }
}
