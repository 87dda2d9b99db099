//! `twilio`: Twilio's Messages resource, which others speak as well, and its signed webhooks, by form and by JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hmac::{Hmac, Mac};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::client::refused;
use super::{RestDialect, SubmitVerdict};
use crate::common::redact::Redacted;
use crate::relay::PhoneNumber;
use crate::relay::provider::{InboundSms, ProviderEvent, WebhookAnswer, WebhookCall};
use crate::relay::sms::{DeliveryOutcome, OutgoingSms, SubmitOutcome};

/// Carries the signature of a webhook.
const SIGNATURE: &str = "x-twilio-signature";
/// The answer that says nothing back (TwiML).
const NOTHING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// `kind = "twilio"`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwilioSettings {
    /// Where the API is, without a slash at its end.
    pub api: String,
    /// The account's SID.
    pub account: String,
    /// The account's token: it authenticates us, and signs webhooks.
    pub token: Redacted<String>,
    /// Where receipts are wanted; `None`: there are none.
    pub callback: Option<String>,
}

/// See the module.
pub(in super::super) struct Twilio {
    settings: TwilioSettings,
    from: PhoneNumber,
}

/// Parameters of a webhook; one name may stand there several times.
type Parameters = BTreeMap<String, BTreeSet<String>>;

#[derive(Deserialize)]
struct Taken {
    sid: String,
}

#[derive(Deserialize)]
struct Failed {
    code: Option<u64>,
}

impl Twilio {
    pub(in super::super) fn new(settings: TwilioSettings, from: PhoneNumber) -> Self {
        Self { settings, from }
    }

    fn signature(&self, signed: &[&str]) -> String {
        let key = self.settings.token.expose().as_bytes();
        let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
        signed.iter().for_each(|piece| mac.update(piece.as_bytes()));
        BASE64.encode(mac.finalize().into_bytes())
    }

    /// Whether this was signed for this URL: with the port in it or not, since proxies and libraries differ.
    fn is_signed(&self, call: &WebhookCall, parameters: &Parameters) -> bool {
        let Some(given) = call.header(SIGNATURE) else { return false };
        let pieces =
            parameters.iter().flat_map(|(name, values)| values.iter().flat_map(move |value| [name.as_str(), value.as_str()]));
        let pieces: Vec<&str> = pieces.collect();
        urls(&call.url).iter().any(|url| {
            let signed = self.signature(&[&[url.as_str()], pieces.as_slice()].concat());
            bool::from(signed.as_bytes().ct_eq(given.as_bytes()))
        })
    }

    /// What came as JSON is signed by its digest, which is a part of the URL.
    fn has_digest(call: &WebhookCall) -> bool {
        let digest: String = Sha256::digest(&call.body).iter().map(|octet| format!("{octet:02x}")).collect();
        let query = call.url.split_once('?').map_or("", |(_, query)| query);
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.any(|(name, value)| {
            name == "bodySHA256" && bool::from(value.to_ascii_lowercase().as_bytes().ct_eq(digest.as_bytes()))
        })
    }
}

/// The URL as it is, without its port, and with the usual one where it has none: Twilio has signed each, and its own validators try them.
fn urls(url: &str) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return all };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // A colon in brackets is one of an IPv6 address.
    let port = authority.rfind(':').filter(|colon| authority.rfind(']').is_none_or(|bracket| bracket < *colon));
    match port.map(|colon| authority.split_at(colon)) {
        Some((host, _)) => all.push(format!("{scheme}://{host}{path}")),
        None => {
            let usual = if scheme == "https" { 443 } else { 80 };
            all.push(format!("{scheme}://{authority}:{usual}{path}"));
        }
    }
    all
}

fn outcome(status: &str) -> DeliveryOutcome {
    match status {
        "delivered" | "read" => DeliveryOutcome::Delivered,
        "undelivered" | "failed" | "canceled" => DeliveryOutcome::Failed,
        _ => DeliveryOutcome::OnItsWay,
    }
}

