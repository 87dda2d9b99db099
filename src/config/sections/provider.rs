//! `[relay.provider.X]`: who carries short messages, and how it is reached.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::common::redact::Redacted;
use crate::config::readers::{MINUTE, SECOND, WrongValue, address_for, boolean, choice, label, number, path, text, time};
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::value::Value;
use crate::relay::PhoneNumber;
use crate::relay::provider::{
    AzureSettings, ProviderKind, ProviderSettings, SmppLogin, SmppSettings, TwilioSettings, WebhookSettings,
};

/// Where Twilio's own API is.
const TWILIO: &str = "https://api.twilio.com";

/// The kinds there are, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    Log,
    Smpp,
    Azure,
    Twilio,
    Webhook,
}

const KINDS: &[(&str, Named)] = &[
    ("log", Named::Log),
    ("smpp", Named::Smpp),
    ("azure", Named::Azure),
    ("twilio", Named::Twilio),
    ("webhook", Named::Webhook),
];

pub(super) fn provider(_: &str, s: &mut Section<'_>) -> Option<ProviderSettings> {
    let hint = "write the number in international form, such as \"+12025550100\"";
    let phone_number =
        |value: &_| PhoneNumber::parse(&text(value)?).ok_or_else(|| WrongValue::new("is no telephone number", hint));
    let named = s.required("kind", "write \"log\", \"smpp\", \"azure\", \"twilio\" or \"webhook\"", choice(KINDS));
    let own = s.required("number", hint, phone_number);
    let ca = s.optional("ca", path);
    // Each reads its keys, whatever the kind: what is none's is a mistake.
    let smpp = smpp(s, named == Some(Named::Smpp), ca.clone());
    let azure = azure(s, named == Some(Named::Azure));
    let twilio = twilio(s, named == Some(Named::Twilio));
    let webhook = webhook(s, named == Some(Named::Webhook));
    let kind = match named? {
        Named::Log => ProviderKind::Log,
        Named::Smpp => ProviderKind::Smpp(smpp?),
        Named::Azure => ProviderKind::Azure(azure?),
        Named::Twilio => ProviderKind::Twilio(twilio?),
        Named::Webhook => ProviderKind::Webhook(webhook?),
    };
    Some(ProviderSettings { kind, number: own?, ca })
}

/// An address that keys are sent to.
fn address(value: &Value) -> Result<String, WrongValue> {
    let hint = "write an address such as \"https://sms.example.org/messages\"; http:// is for this machine alone, as keys travel with it";
    address_for("keys", hint, (&["https"], &["http"]))(value)
}

const UNGUESSABLE: &str = "write at least 16 characters, such as `openssl rand -hex 32` gives";

fn is_guessable(secret: &Secret) -> bool {
    secret.expose().len() < 16
}

fn hidden(secret: Option<Secret>) -> Option<Redacted<String>> {
    secret.map(|secret| Redacted::new(secret.expose().to_owned()))
}

/// `wanted`: this provider is one, and so what has no default must be there.
fn smpp(s: &mut Section<'_>, wanted: bool, ca: Option<PathBuf>) -> Option<SmppSettings> {
    let (host, system_id) = (s.optional("host", label(253)), s.optional("system_id", ascii(15)));
    let (port, tls) = (s.get("port", number(1..=u16::MAX)), s.get("tls", boolean).unwrap_or(false));
    let password = s.secret("password");
    let system_type = s.optional("system_type", ascii(12)).unwrap_or_default();
    let window = s.get("window", number(1..=100)).unwrap_or(10);
    let enquire_every = s.get("enquire_every", time(5 * SECOND..=10 * MINUTE)).unwrap_or(30 * SECOND);
    if wanted && !s.has_problems() && (host.is_none() || system_id.is_none() || password.is_none()) {
        s.complain("does not say where its centre is and as whom to bind", "write host, system_id and password");
    }
    if wanted && password.as_ref().is_some_and(|password| password.expose().len() > 8 || !password.expose().is_ascii()) {
        s.complain("has a password that SMPP cannot carry", "SMPP 3.4 takes up to 8 ASCII characters");
        return None;
    }
    Some(SmppSettings {
        host: host?,
        port: port.unwrap_or(if tls { 3550 } else { 2775 }),
        tls: tls.then_some(ca),
        login: SmppLogin { system_id: system_id?, password: hidden(password)?, system_type },
        window,
        enquire_every,
    })
}

fn azure(s: &mut Section<'_>, wanted: bool) -> Option<AzureSettings> {
    let endpoint = s.optional("endpoint", address);
    let (access_key, webhook_key) = (s.secret("access_key"), s.secret("webhook_key"));
    if wanted && !s.has_problems() && (endpoint.is_none() || access_key.is_none() || webhook_key.is_none()) {
        s.complain("does not say where its resource is and by which keys", "write endpoint, access_key and webhook_key");
    }
    if wanted && webhook_key.as_ref().is_some_and(is_guessable) {
        s.complain("has a webhook_key that can be guessed", UNGUESSABLE);
        return None;
    }
    let octets = access_key.and_then(|key| BASE64.decode(key.expose().trim()).ok());
    if wanted && !s.has_problems() && octets.is_none() {
        s.complain("has an access_key that is no base64", "copy the key of the resource as the portal shows it");
    }
    Some(AzureSettings { endpoint: endpoint?, access_key: Redacted::new(octets?), webhook_key: hidden(webhook_key)? })
}

fn twilio(s: &mut Section<'_>, wanted: bool) -> Option<TwilioSettings> {
    let api = s.get("api", address).unwrap_or_else(|| TWILIO.to_owned());
    let (account, token) = (s.optional("account", ascii(64)), s.secret("token"));
    if wanted && !s.has_problems() && (account.is_none() || token.is_none()) {
        s.complain("does not say which account sends", "write account and token");
    }
    Some(TwilioSettings { api, account: account?, token: hidden(token)?, callback: None })
}

fn webhook(s: &mut Section<'_>, wanted: bool) -> Option<WebhookSettings> {
    let (url, secret) = (s.optional("url", address), s.secret("secret"));
    if wanted && !s.has_problems() && (url.is_none() || secret.is_none()) {
        s.complain("does not say where messages go and what they are signed with", "write url and secret");
    }
    if wanted && secret.as_ref().is_some_and(is_guessable) {
        s.complain("has a secret that can be guessed", UNGUESSABLE);
        return None;
    }
    Some(WebhookSettings { url: url?, secret: hidden(secret)? })
}

/// A text of ASCII characters.
fn ascii(longest: usize) -> impl FnOnce(&Value) -> Result<String, WrongValue> {
    move |value| {
        let text = label(longest)(value)?;
        let hint = "write ASCII characters alone";
        if text.is_ascii() { Ok(text) } else { Err(WrongValue::new("holds other characters than ASCII", hint)) }
    }
}
