//! `azure`: SMS of Azure Communication Services by its REST interface, and its events by Event Grid, in either of their two schemas.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use hyper::{Method, Request, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::client::refused;
use super::{RestDialect, SubmitVerdict};
use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;
use crate::relay::provider::{InboundSms, ProviderEvent, WebhookAnswer, WebhookCall};
use crate::relay::sms::{DeliveryOutcome, OutgoingSms, SubmitOutcome};

/// The interface that is spoken.
const VERSION: &str = "2021-03-07";
/// Events of one call at most: Event Grid bundles them.
const EVENTS: usize = 256;

/// `kind = "azure"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureSettings {
    /// The resource, such as `https://example.communication.azure.com`.
    pub endpoint: String,
    /// Its access key.
    pub access_key: Redacted<Vec<u8>>,
    /// What the address of the webhook carries as `key`: Event Grid signs nothing.
    pub webhook_key: Redacted<String>,
}

/// See the module.
pub(in super::super) struct Azure {
    settings: AzureSettings,
    from: PhoneNumber,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Recipient<'a> {
    to: &'a str,
    repeatability_request_id: &'a str,
    repeatability_first_sent: &'a str,
}

#[derive(Deserialize)]
struct Results {
    value: Vec<SendResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SendResult {
    message_id: Option<String>,
    http_status_code: u16,
    successful: bool,
    #[serde(default)]
    repeatability_result: Option<String>,
}

/// An event of Event Grid's own schema (`eventType`) or of CloudEvents 1.0 (`type`).
#[derive(Deserialize)]
struct Grid {
    #[serde(alias = "eventType")]
    r#type: String,
    #[serde(default)]
    data: Value,
}

impl Azure {
    pub(in super::super) fn new(settings: AzureSettings, from: PhoneNumber) -> Self {
        Self { settings, from }
    }

    /// The headers that authenticate a request: date, digest of the body, and a signature over both, host and path.
    fn signed(&self, uri: &Uri, date: &str, body: &[u8]) -> [(&'static str, String); 3] {
        let digest = BASE64.encode(Sha256::digest(body));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = host(uri);
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(self.settings.access_key.expose()).expect("HMAC takes a key of any length");
        mac.update(format!("POST\n{path}\n{date};{host};{digest}").as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        let authorization = format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}");
        [("x-ms-date", date.to_owned()), ("x-ms-content-sha256", digest), ("authorization", authorization)]
    }

    fn is_known(&self, call: &WebhookCall) -> bool {
        let query = call.url.split_once('?').map_or("", |(_, query)| query);
        let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "key");
        given.is_some_and(|(_, key)| bool::from(key.as_bytes().ct_eq(self.settings.webhook_key.expose().as_bytes())))
    }
}

impl RestDialect for Azure {
    fn request(&self, sms: &OutgoingSms, now: SystemTime) -> Option<Request<Bytes>> {
        let uri: Uri = format!("{}/sms?api-version={VERSION}", self.settings.endpoint).parse().ok()?;
        let (date, created) = (httpdate::fmt_http_date(now), httpdate::fmt_http_date(sms.created));
        let recipient = Recipient {
            to: sms.to.expose(),
            // The service sends what it gets twice under one of these only once.
            repeatability_request_id: &sms.reference,
            repeatability_first_sent: &created,
        };
        let message = json!({
            "from": self.from.expose(),
            "smsRecipients": [recipient],
            "message": sms.text.expose(),
            "smsSendOptions": { "enableDeliveryReport": true },
        });
        let body = serde_json::to_vec(&message).ok()?;
        let signed = self.signed(&uri, &date, &body);
        let request = Request::builder().method(Method::POST).uri(uri).header(header::CONTENT_TYPE, "application/json");
        signed.into_iter().fold(request, |request, (name, value)| request.header(name, value)).body(body.into()).ok()
    }

    fn verdict(&self, sms: &OutgoingSms, status: StatusCode, body: &[u8]) -> SubmitVerdict {
        let result = serde_json::from_slice::<Results>(body).ok().and_then(|results| results.value.into_iter().next());
        match (status, result) {
            (StatusCode::ACCEPTED, Some(result)) if result.successful => {
                SubmitVerdict::Ended(SubmitOutcome::Accepted { name: result.message_id })
            }
            (StatusCode::ACCEPTED, Some(result)) => match result.http_status_code {
                429 | 503 => SubmitVerdict::Rest,
                500..=599 => SubmitVerdict::Ended(SubmitOutcome::Unknown),
                code => refusal(sms, StatusCode::from_u16(code).unwrap_or(status), result.repeatability_result.as_deref()),
            },
            // Something that stands between, or half an answer.
            (status, _) if status.is_success() => SubmitVerdict::Ended(SubmitOutcome::Unknown),
            (status, _) => refusal(sms, status, None),
        }
    }

