//! What the relay's task says to meetings, and to operators.

use serde::Serialize;
use utoipa::ToSchema;

use crate::common::redact::Redacted;
use crate::relay::outbox::{self, Counts, LineDelivery};
use crate::relay::{PhoneNumber, SmsReader};

/// A text for the chat of a meeting (C-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundText {
    /// Who has written it; printed, it is masked.
    pub by: PhoneNumber,
    /// What.
    pub text: Redacted<String>,
}

/// How far a line of the chat has come on its way to one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineProgress {
    /// The line's number in the meeting.
    pub line: u64,
    /// The message that brings it.
    pub message: u64,
    /// So far.
    pub standing: LineDelivery,
}

/// How people around a device get the chat without its keys, and who does (C-2): for those who may admit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readers {
    /// To be texted.
    pub code: Redacted<String>,
    /// To this number of ours.
    pub to: PhoneNumber,
    /// Who reads, or wants to.
    pub readers: Vec<SmsReader>,
}

/// What the relay has for the meeting of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayEvent {
    /// Somebody around the device has written.
    Text(InboundText),
    /// How far a line has come.
    Progress(LineProgress),
    /// The messages that were asked for with its keys were stopped by SMS.
    Stopped,
    /// Who reads by SMS around its device: all of it, at every change.
    Readers(Readers),
}

/// How much there is, for who counts.
#[derive(Debug, Clone, Default)]
pub struct RelayTotals {
    /// Since the start.
    pub counts: Counts,
    /// How much is on its way.
    pub waiting: usize,
}

/// What is on its way, as an operator sees it.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = Outbox)]
pub struct OutboxSurvey {
    /// Since the start.
    pub counts: Counts,
    /// How much is on its way.
    pub waiting: usize,
    /// What is on its way, oldest first, and the newest of what has ended.
    #[serde(rename = "parcels")]
    pub messages: Vec<outbox::OutboxLine>,
}
