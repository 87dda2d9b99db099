//! `webhook`: a service of the organisation's own, by signed JSON both ways. `conf/sms-webhook.schema.json` is its schema.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hmac::{Hmac, Mac};
use hyper::{Method, Request, StatusCode, header};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::client::refused;
use super::{RestDialect, SubmitVerdict};
use crate::common::redact::Redacted;
use crate::common::units::unix_millis;
use crate::relay::PhoneNumber;
use crate::relay::provider::{InboundSms, ProviderEvent, WebhookAnswer, WebhookCall};
use crate::relay::sms::{DeliveryOutcome, OutgoingSms, SubmitOutcome};

/// Carries the signature, both ways.
const SIGNATURE: &str = "roomgate-signature";
/// How far the clocks of both sides may be apart; what is older may be a copy.
const FRESH: Duration = Duration::from_secs(300);

/// `kind = "webhook"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Where messages are posted to.
    pub url: String,
    /// What both sides sign with.
    pub secret: Redacted<String>,
}

/// See the module.
pub(in super::super) struct Webhook {
    settings: WebhookSettings,
    from: PhoneNumber,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    version: u8,
    id: &'a str,
    from: &'a str,
    to: &'a str,
    text: &'a str,
}

#[derive(Deserialize)]
struct Taken {
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Incoming {
    Message { id: String, from: String, text: String },
    Receipt { id: String, state: State },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Sent,
    Delivered,
    Failed,
    Unknown,
}

impl Webhook {
    pub(in super::super) fn new(settings: WebhookSettings, from: PhoneNumber) -> Self {
        Self { settings, from }
    }

    /// `t` in seconds since 1970, and HMAC-SHA256 over it, a dot and the body.
    fn mac(&self, t: &str, body: &[u8]) -> Hmac<Sha256> {
        let key = self.settings.secret.expose().as_bytes();
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(t.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac
    }

    pub(super) fn sign(&self, now: SystemTime, body: &[u8]) -> String {
        let t = (unix_millis(now) / 1000).to_string();
        let code = self.mac(&t, body).finalize().into_bytes();
        let hex: String = code.iter().map(|octet| format!("{octet:02x}")).collect();
        format!("t={t},v1={hex}")
    }

    fn is_signed(&self, now: SystemTime, signature: &str, body: &[u8]) -> bool {
        let part = |name: &str| signature.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let (Some(t), Some(code)) = (part("t"), part("v1")) else { return false };
        let Ok(seconds) = t.parse::<u64>() else { return false };
        let fresh = (unix_millis(now) / 1000).abs_diff(seconds) <= FRESH.as_secs();
        fresh && octets(code).is_some_and(|code| self.mac(t, body).verify_slice(&code).is_ok())
    }
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect())
}

impl RestDialect for Webhook {
    fn request(&self, sms: &OutgoingSms, now: SystemTime) -> Option<Request<Bytes>> {
        let OutgoingSms { reference, to, text, .. } = sms;
        let (from, to) = (self.from.expose(), to.expose());
        let body = serde_json::to_vec(&Outgoing { version: 1, id: reference, from, to, text: text.expose() }).ok()?;
        Request::builder()
            .method(Method::POST)
            .uri(&self.settings.url)
            .header(header::CONTENT_TYPE, "application/json")
            // Whoever gets it twice has it once.
            .header("idempotency-key", reference)
            .header(SIGNATURE, self.sign(now, &body))
            .body(body.into())
            .ok()
    }

    fn verdict(&self, sms: &OutgoingSms, status: StatusCode, body: &[u8]) -> SubmitVerdict {
        if !status.is_success() && status != StatusCode::CONFLICT {
            return refused(status, None);
        }
        let named = serde_json::from_slice::<Taken>(body).ok().and_then(|taken| taken.id);
        SubmitVerdict::Ended(SubmitOutcome::Accepted { name: Some(named.unwrap_or_else(|| sms.reference.clone())) })
    }

    fn webhook(&self, call: &WebhookCall, now: SystemTime) -> WebhookAnswer {
        if call.method != Method::POST {
            return WebhookAnswer::status(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !call.header(SIGNATURE).is_some_and(|signature| self.is_signed(now, signature, &call.body)) {
            return WebhookAnswer::status(StatusCode::FORBIDDEN);
        }
        let Ok(incoming) = serde_json::from_slice(&call.body) else { return WebhookAnswer::status(StatusCode::BAD_REQUEST) };
        WebhookAnswer::taken(match incoming {
            Incoming::Message { id, from, text } => match PhoneNumber::parse(&from) {
                Some(from) => vec![ProviderEvent::Received(InboundSms { id: Some(id), from, text: Redacted::new(text) })],
                None => return WebhookAnswer::status(StatusCode::UNPROCESSABLE_ENTITY),
            },
            Incoming::Receipt { id, state } => {
                let outcome = match state {
                    State::Sent => DeliveryOutcome::OnItsWay,
                    State::Delivered => DeliveryOutcome::Delivered,
                    State::Failed => DeliveryOutcome::Failed,
                    State::Unknown => DeliveryOutcome::Unknown,
                };
                vec![ProviderEvent::Receipt { name: id, outcome }]
            }
        })
    }
}
