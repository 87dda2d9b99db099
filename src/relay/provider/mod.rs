//! Who carries short messages (C-10). Each provider is one file and one line of [`open`].
//!
//! A provider keeps nothing that is not on its way this moment: what waits, in which order and how long, is the
//! [outbox](super::outbox)'s. It says how much it takes at a time, and how each message or part has ended.

mod interface;
mod kind;
mod log;
mod rest;
mod smpp;

pub use super::sms::{DeliveryOutcome, OutgoingSms, PartInfo, SubmitOutcome};
pub use interface::{InboundSms, Provider, ProviderEvent, WebhookAnswer, WebhookCall};
pub use kind::{ProviderKind, ProviderSettings, fuzz_smpp, open};
pub use rest::azure::AzureSettings;
pub use rest::twilio::TwilioSettings;
pub use rest::webhook::WebhookSettings;
pub use smpp::{SmppLogin, SmppSettings};
