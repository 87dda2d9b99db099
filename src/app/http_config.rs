//! What the server of pages and API is made of: its part of the configuration, and handles of the other parts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::administration::DaemonAdministration;
use super::gateway::Gateway;
use super::reload::Reloader;
use super::run_error::{RunError, state};
use super::sms;
use crate::config::Settings;
use crate::http::{self, ApiToken, HttpHandles, HttpSettings, Sessions};
use crate::net::tls::TlsFiles;
use crate::status::{self, Sources};

/// The settings that stay as they are until a restart.
pub(super) fn settings(settings: &Settings, gateway: &Gateway) -> HttpSettings {
    HttpSettings {
        address: SocketAddr::new(settings.http.address, settings.http.port),
        socket: settings.store.directory.join(http::SOCKET_FILE),
        tls: settings.http.tls.as_ref().map(TlsFiles::from),
        media_candidates: gateway.media.candidates(),
        transcription: false,
        sms: sms::sends(settings),
        schemas: status::schemas(),
        recordings: settings.recording.directory.clone(),
        requests_per_second: settings.limits.api_requests_per_second,
        connections_per_address: http::CONNECTIONS_PER_ADDRESS,
        connections: http::CONNECTIONS,
    }
}

/// The handles, with the secrets of the state directory.
///
/// # Errors
/// A secret or the store cannot be read.
pub(super) async fn handles(
    settings: &Settings,
    gateway: &Gateway,
    reloader: &Arc<Reloader>,
    status: Sources,
) -> Result<HttpHandles, RunError> {
    let directory = &settings.store.directory;
    let sessions = Sessions::open(directory, gateway.store.clone(), SystemTime::now()).await;
    let calls = gateway.calls.view();
    Ok(HttpHandles {
        registry: gateway.registry.clone(),
        web: gateway.targets.web.subscribe(),
        ready: status.ready.clone(),
        events: gateway.raised.clone(),
        lockout: calls.lockout(),
        sessions: sessions.map_err(state("sessions in", directory))?,
        resume_key: http::resume_key(directory).map_err(state("key of seats in", directory))?,
        api_token: ApiToken::open(directory).map_err(state("API token in", directory))?,
        administration: Arc::new(DaemonAdministration {
            calls,
            sip: gateway.sip.clone(),
            store: gateway.store.clone(),
            relay: gateway.relay.clone(),
            sms_provider: settings.relay.providers.keys().next().cloned(),
            meetings: Arc::clone(&gateway.meetings),
            reloader: Arc::clone(reloader),
            settings: gateway.targets.settings.subscribe(),
            status,
            counted: gateway.counted.clone(),
        }),
    })
}