    fn webhook(&self, call: &WebhookCall, _: SystemTime) -> WebhookAnswer {
        if !self.is_known(call) {
            return WebhookAnswer::status(StatusCode::FORBIDDEN);
        }
        if call.method == Method::OPTIONS {
            // CloudEvents HTTP web hooks section 4.1: we do want them.
            let origin = call.header("webhook-request-origin").unwrap_or("*").to_owned();
            return WebhookAnswer { allowed_origin: Some(origin), ..WebhookAnswer::taken(Vec::new()) };
        }
        let events: Vec<Grid> = match serde_json::from_slice(&call.body) {
            Ok(Value::Array(events)) => {
                events.into_iter().take(EVENTS).filter_map(|event| serde_json::from_value(event).ok()).collect()
            }
            Ok(event @ Value::Object(_)) => serde_json::from_value(event).into_iter().collect(),
            _ => return WebhookAnswer::status(StatusCode::BAD_REQUEST),
        };
        if let Some(code) = events.iter().find_map(validation) {
            let body = json!({ "validationResponse": code }).to_string();
            return WebhookAnswer { content_type: Some("application/json"), body, ..WebhookAnswer::taken(Vec::new()) };
        }
        let ours: Vec<Option<ProviderEvent>> = events.iter().filter_map(said).collect();
        let unread = ours.iter().filter(|event| event.is_none()).count();
        WebhookAnswer { unread, ..WebhookAnswer::taken(ours.into_iter().flatten().collect()) }
    }
}

/// Event Grid asks once whether we want its events.
fn validation(event: &Grid) -> Option<&str> {
    (event.r#type == "Microsoft.EventGrid.SubscriptionValidationEvent").then(|| event.data.get("validationCode")?.as_str())?
}

/// An event that is for us, if it is one; `Some(None)`: it cannot be read.
fn said(event: &Grid) -> Option<Option<ProviderEvent>> {
    match event.r#type.as_str() {
        "Microsoft.Communication.SMSReceived" => Some(received(&event.data)),
        "Microsoft.Communication.SMSDeliveryReportReceived" => Some(reported(&event.data)),
        _ => None,
    }
}

fn received(data: &Value) -> Option<ProviderEvent> {
    let from = field(data, "from")?;
    // The service leaves the `+` out at times.
    let from = PhoneNumber::parse(from).or_else(|| PhoneNumber::parse(&format!("+{from}")))?;
    let (id, text) = (field(data, "messageId")?.to_owned(), Redacted::new(field(data, "message")?.to_owned()));
    Some(ProviderEvent::Received(InboundSms { id: Some(id), from, text }))
}

fn reported(data: &Value) -> Option<ProviderEvent> {
    let outcome = match field(data, "deliveryStatus")? {
        "Delivered" => DeliveryOutcome::Delivered,
        "Failed" | "Undelivered" | "Rejected" | "Expired" | "Blocked" | "OptedOut" => DeliveryOutcome::Failed,
        _ => DeliveryOutcome::OnItsWay,
    };
    Some(ProviderEvent::Receipt { name: field(data, "messageId")?.to_owned(), outcome })
}

/// The schema's names have begun with capitals in some of its versions, and with small letters in others.
fn field<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    data.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
}

/// A refusal of what was sent again may be one of the repetition (OASIS Repeatable Requests 1.0): it says nothing of the first try.
fn refusal(sms: &OutgoingSms, status: StatusCode, repeatability: Option<&str>) -> SubmitVerdict {
    let of_repetition = matches!(status, StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED)
        || repeatability.is_some_and(|result| result.eq_ignore_ascii_case("rejected"));
    if sms.again && of_repetition { SubmitVerdict::Ended(SubmitOutcome::Unknowable) } else { refused(status, None) }
}

/// As the `Host` field says it: without a port that is the usual one (RFC 9110 section 4.2.3).
fn host(uri: &Uri) -> String {
    let usual = if uri.scheme_str() == Some("http") { 80 } else { 443 };
    let name = uri.host().unwrap_or_default();
    uri.port_u16().filter(|port| *port != usual).map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"))
}
