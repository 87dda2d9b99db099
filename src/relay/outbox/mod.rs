//! What is on its way by SMS, and what has become of it (C-7).
//!
//! Messages and what the provider says of them flow in; rows to keep, items to submit and how far each line has come flow out.
//! [`super::driver`] runs it. An item is on the disk before it is submitted, marked there when it may have been, and its text is
//! overwritten when it is done with; so a crash loses nothing, and what may be sent twice is what was marked and never answered.

mod delivery_status;
mod item;
mod messages;
mod number_queues;
mod parts;
mod queue;
mod receipts;
mod recent;

pub use messages::{Counts, LineDelivery, OnUnknown, OutboxInput, OutboxLine, OutboxOutput, OutboxRow, OutboxSettings, RowState};
pub use queue::{MOST, Outbox, RECEIPT_WITHIN};
