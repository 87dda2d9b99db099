//! The HTTP server: meeting pages and their signalling, member links, the operator's API, health (U-1, U-2, U-4 to U-6).
//!
//! In flow requests of browsers and programs; out flow asks to live meetings, which decide. Nothing here knows who may do
//! what in a meeting: [`session`] says who somebody is, and the meeting's policy what follows from it (M-7). A client that
//! stalls, floods or lies costs one task and one place of its address's connections.
#![allow(clippy::disallowed_methods, reason = "a driver: starts the server's task and tells the time")]

mod api;
pub mod desk;
mod health;
mod page;
pub mod peer;
mod refuse;
mod serve;
pub mod session;
mod webhook;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::budget::{Allowance, Budgets};
use crate::ids::{CallId, MeetingName, ParticipantId};
use crate::meeting::{By, Refusal, Registry};
use crate::network::Network;
use crate::redact::Redacted;
use crate::relay::provider::{WebhookAnswer, WebhookCall};
use crate::service::embedded::signalling::ResumeKey;
use crate::telemetry::events::Events;
use crate::tls::{self, TlsFiles};

pub use session::{ApiToken, Sessions, resume_key};

use api::events::Streams;
use api::guard::{Audit, Limiter};
use desk::Desks;
use peer::{Connections, Peer, Source};
use refuse::ProblemDetails;
use session::{Session, SessionId};

/// Bytes of a request's body; the largest that makes sense is a chat line of 4000 characters, each escaped.
const LARGEST_BODY: usize = 64 * 1024;
/// From a request's head to its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Wrong tokens of one address: a brute force is pointless against 256 bits, but it should not be free.
const WRONG_TOKENS: Allowance = Allowance { burst: 10, every: Duration::from_secs(6) };
/// Addresses with wrong tokens that are told apart; beyond, they share one allowance.
const WRONG_SOURCES: usize = 4096;
/// How long meetings may take to hear that the server stops.
const SOCKETS_STOP: Duration = Duration::from_secs(5);
/// Connections from one address (an organisation behind NAT is one), as shipped.
pub const CONNECTIONS_PER_ADDRESS: usize = 512;
/// Connections altogether, as shipped.
pub const CONNECTIONS: usize = 4096;

/// One `RTCIceServer` for the page's peer connection (U-2). Everybody who opens a meeting page gets it.
#[derive(Debug, Clone, Serialize)]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` addresses.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "exposed")]
    pub credential: Option<Redacted<String>>,
}

fn exposed<S: Serializer>(secret: &Option<Redacted<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Redacted::expose).serialize(serializer)
}

/// Reads the newest lines, at most so many, from what the store keeps.
pub type Query = Arc<dyn Fn(usize) -> QueryAnswer + Send + Sync>;
/// What a [`Query`] gives.
pub type QueryAnswer = Pin<Box<dyn Future<Output = Result<Vec<serde_json::Value>, QueryError>> + Send>>;
/// Tells how the daemon is (U-1).
pub type StatusQuery = Arc<dyn Fn() -> StatusAnswer + Send + Sync>;
/// What a [`StatusQuery`] gives.
pub type StatusAnswer = Pin<Box<dyn Future<Output = serde_json::Value> + Send>>;
/// Gives the text of a scrape (U-5).
pub type MetricsQuery = Arc<dyn Fn() -> MetricsAnswer + Send + Sync>;
/// What a [`MetricsQuery`] gives.
pub type MetricsAnswer = Pin<Box<dyn Future<Output = String> + Send>>;
/// Ends a block; `false` when there is none of this name.
pub type Lift = Arc<dyn Fn(String) -> LiftAnswer + Send + Sync>;
/// What a [`Lift`] gives.
pub type LiftAnswer = Pin<Box<dyn Future<Output = bool> + Send>>;
/// Lists the devices that can be called (S-9).
pub type Rooms = Arc<dyn Fn() -> RoomsAnswer + Send + Sync>;
/// What [`Rooms`] gives.
pub type RoomsAnswer = Pin<Box<dyn Future<Output = Vec<Room>> + Send>>;
/// Calls a device into a meeting (S-9).
pub type Invite = Arc<dyn Fn(MeetingName, String, By) -> Result<CallId, Refusal> + Send + Sync>;

/// Asks a provider of short messages, by its name, what a call at its webhook means (C-10).
pub type Webhook = Arc<dyn Fn(String, WebhookCall) -> WebhookAnswered + Send + Sync>;
/// What a [`Webhook`] gives.
pub type WebhookAnswered = Pin<Box<dyn Future<Output = WebhookAnswer> + Send>>;

