//! [`ProviderKind`] and [`Provider`]: what each provider can do, and how one is opened (C-10).

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use tokio::sync::mpsc;

use super::super::PhoneNumber;
use crate::common::redact::Redacted;
use crate::net::tls::TlsError;

use super::super::sms::DeliveryOutcome;
use super::super::sms::OutgoingSms;
use super::super::sms::SubmitOutcome;
use super::rest::azure::AzureSettings;
use super::rest::twilio::TwilioSettings;
use super::rest::webhook::WebhookSettings;
use super::smpp::SmppSettings;

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

/// Somebody has written to our number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundSms {
    /// The provider's name for the message, where it has one: by it a repeated message is known (C-6).
    pub id: Option<String>,
    /// Who.
    pub from: PhoneNumber,
    /// What, all parts of it.
    pub text: Redacted<String>,
}

/// What a provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderEvent {
    /// So many parcels may be unanswered from now on; 0 while there is no way to it.
    Takes(usize),
    /// How a parcel has ended; said once for each that was submitted.
    Outcome {
        /// Of this parcel.
        id: u64,
        /// How.
        outcome: SubmitOutcome,
    },
    /// A receipt.
    Receipt {
        /// The provider's name for the message.
        name: String,
        /// What it says.
        fate: DeliveryOutcome,
    },
    /// Somebody has written.
    Heard(InboundSms),
    /// Say [`Provider::taken`] with this number when what was said before it is where a crash does not reach it.
    Taken(u64),
}

/// A call of a provider at our webhook.
#[derive(Debug, Clone)]
pub struct WebhookCall {
    /// `POST`, or `OPTIONS` where somebody asks first.
    pub method: Method,
    /// All of it, as the caller has written it: signatures are over that.
    pub url: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// At most 64 KiB.
    pub body: Bytes,
}

impl WebhookCall {
    /// A header's text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a provider's call is answered, and what it brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// 403: it was not signed as it should.
    pub status: StatusCode,
    /// Of the body.
    pub content_type: Option<&'static str>,
    /// Empty most of the time.
    pub body: String,
    /// Who may send us events (CloudEvents HTTP web hooks section 4.2).
    pub allowed_origin: Option<String>,
    /// Taken before it is answered.
    pub events: Vec<ProviderEvent>,
    /// Events that could not be read.
    pub unread: usize,
}

impl WebhookAnswer {
    /// An answer without anything.
    #[must_use]
    pub const fn status(status: StatusCode) -> Self {
        Self { status, content_type: None, body: String::new(), allowed_origin: None, events: Vec::new(), unread: 0 }
    }

    /// There is nobody who is called.
    #[must_use]
    pub const fn nobody() -> Self {
        Self::status(StatusCode::NOT_FOUND)
    }

    /// It was understood, and brings this.
    #[must_use]
    pub fn taken(events: Vec<ProviderEvent>) -> Self {
        Self { events, ..Self::status(StatusCode::OK) }
    }
}

/// Somebody who carries short messages. Dropped, it ends.
pub trait Provider: Send + Sync {
    /// Takes a parcel. Never waits; at most as many are unanswered as it takes ([`ProviderEvent::Takes`]), and to one number at most one.
    fn submit(&self, sms: OutgoingSms);

    /// What it said before [`ProviderEvent::Taken`] with this number is safe: whoever has sent it need not send it again.
    fn taken(&self, _number: u64) {}

    /// What a call at its webhook means.
    fn webhook(&self, _call: &WebhookCall) -> WebhookAnswer {
        WebhookAnswer::nobody()
    }
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
