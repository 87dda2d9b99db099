//! What the server of pages and API can look up in the rest of the daemon.

use std::net::SocketAddr;
use std::sync::Arc;

use super::gateway::tls_files;
use super::reload::Reloader;
use super::{Gateway, admin, queries, room_calls, sms};
use crate::config::Settings;
use crate::http::{self, ApiToken, HttpSettings, Sessions};
use crate::service::embedded::signalling::ResumeKey;
use crate::status::{Sources, metrics};

/// What the server of pages and API is told of the configuration and of everything else.
pub(super) fn settings(
    settings: &Settings,
    gateway: &Gateway,
    reloader: &Arc<Reloader>,
    status: Sources,
    (sessions, resume_key, api_token): (Sessions, ResumeKey, ApiToken),
) -> HttpSettings {
    let Gateway { sip, store, relay, registry, targets, counted, .. } = gateway;
    let calls = || gateway.calls.view();
    let in_force = || targets.settings.subscribe();
    HttpSettings {
        address: SocketAddr::new(settings.http.address, settings.http.port),
        socket: settings.store.directory.join(http::SOCKET_FILE),
        tls: settings.http.tls.as_ref().map(tls_files),
        web: targets.web.subscribe(),
        media_candidates: status.media.candidates(),
        transcription: false,
        sms: sms::sends(settings),
        sessions,
        resume_key,
        api_token,
        lockout: calls().lockout(),
        ready: status.ready.clone(),
        events: gateway.raised.clone(),
        admin: admin::admin(calls(), sip, store, reloader),
        devices: queries::devices(sip),
        chats: queries::chats(store),
        subscriptions: sms::subscriptions(relay.clone()),
        outbox: sms::outbox(relay.clone()),
        webhook: sms::webhooks(settings, relay.clone()),
        rooms: room_calls::list(in_force(), sip, calls()),
        check_sync: room_calls::check_sync(in_force(), sip),
        invite: room_calls::invite(in_force(), calls(), registry.clone()),
        lift: {
            let sources = status.clone();
            Arc::new(move |name| {
                let sources = sources.clone();
                Box::pin(async move { sources.lift(&name).await })
            })
        },
        metrics: {
            let (sources, counted) = (status.clone(), counted.clone());
            Arc::new(move || {
                let (sources, counted) = (sources.clone(), counted.clone());
                Box::pin(async move { metrics::text(sources.census().await, &counted) })
            })
        },
        status: Arc::new(move || {
            let sources = status.clone();
            Box::pin(async move { serde_json::to_value(sources.gather().await).unwrap_or_default() })
        }),
        schemas: crate::status::schemas(),
        recordings: settings.recording.directory.clone(),
        requests_per_second: settings.limits.api_requests_per_second,
        connections_per_address: http::CONNECTIONS_PER_ADDRESS,
        connections: http::CONNECTIONS,
    }
}
