//! Chat by SMS (C-2): its task and its provider, if one is configured, and who gets it.

use std::sync::Arc;
use std::time::Duration;

use super::RunError;
use super::gateway::state;
use super::queries::rows;
use crate::common::redact::Redacted;
use crate::config::{RelayConfig, Settings};
use crate::http;
use crate::relay::provider::{ProviderKind, WebhookAnswer};
use crate::relay::{self, Prefixes, driver};
use crate::store;

/// How long messages that wait are still sent at the end.
const FLUSHES: Duration = Duration::from_secs(3);
/// How long the provider is then waited for.
const RESTS: Duration = Duration::from_secs(3);

/// Who has the chat sent by SMS, for the operator.
pub(super) fn subscriptions(relay: Option<driver::RelayHandle>) -> http::Query {
    Arc::new(move |limit| {
        let relay = relay.clone();
        Box::pin(async move {
            let mut found = match relay {
                Some(relay) => relay.lines().await,
                None => Vec::new(),
            };
            found.truncate(limit);
            rows(found)
        })
    })
}

/// What is on its way, for the operator.
pub(super) fn outbox(relay: Option<driver::RelayHandle>) -> http::StatusQuery {
    Arc::new(move || {
        let relay = relay.clone();
        Box::pin(async move {
            let survey = match relay {
                Some(relay) => relay.survey().await,
                None => driver::OutboxSurvey::default(),
            };
            serde_json::to_value(survey).unwrap_or_default()
        })
    })
}

/// Where providers call us, by their names in the configuration.
pub(super) fn webhooks(settings: &Settings, relay: Option<driver::RelayHandle>) -> http::Webhook {
    let known = settings.relay.providers.keys().next().cloned();
    Arc::new(move |name, call| {
        let relay = relay.clone().filter(|_| known.as_deref() == Some(name.as_str()));
        Box::pin(async move {
            match relay {
                Some(relay) => relay.webhook(&call).await,
                None => WebhookAnswer::nobody(),
            }
        })
    })
}

/// O-4: what waits is sent while there is time for it, and the rest by the next run. What is unanswered by the provider then is waited
/// for a while: it would have to be sent twice (C-7).
pub(super) async fn rest(relay: &driver::RelayHandle) {
    if tokio::time::timeout(FLUSHES, relay.flush()).await.is_ok() {
        return;
    }
    if tokio::time::timeout(RESTS, relay.rest()).await.is_err() {
        tracing::warn!("SMS are unanswered by their provider; what becomes of them is decided at the next start");
    }
}

/// Whether messages leave the house: the provider for trials only writes them down.
pub(super) fn sends(settings: &Settings) -> bool {
    settings.relay.providers.values().next().is_some_and(|provider| provider.kind != ProviderKind::Log)
}

/// Starts it, if there is a provider.
///
/// # Errors
/// The store cannot be read, or there is no randomness for codes.
pub(super) async fn start(settings: &Settings, store: &store::StoreHandle) -> Result<Option<driver::RelayHandle>, RunError> {
    let Some((name, provider)) = settings.relay.providers.iter().next() else { return Ok(None) };
    let mut provider = provider.clone();
    if let (ProviderKind::Twilio(twilio), Some(public)) = (&mut provider.kind, &settings.http.public_url) {
        twilio.callback = Some(format!("{}/webhooks/sms/{name}", public.trim_end_matches('/')));
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(RunError::Randomness)?;
    let RelayConfig { allowed_prefixes, country_code, .. } = &settings.relay;
    let prefixes = match (allowed_prefixes.as_slice(), country_code) {
        ([], Some(code)) => Prefixes::new(vec![format!("+{code}")]),
        ([], None) => Prefixes::of_country(&provider.number),
        (prefixes, _) => Prefixes::new(prefixes.to_vec()),
    };
    let relay = relay::RelaySettings {
        organisation: settings.organisation.name.clone(),
        prefixes,
        daily: settings.relay.daily,
        answers_per_minute: settings.relay.answers_per_minute,
        segments: settings.relay.segments,
        number: provider.number.clone(),
        secret: Redacted::new(secret),
    };
    let home = relay::NumberingPlan::new(settings.relay.country_code.as_deref());
    let started = driver::start(relay, home, settings.relay.on_unknown, provider, store.clone()).await;
    started.map(Some).map_err(state("store in", &settings.store.directory))
}
