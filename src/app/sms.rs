//! Chat by SMS (C-2): the start of its task with the configured provider, and its end.

use std::time::Duration;

use super::run_error::{RunError, state};
use crate::common::redact::Redacted;
use crate::config::{RelayConfig, Settings};
use crate::relay::provider::ProviderKind;
use crate::relay::{self, Prefixes, driver};
use crate::store;

/// How long waiting messages are still sent at the end.
const FLUSH_TIME: Duration = Duration::from_secs(3);
/// How long answers of the provider are then waited for.
const ANSWER_TIME: Duration = Duration::from_secs(3);

/// Stops the relay (O-4). Waiting messages are sent while there is time, the others by the next run. Answers of the provider are waited for
/// a while: a message without one would have to be sent twice (C-7).
pub(super) async fn stop(relay: &driver::RelayHandle) {
    if tokio::time::timeout(FLUSH_TIME, relay.flush()).await.is_ok() {
        return;
    }
    if tokio::time::timeout(ANSWER_TIME, relay.rest()).await.is_err() {
        tracing::warn!("SMS are unanswered by their provider; what becomes of them is decided at the next start");
    }
}

/// Whether messages are really sent: the provider `log` only logs them.
pub(super) fn sends(settings: &Settings) -> bool {
    settings.relay.providers.values().next().is_some_and(|provider| provider.kind != ProviderKind::Log)
}

/// Starts the relay, if a provider is configured.
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