/// Has a device fetch its configuration anew.
pub type CheckSync = Arc<dyn Fn(String) -> CheckSyncAnswer + Send + Sync>;
/// What a [`CheckSync`] gives.
pub type CheckSyncAnswer = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// A device that can be called into a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Room {
    /// Its label.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// It is registered, or its entry says where it is.
    pub reachable: bool,
    /// It has a call with us now.
    pub in_use: bool,
}

/// Where a registered device is to be found (S-3).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Contact {
    /// The device's label.
    pub device: String,
    /// The URI it has registered.
    pub contact: String,
    /// Its preference, 0 to 1.
    pub q: f64,
    /// Seconds until it dies.
    pub expires_in_s: u64,
    /// Where the REGISTER came from.
    #[schema(value_type = String)]
    pub source: SocketAddr,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// As it calls itself.
    pub user_agent: Option<String>,
    /// `+sip.instance` (RFC 5626).
    pub instance: Option<String>,
    /// `reg-id` (RFC 5626).
    pub reg_id: Option<u32>,
    /// Proxies between it and us (RFC 3327).
    pub path: Vec<String>,
}

/// Why the store did not answer; goes to the log, not to the client.
pub type QueryError = Box<dyn std::error::Error + Send + Sync>;

/// What a reload of the configuration may change (O-2).
#[derive(Debug, Clone, Default)]
pub struct WebSettings {
    /// Proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<Network>,
    /// How browsers reach this server, if not by the name they send as `Host`.
    pub public_url: Option<String>,
    /// The host organisation's name.
    pub organisation: String,
    /// For the pages' peer connections.
    pub ice_servers: Vec<IceServer>,
    /// Labels of devices, and what programs of their rooms show at the API (U-4).
    pub device_tokens: Vec<(String, ApiToken)>,
}

/// What the server needs to know.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where to listen; port 0 takes any.
    pub address: SocketAddr,
    /// TLS; without it plain HTTP is spoken, for loopback or behind a proxy.
    pub tls: Option<TlsFiles>,
    /// What is configured at the moment.
    pub web: watch::Receiver<Arc<WebSettings>>,
    /// Where the media workers listen, so that a page can say which port is blocked (U-2).
    pub media_candidates: Vec<SocketAddr>,
    /// Something is configured that can transcribe (N-11).
    pub transcription: bool,
    /// People around a phone can have the chat by SMS: a provider is configured that sends.
    pub sms: bool,
    /// Links and cookies.
    pub sessions: Sessions,
    /// Signs which seat a page had.
    pub resume_key: ResumeKey,
    /// The operator's token.
    pub api_token: ApiToken,
    /// True while calls are taken (U-5).
    pub ready: watch::Receiver<bool>,
    /// What happens (M-17).
    pub events: Events,
    /// Calls and their records.
    pub desks: Desks,
    /// Copies of the chat, without what was said (C-8).
    pub chats: Query,
    /// What is on its way by SMS, for the operator (C-7).
    pub outbox: StatusQuery,
    /// Who knows what calls of providers of short messages mean.
    pub webhook: Webhook,
    /// How the daemon is, for the operator.
    pub status: StatusQuery,
    /// The same in numbers, as OpenMetrics text.
    pub metrics: MetricsQuery,
    /// For the operator: hears a silenced source again, unlocks a source or a meeting.
    pub lift: Lift,
    /// Devices that can be called into a meeting (S-9).
    pub rooms: Rooms,
    /// Calls one of them.
    pub invite: Invite,
    /// Has one of them fetch its configuration anew.
    pub check_sync: CheckSync,
    /// Contacts of registered devices.
    pub devices: Query,
    /// Who has the chat sent by SMS, numbers masked (C-2).
    pub subscriptions: Query,
    /// What the API's document must know of answers that are made elsewhere: schemas by name.
    pub schemas: Vec<(String, RefOr<Schema>)>,
    /// Where recordings are.
    pub recordings: PathBuf,
    /// Requests a second of one session, of one device, or of the operator at one address; ten times as many at once.
    pub requests_per_second: u32,
    /// Open connections from one address; for IPv6 a /64. Trusted proxies are not limited.
    pub connections_per_address: usize,
    /// Open connections altogether.
    pub connections: usize,
}

