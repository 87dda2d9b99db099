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

use super::{Dialect, Verdict, refused};
use crate::redact::Redacted;
use crate::relay::Number;
use crate::relay::parcel::{Fate, Outcome, Parcel};
use crate::relay::provider::{Event, Heard, WebhookAnswer, WebhookCall};

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
    from: Number,
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
    pub(in super::super) fn new(settings: AzureSettings, from: Number) -> Self {
        Self { settings, from }
    }

    /// The headers that authenticate a request: date, digest of the body, and a signature over both, host and path.
    fn signed(&self, uri: &Uri, date: &str, body: &[u8]) -> [(&'static str, String); 3] {
        let digest = BASE64.encode(Sha256::digest(body));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let host = uri.authority().map_or("", |authority| authority.as_str());
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

impl Dialect for Azure {
    fn request(&self, parcel: &Parcel, now: SystemTime) -> Option<Request<Bytes>> {
        let uri: Uri = format!("{}/sms?api-version={VERSION}", self.settings.endpoint).parse().ok()?;
        let date = httpdate::fmt_http_date(now);
        let recipient = Recipient {
            to: parcel.to.expose(),
            // The service sends what it gets twice under one of these only once.
            repeatability_request_id: &parcel.reference,
            repeatability_first_sent: &date,
        };
        let message = json!({
            "from": self.from.expose(),
            "smsRecipients": [recipient],
            "message": parcel.text.expose(),
            "smsSendOptions": { "enableDeliveryReport": true },
        });
        let body = serde_json::to_vec(&message).ok()?;
        let signed = self.signed(&uri, &date, &body);
        let request = Request::builder().method(Method::POST).uri(uri).header(header::CONTENT_TYPE, "application/json");
        signed.into_iter().fold(request, |request, (name, value)| request.header(name, value)).body(body.into()).ok()
    }

    fn verdict(&self, _: &Parcel, status: StatusCode, body: &[u8]) -> Verdict {
        let result = serde_json::from_slice::<Results>(body).ok().and_then(|results| results.value.into_iter().next());
        match (status, result) {
            (StatusCode::ACCEPTED, Some(result)) if result.successful => {
                Verdict::Ended(Outcome::Accepted { name: result.message_id })
            }
            (StatusCode::ACCEPTED, Some(result)) => match result.http_status_code {
                429 | 503 => Verdict::Rest,
                500..=599 => Verdict::Ended(Outcome::Unknown),
                code => refused(StatusCode::from_u16(code).unwrap_or(status), None),
            },
            (status, _) if status.is_success() => Verdict::Ended(Outcome::Accepted { name: None }),
            (status, _) => refused(status, None),
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
        WebhookAnswer::taken(events.iter().filter_map(said).collect())
    }
}

/// Event Grid asks once whether we want its events.
fn validation(event: &Grid) -> Option<&str> {
    (event.r#type == "Microsoft.EventGrid.SubscriptionValidationEvent").then(|| event.data.get("validationCode")?.as_str())?
}

fn said(event: &Grid) -> Option<Event> {
    let field = |name: &str| event.data.get(name).and_then(Value::as_str);
    let id = field("messageId")?.to_owned();
    match event.r#type.as_str() {
        "Microsoft.Communication.SMSReceived" => {
            let from = field("from")?;
            // The service leaves the `+` out at times.
            let from = Number::parse(from).or_else(|| Number::parse(&format!("+{from}")))?;
            let text = Redacted::new(field("message")?.to_owned());
            Some(Event::Heard(Heard { id: Some(id), from, text }))
        }
        "Microsoft.Communication.SMSDeliveryReportReceived" => {
            let fate = match field("deliveryStatus")? {
                "Delivered" => Fate::Delivered,
                "Failed" | "Undelivered" | "Rejected" | "Expired" | "Blocked" | "OptedOut" => Fate::Failed,
                _ => Fate::OnItsWay,
            };
            Some(Event::Receipt { name: id, fate })
        }
        _ => None,
    }
}
