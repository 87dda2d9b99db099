//! What the [`Outbox`](super::Outbox) is told, what it wants done, and what it tells an operator.

use std::time::{Instant, SystemTime};

use serde::Serialize;
use utoipa::ToSchema;

use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;
use crate::relay::sms::{DeliveryOutcome, OutgoingSms, SubmitOutcome};
use crate::relay::{PhoneNumber, SmsText};

/// What is done with an item of which nobody knows whether the provider has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnknown {
    /// It is submitted again with the same reference: nothing is lost, and it may arrive twice.
    #[default]
    Resend,
    /// It is dropped: nothing arrives twice, and it may be lost.
    Drop,
}

/// How the outbox behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxSettings {
    /// What is done with what was never answered.
    pub on_unknown: OnUnknown,
    /// The provider takes parts.
    pub cuts: bool,
    /// What references are drawn from; another one in each run.
    pub secret: Redacted<[u8; 32]>,
}

/// How far a row on the disk has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowState {
    /// It was never submitted.
    Waiting,
    /// It may have been.
    Submitted,
    /// The provider has it, under this name; a receipt is awaited. There is no text any more.
    Accepted(String),
}

/// An item as it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// The item.
    pub sms: OutgoingSms,
    /// How far it has come.
    pub state: RowState,
    /// When it is dropped, or its receipt no longer awaited.
    pub until: Instant,
}

/// What happens to an [`Outbox`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxInput {
    /// To be sent.
    Enqueue {
        /// This.
        message: SmsText,
        /// When it was made.
        created: SystemTime,
    },
    /// [`OutboxOutput::Keep`] was done, or could not be.
    Kept {
        /// Of this item.
        id: u64,
        /// It is on the disk.
        written: bool,
    },
    /// [`OutboxOutput::Mark`] with `submitted` was done, or could not be.
    Marked {
        /// Of this item.
        id: u64,
        /// It is on the disk.
        written: bool,
    },
    /// [`OutboxOutput::Mark`] without `submitted` was done, or could not be.
    Unmarked {
        /// Of this item.
        id: u64,
        /// It is on the disk.
        written: bool,
    },
    /// [`OutboxOutput::Close`] was done, or could not be.
    Closed {
        /// Of this item.
        id: u64,
        /// It is on the disk.
        written: bool,
    },
    /// [`OutboxOutput::Wipe`] could not be done.
    NotWiped,
    /// So many items may be with the provider from now on.
    Takes(usize),
    /// How a submit has ended.
    Outcome {
        /// Of this item.
        id: u64,
        /// How.
        outcome: SubmitOutcome,
    },
    /// A receipt of the provider.
    Receipt {
        /// Its name for the message.
        name: String,
        /// What it says.
        outcome: DeliveryOutcome,
    },
    /// What waits for people around this device is dropped: it has left (C-7), or this number's holder wants no more.
    Forget {
        /// The device.
        participant: ParticipantId,
        /// To this number; `None`: to all.
        number: Option<PhoneNumber>,
    },
    /// What waits for this number is dropped: its holder has said STOP (C-2).
    DropNumber {
        /// The number.
        number: PhoneNumber,
    },
    /// Nothing more is submitted: the daemon stops, and the next run goes on.
    Suspend,
}

/// What an [`Outbox`] wants done. Writes are done in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxOutput {
    /// Write a new row, then say [`OutboxInput::Kept`].
    Keep(Box<OutboxRow>),
    /// Write whether this row may have been submitted, then say [`OutboxInput::Marked`] or [`OutboxInput::Unmarked`].
    Mark {
        /// Of this item.
        id: u64,
        /// It may have been.
        submitted: bool,
    },
    /// Overwrite a row's text, then say [`OutboxInput::Closed`].
    Close {
        /// Of this item.
        id: u64,
        /// The name by which receipts are awaited until then; `None`: the row goes.
        receipts: Option<(String, Instant)>,
    },
    /// A receipt has come, or none ever will: the row goes.
    Settle {
        /// Of this item.
        id: u64,
    },
    /// Empty the store's journal, where texts that were overwritten can still be read, or say [`OutboxInput::NotWiped`].
    Wipe,
    /// Give this to the provider.
    Submit(OutgoingSms),
    /// A line of the chat has come so far.
    Progress {
        /// In the meeting of this device.
        participant: ParticipantId,
        /// The line.
        line: u64,
        /// The message that brings it; another one for each number.
        message: u64,
        /// So far.
        standing: LineDelivery,
    },
}

/// How far a line has come on its way to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[schema(as = OutboxStanding)]
#[serde(rename_all = "kebab-case")]
pub enum LineDelivery {
    /// It will be sent, whatever happens.
    Waiting,
    /// The provider has it.
    Sent,
    /// It is on the handset.
    Delivered,
    /// It will not be read.
    Failed,
}

/// What has become of items since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OutboxCounts)]
pub struct Counts {
    /// On the disk: from there on it is sent, whatever happens.
    pub kept: u64,
    /// Taken by the provider.
    pub accepted: u64,
    /// On a handset, says a receipt.
    pub delivered: u64,
    /// Never to be on a handset, says a receipt.
    pub failed: u64,
    /// No receipt has said how it ended.
    pub unconfirmed: u64,
    /// Refused by the provider.
    pub refused: u64,
    /// Put off by the provider.
    pub put_off: u64,
    /// Submitted again though the provider may have had it (C-7).
    pub repeated: u64,
    /// Dropped though the provider may not have had it: because `on_unknown` is `drop`, or because it takes no repeat.
    pub unknown: u64,
    /// Too old to be of use to anybody.
    pub expired: u64,
    /// Dropped because its device has left, or its number's holder has said STOP.
    pub dropped: u64,
    /// Never sent: too much was waiting, or the disk did not take it.
    pub lost: u64,
}

/// One item, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = OutboxLine)]
pub struct OutboxLine {
    /// Its reference at the provider.
    pub reference: String,
    /// Masked.
    pub number: String,
    /// Which part of how many.
    pub part: String,
    /// How far it has come, or how it has ended.
    pub state: &'static str,
    /// How often it was submitted.
    pub tries: u32,
}

impl OutboxLine {
    pub(super) fn of(sms: &OutgoingSms, state: &'static str, tries: u32) -> Self {
        let part = sms.cut.map_or_else(|| "1/1".to_owned(), |cut| format!("{}/{}", cut.number, cut.total));
        Self { reference: sms.reference.clone(), number: sms.to.to_string(), part, state, tries }
    }
}