impl fmt::Debug for HttpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSettings").field("address", &self.address).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// A running server.
#[derive(Debug)]
pub struct Bound {
    /// Where it really listens.
    pub addr: SocketAddr,
    /// Ends some seconds after `shutdown`, when every page's meeting has been told.
    pub task: JoinHandle<()>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened at.
    #[error("HTTP cannot listen at {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

/// What the server's rooms share.
struct Site {
    settings: HttpSettings,
    registry: Registry,
    wrong_tokens: Mutex<Budgets<Source>>,
    presences: Mutex<Presences>,
    streams: Arc<Streams>,
    limiter: Limiter,
    audit: Audit,
    shutdown: watch::Receiver<bool>,
    /// Each page's socket holds a clone; when the last is gone, every meeting has been told. Nothing is ever sent.
    sockets: mpsc::Sender<()>,
}

/// Which presences a session has now: its open pages, the newest last.
type Presences = HashMap<SessionId, Vec<ParticipantId>>;

impl Site {
    /// What is configured at the moment.
    fn web(&self) -> Arc<WebSettings> {
        Arc::clone(&self.settings.web.borrow())
    }

    /// The session of a request, if it carries a valid cookie.
    fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let ours = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == session::COOKIE).then_some(value)
        });
        // A browser sends one; the limit is for those who send hundreds.
        let sessions = ours.take(4).filter_map(|cookie| self.settings.sessions.session(cookie, SystemTime::now()));
        sessions.into_iter().find(|session| self.is_current(session))
    }

    /// Whether a session is for the meeting that has its name now.
    fn is_current(&self, session: &Session) -> bool {
        self.settings.desks.house.made_at(&session.meeting) == session.made_at
    }

    /// Nothing, or how long this source has to wait after its many wrong tokens.
    fn may_try(&self, source: Source) -> Result<(), ProblemDetails> {
        let wait = self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner).wait(Instant::now(), &source);
        if wait.is_zero() { Ok(()) } else { Err(ProblemDetails::too_many("Too many wrong tokens from your address.", wait)) }
    }

    /// Counts a wrong token. The last one of an allowance is one log line.
    fn wrong_token(&self, source: Source) {
        let now = Instant::now();
        let mut wrong_tokens = self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong_tokens.take(now, source) && !wrong_tokens.wait(now, &source).is_zero() {
            tracing::warn!(address = %source, "too many wrong tokens: further ones are refused for a while");
        }
    }

    fn source(&self, peer: &Peer, headers: &HeaderMap) -> Source {
        Source::from(peer.client(headers, &self.web().trusted_proxies))
    }
}

/// Starts the server. It ends when `shutdown` turns true.
///
/// # Errors
/// The address or the certificate cannot be used.
pub async fn start(settings: HttpSettings, registry: Registry, shutdown: watch::Receiver<bool>) -> Result<Bound, StartError> {
    let tls = settings.tls.clone().map(|files| tls::Server::open(files, &[b"http/1.1"], None)).transpose()?;
    let tls = tls.map(|server| TlsAcceptor::from(server.config()));
    let address = settings.address;
    let bind = |source| StartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;

    let connections = Connections::new(settings.connections_per_address, settings.connections);
    let web = settings.web.clone();
    let (sockets, mut sockets_gone) = mpsc::channel(1);
    let site = Arc::new(Site {
        registry,
        wrong_tokens: Mutex::new(Budgets::new(WRONG_TOKENS, WRONG_SOURCES, Instant::now())),
        presences: Mutex::default(),
        streams: Arc::default(),
        limiter: Limiter::new(settings.requests_per_second, crate::machine::now()),
        audit: Audit::default(),
        shutdown: shutdown.clone(),
        sockets,
        settings,
    });
    let serving = serve::Serving { listener, tls, router: router(site), web, connections, shutdown };
    let task = tokio::spawn(async move {
        serve::run(serving).await;
        if tokio::time::timeout(SOCKETS_STOP, sockets_gone.recv()).await.is_err() {
            tracing::warn!("pages cut at the stop before their meetings were told");
        }
    });
    Ok(Bound { addr, task })
}

fn router(site: Arc<Site>) -> Router {
    Router::new()
        .merge(health::routes())
        .merge(page::routes())
        .merge(webhook::routes())
        .nest(api::ROOT, api::routes(&site))
        .fallback(page::not_found)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(in_time))
        .layer(from_fn(harden))
        .with_state(site)
}

/// A body that trickles in, or a meeting that does not answer, does not hold a request for ever.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "This took too long. Please try again.")
            .into_response(),
    }
}

/// What every answer tells a browser, unless a page says otherwise. `ws:` and `wss:` are for browsers in which `'self'`
/// does not include the WebSocket of the same host.
const HARDENING: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), "microphone=(self), camera=(), geolocation=(), payment=(), usb=()"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
];

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HARDENING {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
