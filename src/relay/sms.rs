//! What goes to a provider of short messages, and what comes of it: the words that the [outbox](super::outbox) and the
//! [providers](super::provider) share.

use std::time::SystemTime;

use super::PhoneNumber;
use super::segment::Coding;
use crate::common::redact::Redacted;

/// What joins the parts of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartInfo {
    /// The same for all parts of a message.
    pub coding: Coding,
    /// The same for all parts of a message, and another in the next one to the same number.
    pub reference: u8,
    /// How many parts.
    pub total: u8,
    /// Which one, from 1.
    pub number: u8,
}

/// A message, or one part of it where the provider takes parts ([`cuts`](super::provider::ProviderKind::cuts)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingSms {
    /// By this its outcome is told; never used twice, also over restarts.
    pub id: u64,
    /// A UUID; the same when the same item is submitted again, so that a provider can know it (C-7).
    pub reference: String,
    /// To whom.
    pub to: PhoneNumber,
    /// What.
    pub text: Redacted<String>,
    /// Where the provider takes parts.
    pub cut: Option<PartInfo>,
    /// When it was made; the same when it is submitted again, also by another run.
    pub created: SystemTime,
    /// The provider may have it already, from a try that was not answered.
    pub again: bool,
}

/// How a submit has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The provider has it, under this name; receipts say it again.
    Accepted {
        /// `None`: there will be no receipt.
        name: Option<String>,
    },
    /// The provider will never take it; for the log.
    Refused(String),
    /// The provider surely has not got it: it was throttled, or there was no connection.
    Later,
    /// It was submitted and never answered: the provider may have it or not (C-7).
    Unknown,
    /// It was submitted [`again`](OutgoingSms::again), and the provider will neither say whether it had it nor take it once more.
    Unknowable,
}

/// What becomes of a message that was accepted, as its receipts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// More is to come.
    OnItsWay,
    /// It is on the handset.
    Delivered,
    /// It never will be: expired, undeliverable, rejected, deleted.
    Failed,
    /// Nobody knows, and nobody ever will.
    Unknown,
}
