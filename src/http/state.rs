//! [`AppState`]: the one state of all handlers, made of settings, handles of the daemon's other parts, and the server's own tables.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use tokio::sync::{mpsc, watch};

use super::administration::Administration;
use super::audit_log::AuditLog;
use super::client_source::ClientSource;
use super::entry_limits::EntryLimits;
use super::event_streams::EventStreams;
use super::log_limits::LogLimits;
use super::page_address::PageAddress;
use super::peer::HttpPeer;
use super::presence::Presences;
use super::request_budgets::RequestBudgets;
use super::secret::ApiToken;
use super::session::Sessions;
use super::settings::{HttpSettings, WebSettings};
use crate::common::ids::MeetingName;
use crate::meeting::{MeetingHandle, MeetingRegistry};
use crate::menu::SharedLockout;
use crate::service::embedded::signalling::ResumeKey;
use crate::telemetry::events::Events;

/// Handles of what the server shares with the rest of the daemon.
#[derive(Clone)]
pub struct HttpHandles {
    /// Everything that neither a meeting nor the server itself answers.
    pub administration: Arc<dyn Administration>,
    /// The meetings.
    pub registry: MeetingRegistry,
    /// The settings in force that a reload may change.
    pub web: watch::Receiver<Arc<WebSettings>>,
    /// True while calls are taken (U-5).
    pub ready: watch::Receiver<bool>,
    /// The events of calls and meetings (M-17).
    pub events: Events,
    /// Wrong codes of calls and pages alike (K-1).
    pub lockout: SharedLockout,
    /// Links and sessions.
    pub sessions: Sessions,
    /// Signs which seat a page had.
    pub resume_key: ResumeKey,
    /// The operator's token.
    pub api_token: ApiToken,
}

/// What every handler gets.
pub(super) struct AppState {
    pub(super) settings: HttpSettings,
    pub(super) handles: HttpHandles,
    pages: PageAddress,
    pub(super) entry_limits: EntryLimits,
    pub(super) log_limits: LogLimits,
    presences: Mutex<Presences>,
    pub(super) event_streams: Arc<EventStreams>,
    pub(super) request_budgets: RequestBudgets,
    pub(super) audit_log: AuditLog,
    pub(super) shutdown: watch::Receiver<bool>,
    /// Each page's WebSocket holds a clone; when the last one is dropped, every meeting has been told. Nothing is ever sent.
    pub(super) page_sockets: mpsc::Sender<()>,
}

impl AppState {
    pub(super) fn new(
        settings: HttpSettings,
        handles: HttpHandles,
        pages: PageAddress,
        page_sockets: mpsc::Sender<()>,
        shutdown: watch::Receiver<bool>,
        now: Instant,
    ) -> Self {
        Self {
            entry_limits: EntryLimits::new(now),
            log_limits: LogLimits::default(),
            presences: Mutex::default(),
            event_streams: Arc::default(),
            request_budgets: RequestBudgets::new(settings.requests_per_second, now),
            audit_log: AuditLog::default(),
            shutdown,
            page_sockets,
            settings,
            handles,
            pages,
        }
    }

    /// The settings in force that a reload may change.
    pub(super) fn web(&self) -> Arc<WebSettings> {
        Arc::clone(&self.handles.web.borrow())
    }

    /// A link as a whole, as browsers reach it by the settings in force.
    pub(super) fn link_url(&self, token: &str) -> String {
        self.pages.link(self.web().public_url.as_deref(), token)
    }

    /// The questions that the rest of the daemon answers.
    pub(super) fn administration(&self) -> &dyn Administration {
        self.handles.administration.as_ref()
    }

    /// The meeting of this name, if it runs.
    pub(super) async fn running_meeting(&self, name: &MeetingName) -> Option<MeetingHandle> {
        self.handles.registry.running().await.into_iter().find(|handle| handle.name() == name)
    }

    /// Which presences each session has.
    pub(super) fn presences(&self) -> MutexGuard<'_, Presences> {
        self.presences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the browser's end is https, so that a cookie may be kept to it.
    pub(super) fn is_secure(&self, peer: &HttpPeer, headers: &HeaderMap) -> bool {
        peer.is_secure(headers, self.web().public_url.as_deref())
    }

    /// Whether a page of this server sent the request (U-4); `None`: no page did.
    pub(super) fn same_origin(&self, peer: &HttpPeer, headers: &HeaderMap) -> Option<bool> {
        peer.same_origin(headers, self.web().public_url.as_deref())
    }

    /// Whom limits count a request to.
    pub(super) fn source(&self, peer: &HttpPeer, headers: &HeaderMap) -> ClientSource {
        ClientSource::from(peer.client(headers, &self.web().trusted_proxies))
    }
}
