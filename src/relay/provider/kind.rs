//! [`ProviderKind`]: which providers there are, and how one is opened (C-10).

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::interface::{Provider, ProviderEvent};
use super::rest::azure::AzureSettings;
use super::rest::twilio::TwilioSettings;
use super::rest::webhook::WebhookSettings;
use super::smpp::SmppSettings;
use crate::net::tls::TlsError;
use crate::relay::PhoneNumber;

/// What kind of provider it is: `kind` of `[relay.provider.X]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderKind {
    /// Prints messages on standard output: for the demo, nothing leaves the machine.
    Log,
    /// A short message centre, by SMPP 3.4.
    Smpp(SmppSettings),
    /// Azure Communication Services.
    Azure(AzureSettings),
    /// Twilio, or who speaks like it.
    Twilio(TwilioSettings),
    /// A service of the organisation's own.
    Webhook(WebhookSettings),
}

impl ProviderKind {
    /// It takes messages cut into parts; the others cut them themselves.
    #[must_use]
    pub const fn cuts(&self) -> bool {
        matches!(self, Self::Smpp(_))
    }
}

/// `[relay.provider.X]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// What kind.
    pub kind: ProviderKind,
    /// Our number there.
    pub number: PhoneNumber,
    /// For services that are reached by HTTPS: trust the authorities in this file in the place of those of the system.
    pub ca: Option<PathBuf>,
}

/// The provider that these settings describe; what it says goes to `events`.
///
/// # Errors
/// The authorities that it is to trust cannot be read.
pub fn open(settings: ProviderSettings, events: mpsc::Sender<ProviderEvent>) -> Result<Arc<dyn Provider>, TlsError> {
    let ProviderSettings { kind, number, ca } = settings;
    let dialect: Box<dyn super::rest::RestDialect> = match kind {
        ProviderKind::Log => return Ok(Arc::new(super::log::LogProvider::open(number, events))),
        ProviderKind::Smpp(smpp) => return Ok(Arc::new(super::smpp::SmppProvider::open(smpp, number, events))),
        ProviderKind::Azure(azure) => Box::new(super::rest::azure::Azure::new(azure, number)),
        ProviderKind::Twilio(twilio) => Box::new(super::rest::twilio::Twilio::new(twilio, number)),
        ProviderKind::Webhook(webhook) => Box::new(super::rest::webhook::Webhook::new(webhook, number)),
    };
    Ok(Arc::new(super::rest::RestProvider::open(dialect, ca, events)?))
}

/// Runs a session over these octets of a centre.
#[doc(hidden)]
pub fn fuzz_smpp(octets: &[u8]) {
    super::smpp::fuzz(octets);
}
