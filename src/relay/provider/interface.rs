//! [`Provider`]: what carries short messages, and what it says (C-10).

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};

use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;
use crate::relay::sms::{DeliveryOutcome, OutgoingSms, SubmitOutcome};

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
    /// So many messages, or parts of one, may be unanswered from now on; 0 while there is no way to it.
    Takes(usize),
    /// How one has ended; said once for each that was submitted.
    Outcome {
        /// Of this one.
        id: u64,
        /// How.
        outcome: SubmitOutcome,
    },
    /// A receipt.
    Receipt {
        /// The provider's name for the message.
        name: String,
        /// What it says.
        outcome: DeliveryOutcome,
    },
    /// Somebody has written.
    Received(InboundSms),
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
    /// Takes a message, or a part of one. Never waits; at most as many are unanswered as it takes ([`ProviderEvent::Takes`]), and to one number at most one.
    fn submit(&self, sms: OutgoingSms);

    /// What it said before [`ProviderEvent::Taken`] with this number is safe: whoever has sent it need not send it again.
    fn taken(&self, _number: u64) {}

    /// What a call at its webhook means.
    fn webhook(&self, _call: &WebhookCall) -> WebhookAnswer {
        WebhookAnswer::nobody()
    }
}