impl RestDialect for Twilio {
    fn request(&self, sms: &OutgoingSms, _: SystemTime) -> Option<Request<Bytes>> {
        let TwilioSettings { api, account, token, callback } = &self.settings;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("To", sms.to.expose()).append_pair("From", self.from.expose());
        form.append_pair("Body", sms.text.expose());
        if let Some(callback) = callback {
            form.append_pair("StatusCallback", callback);
        }
        let login = Zeroizing::new(format!("{account}:{}", token.expose()));
        let authorization = Zeroizing::new(format!("Basic {}", BASE64.encode(login.as_bytes())));
        let mut authorization = HeaderValue::from_str(&authorization).ok()?;
        authorization.set_sensitive(true);
        Request::builder()
            .method(Method::POST)
            .uri(format!("{api}/2010-04-01/Accounts/{account}/Messages.json"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, authorization)
            .body(form.finish().into())
            .ok()
    }

    fn verdict(&self, _: &OutgoingSms, status: StatusCode, body: &[u8]) -> SubmitVerdict {
        if status.is_success() {
            // Without a name it is no answer of the service's, or half of one.
            let taken = serde_json::from_slice::<Taken>(body).ok().map(|taken| SubmitOutcome::Accepted { name: Some(taken.sid) });
            return SubmitVerdict::Ended(taken.unwrap_or(SubmitOutcome::Unknown));
        }
        let code = serde_json::from_slice::<Failed>(body).ok().and_then(|failed| failed.code);
        refused(status, code.map(|code| code.to_string()).as_deref())
    }

    fn webhook(&self, call: &WebhookCall, _: SystemTime) -> WebhookAnswer {
        if call.method != Method::POST {
            return WebhookAnswer::status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let is_json = call.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        let parameters = if is_json { Parameters::new() } else { form(&call.body) };
        if !self.is_signed(call, &parameters) || (is_json && !Self::has_digest(call)) {
            return WebhookAnswer::status(StatusCode::FORBIDDEN);
        }
        let parameters = if is_json { json(&call.body) } else { parameters };
        let field = |name: &str| parameters.get(name).and_then(BTreeSet::first).map(String::as_str);
        let Some(id) = field("MessageSid").or_else(|| field("SmsSid")) else {
            return WebhookAnswer::status(StatusCode::BAD_REQUEST);
        };
        let status = field("MessageStatus").or_else(|| field("SmsStatus")).filter(|status| *status != "received");
        let events = match (status, field("From").and_then(PhoneNumber::parse)) {
            (Some(status), _) => vec![ProviderEvent::Receipt { name: id.to_owned(), outcome: outcome(status) }],
            (None, Some(from)) => {
                let text = Redacted::new(text(field("Body").unwrap_or_default(), field("NumMedia").unwrap_or_default()));
                vec![ProviderEvent::Received(InboundSms { id: Some(id.to_owned()), from, text })]
            }
            // A short code or a name: nobody who could be in a meeting.
            (None, None) => Vec::new(),
        };
        WebhookAnswer { content_type: Some("text/xml"), body: NOTHING.to_owned(), ..WebhookAnswer::taken(events) }
    }
}

/// C-9: pictures are a word, each of which would be nothing.
fn text(body: &str, media: &str) -> String {
    match media.parse::<u32>().unwrap_or_default() {
        0 => body.to_owned(),
        _ if body.trim().is_empty() => "[picture]".to_owned(),
        _ => format!("{body} [picture]"),
    }
}

fn form(body: &[u8]) -> Parameters {
    let mut parameters = Parameters::new();
    for (name, value) in form_urlencoded::parse(body) {
        parameters.entry(name.into_owned()).or_default().insert(value.into_owned());
    }
    parameters
}

/// The texts and numbers of a flat object.
fn json(body: &[u8]) -> Parameters {
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    fields.into_iter().filter_map(|(name, value)| Some((name, BTreeSet::from([text(value)?])))).collect()
}
