//! Chat by SMS (C-2): its task and its provider, if one is configured, and who gets it.

use std::sync::Arc;

use super::{RunError, rows, state};
use crate::config::Settings;
use crate::http;
use crate::redact::Redacted;
use crate::relay::{self, driver};
use crate::store;

/// Who has the chat sent by SMS, for the operator.
pub(super) fn subscriptions(relay: Option<driver::Handle>) -> http::Query {
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

/// Starts it, if there is a provider.
///
/// # Errors
/// The store cannot be read, or there is no randomness for codes.
pub(super) async fn start(settings: &Settings, store: &store::Handle) -> Result<Option<driver::Handle>, RunError> {
    let Some(provider) = settings.relay.providers.values().next() else { return Ok(None) };
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(RunError::Randomness)?;
    let relay = relay::RelaySettings {
        organisation: settings.organisation.name.clone(),
        segments: settings.relay.segments,
        number: provider.number.clone(),
        secret: Redacted::new(secret),
    };
    let home = relay::Home::new(settings.relay.country_code.as_deref());
    let started = driver::start(relay, home, provider.clone(), store.clone()).await;
    started.map(Some).map_err(state("store in", &settings.store.directory))
}
