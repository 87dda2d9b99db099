//! The HTTP server: meeting pages and their signalling, member links, the operator's API, health (U-1, U-2, U-4 to U-6).
//!
//! In flow requests of browsers and programs; out flow asks to live meetings, which decide. Nothing here knows who may do
//! what in a meeting: [`session`] says who somebody is, and the meeting's policy what follows from it (M-7). A client that
//! stalls, floods or lies costs one task and one place of its address's connections.
#![allow(clippy::disallowed_methods, reason = "a driver: starts the server's task and tells the time")]

pub mod admin;
mod api;
mod browser;
mod control_socket;
mod health;
mod link_exchange;
mod listener;
mod page;
pub mod peer;
mod presence;
mod problem_details;
pub mod secret;
mod security_headers;
pub mod session;
mod webhook;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::common::ids::{CallId, MeetingName};
use crate::common::ip_network::IpNetwork;
use crate::common::log_limit::LogLimit;
use crate::common::rate_limit::{RateLimit, RateLimiter};
use crate::meeting::{By, MeetingRefusal, MeetingRegistry};
use crate::menu::SharedLockout;
use crate::net::tls::{self, TlsFiles};
use crate::relay::provider::{WebhookAnswer, WebhookCall};
use crate::service::embedded::signalling::ResumeKey;
use crate::telemetry::events::Events;

pub use crate::service::embedded::signalling::ice::{IceSecret, IceServer};
pub use control_socket::SOCKET_FILE;
pub use secret::{ApiToken, resume_key};
pub use session::Sessions;

use admin::AdminHandles;
use api::events::Streams;
use api::guard::{Audit, Limiter};
use peer::{ClientSource, HttpConnections, HttpPeer};
use presence::Presences;
use problem_details::ProblemDetails;
use security_headers::harden;

/// Bytes of a request's body; the largest that makes sense is a chat line of 4000 characters, each escaped.
const LARGEST_BODY: usize = 64 * 1024;
/// From a request's head to its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Wrong tokens of one address: a brute force is pointless against 256 bits, but it should not be free.
const WRONG_TOKENS: RateLimit = RateLimit { burst: 10, every: Duration::from_secs(6) };
/// Addresses with wrong tokens that are told apart; beyond, they share one allowance.
const WRONG_SOURCES: usize = 4096;
/// Sessions that passcodes and links open for one address: an organisation behind NAT joins within a minute, a program goes on for ever.
const OPENED: RateLimit = RateLimit { burst: 100, every: Duration::from_secs(2) };
/// How long meetings may take to hear that the server stops.
const SOCKETS_STOP: Duration = Duration::from_secs(5);
/// Connections from one address (an organisation behind NAT is one), as shipped.
pub const CONNECTIONS_PER_ADDRESS: usize = 512;
/// Connections altogether, as shipped.
pub const CONNECTIONS: usize = 4096;

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
pub type ListRooms = Arc<dyn Fn() -> RoomsAnswer + Send + Sync>;
/// What [`ListRooms`] gives.
pub type RoomsAnswer = Pin<Box<dyn Future<Output = Vec<Room>> + Send>>;
/// Calls a device into a meeting (S-9).
pub type InviteDevice = Arc<dyn Fn(MeetingName, String, By) -> Result<CallId, MeetingRefusal> + Send + Sync>;

/// Asks a provider of short messages, by its name, what a call at its webhook means (C-10).
pub type Webhook = Arc<dyn Fn(String, WebhookCall) -> WebhookAnswered + Send + Sync>;
/// What a [`Webhook`] gives.
pub type WebhookAnswered = Pin<Box<dyn Future<Output = WebhookAnswer> + Send>>;

/// Has a device fetch its configuration anew.
pub type CheckSync = Arc<dyn Fn(String) -> CheckSyncAnswer + Send + Sync>;
/// What a [`CheckSync`] gives.
pub type CheckSyncAnswer = Pin<Box<dyn Future<Output = Result<(), MeetingRefusal>> + Send>>;

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
    pub trusted_proxies: Vec<IpNetwork>,
    /// How browsers reach this server, if not by the name they send as `Host`.
    pub public_url: Option<String>,
    /// The host organisation's name.
    pub organisation: String,
    /// For the peer connections of pages that have joined.
    pub ice_servers: Vec<IceServer>,
    /// Labels of devices, and what programs of their rooms show at the API (U-4).
    pub device_tokens: Vec<(String, ApiToken)>,
}

/// What the server needs to know.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where to listen; port 0 takes any.
    pub address: SocketAddr,
    /// Where commands on this machine ask ([`SOCKET_FILE`]).
    pub socket: PathBuf,
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
    /// Wrong codes of late, of calls and pages alike (K-1).
    pub lockout: SharedLockout,
    /// True while calls are taken (U-5).
    pub ready: watch::Receiver<bool>,
    /// What happens (M-17).
    pub events: Events,
    /// Calls and their records.
    pub admin: AdminHandles,
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
    pub rooms: ListRooms,
    /// Calls one of them.
    pub invite: InviteDevice,
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
pub enum HttpStartError {
    /// The address cannot be listened at.
    #[error("HTTP cannot listen at {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The socket for commands cannot be listened at.
    #[error("commands cannot be listened to at {}: {source}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

/// What the server's rooms share.
struct AppState {
    settings: HttpSettings,
    registry: MeetingRegistry,
    wrong_tokens: Mutex<RateLimiter<ClientSource>>,
    opened: Mutex<RateLimiter<ClientSource>>,
    /// Lines about addresses with too many wrong tokens.
    said_of_tokens: Mutex<LogLimit>,
    /// Lines about wrong passcodes.
    said_of_codes: Mutex<LogLimit>,
    /// Lines about guests that enter by a link.
    said_of_guests: Mutex<LogLimit>,
    /// Lines about sessions of guests that end.
    said_of_ends: Mutex<LogLimit>,
    presences: Mutex<Presences>,
    streams: Arc<Streams>,
    limiter: Limiter,
    audit: Audit,
    shutdown: watch::Receiver<bool>,
    /// Each page's socket holds a clone; when the last is gone, every meeting has been told. Nothing is ever sent.
    sockets: mpsc::Sender<()>,
}

impl AppState {
    /// What is configured at the moment.
    fn web(&self) -> Arc<WebSettings> {
        Arc::clone(&self.settings.web.borrow())
    }

    /// Which presences a session has.
    fn presences(&self) -> MutexGuard<'_, Presences> {
        self.presences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the browser's end is https, so that a cookie may be kept to it.
    fn is_secure(&self, peer: &HttpPeer, headers: &HeaderMap) -> bool {
        peer.secure(headers, self.web().public_url.as_deref())
    }

    /// Whether a page of ours asks (U-4); `None`: no page does.
    fn same_origin(&self, peer: &HttpPeer, headers: &HeaderMap) -> Option<bool> {
        peer.same_origin(headers, self.web().public_url.as_deref())
    }

    /// Counts a wrong token, after it was looked at: who shows a right one is never held up by those of others, nor by their number.
    ///
    /// # Errors
    /// Too many came from there: how long this source has to wait before it is told again that it is wrong.
    fn wrong_token(&self, source: ClientSource) -> Result<(), ProblemDetails> {
        let now = Instant::now();
        let mut wrong_tokens = self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if !wrong_tokens.take(now, source) {
            let wait = wrong_tokens.wait(now, &source);
            return Err(ProblemDetails::too_many("Too many wrong tokens from your address.", wait));
        }
        if !wrong_tokens.wait(now, &source).is_zero()
            && let Some(unsaid) = self.said_of_tokens.lock().unwrap_or_else(PoisonError::into_inner).says(now)
        {
            tracing::warn!(address = %source, unsaid, "too many wrong tokens: further ones are refused for a while");
        }
        Ok(())
    }

    /// Counts a session that a passcode or a link opens.
    ///
    /// # Errors
    /// How long this source has to wait.
    fn may_open(&self, source: ClientSource) -> Result<(), ProblemDetails> {
        let now = Instant::now();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.take(now, source) {
            return Ok(());
        }
        Err(ProblemDetails::too_many("Too many have entered from your address.", opened.wait(now, &source)))
    }

    /// Says that a wrong passcode was given, unless that was said a moment ago.
    fn wrong_passcode(&self, source: ClientSource, meeting: &MeetingName) {
        if let Some(unsaid) = self.said_of_codes.lock().unwrap_or_else(PoisonError::into_inner).says(Instant::now()) {
            tracing::warn!(address = %source, %meeting, unsaid, "wrong passcode at the page");
        }
    }

    /// Whether a line about this session is written, and then how many were not: of guests there may be any number.
    fn says_of(&self, limit: &Mutex<LogLimit>, session: &session::PageSession) -> Option<u64> {
        if session.is_member() { Some(0) } else { limit.lock().unwrap_or_else(PoisonError::into_inner).says(Instant::now()) }
    }

    fn source(&self, peer: &HttpPeer, headers: &HeaderMap) -> ClientSource {
        ClientSource::from(peer.client(headers, &self.web().trusted_proxies))
    }
}

/// Starts the server. It ends when `shutdown` turns true.
///
/// # Errors
/// The address or the certificate cannot be used.
pub async fn start(
    settings: HttpSettings,
    registry: MeetingRegistry,
    shutdown: watch::Receiver<bool>,
) -> Result<Bound, HttpStartError> {
    let tls = settings.tls.clone().map(|files| tls::TlsServer::open(files, &[b"http/1.1"], None)).transpose()?;
    let tls = tls.map(|server| TlsAcceptor::from(server.config()));
    let address = settings.address;
    let bind = |source| HttpStartError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;
    let path = settings.socket.clone();
    let commands = control_socket::bind(&path).map_err(|source| HttpStartError::Socket { path, source })?;

    let connections = HttpConnections::new(settings.connections_per_address, settings.connections);
    let web = settings.web.clone();
    let (sockets, mut sockets_gone) = mpsc::channel(1);
    let app = Arc::new(AppState {
        registry,
        wrong_tokens: Mutex::new(RateLimiter::new(WRONG_TOKENS, WRONG_SOURCES, Instant::now())),
        opened: Mutex::new(RateLimiter::new(OPENED, WRONG_SOURCES, Instant::now())),
        said_of_tokens: Mutex::default(),
        said_of_codes: Mutex::default(),
        said_of_guests: Mutex::default(),
        said_of_ends: Mutex::default(),
        presences: Mutex::default(),
        streams: Arc::default(),
        limiter: Limiter::new(settings.requests_per_second, crate::common::machine::now()),
        audit: Audit::default(),
        shutdown: shutdown.clone(),
        sockets,
        settings,
    });
    let router = router(app);
    let commands = control_socket::run(commands, router.clone(), shutdown.clone());
    let serving = listener::ServerTask { listener, tls, router, web, connections, shutdown };
    let task = tokio::spawn(async move {
        tokio::join!(listener::run(serving), commands);
        if tokio::time::timeout(SOCKETS_STOP, sockets_gone.recv()).await.is_err() {
            tracing::warn!("pages cut at the stop before their meetings were told");
        }
    });
    Ok(Bound { addr, task })
}

fn router(app: Arc<AppState>) -> Router {
    Router::new()
        .merge(health::routes())
        .merge(page::routes())
        .merge(link_exchange::routes())
        .merge(webhook::routes())
        .nest(api::ROOT, api::routes(&app))
        .fallback(page::not_found)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(in_time))
        .layer(from_fn_with_state(Arc::clone(&app), harden))
        .with_state(app)
}

/// A body that trickles in, or a meeting that does not answer, does not hold a request for ever.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "This took too long. Please try again.")
            .into_response(),
    }
}

/// What is read of a request's head before anybody is known, for the fuzz target: the first line is `Host`, each further one a header of its
/// own. What must hold: no panic, and nobody is believed to be us who does not say so.
pub(crate) fn head(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut headers = HeaderMap::new();
    for (number, line) in text.lines().take(64).enumerate() {
        let (name, value) = if number == 0 { ("host", line) } else { line.split_once(':').unwrap_or(("cookie", line)) };
        if let (Ok(name), Ok(value)) = (name.trim().parse::<axum::http::HeaderName>(), value.trim().parse()) {
            headers.append(name, value);
        }
    }
    let connections = HttpConnections::new(2, 2);
    for proxy in [false, true] {
        let address = std::net::IpAddr::from([192, 0, 2, 1]);
        let Ok(slot) = connections.enter(address, proxy) else { return };
        let at = Some(SocketAddr::from(([192, 0, 2, 80], 8080)));
        let peer = HttpPeer { address, at, tls: false, name: None, proxy, slot: Arc::new(slot) };
        let public = Some("https://meet.example");
        let named = security_headers::host(&headers).is_some_and(|host| security_headers::is_ours(&peer, host, public));
        let same = peer.same_origin(&headers, public);
        let client = peer.client(&headers, &[]);
        if !proxy {
            assert_eq!(client, address, "a stranger speaks for itself");
            let origin = headers.get("origin").and_then(|origin| peer::authority(origin.to_str().ok()?));
            let ours = |host: &str| security_headers::host(&headers).is_none_or(|named| named.eq_ignore_ascii_case(host));
            assert!(same != Some(true) || origin.is_some_and(|origin| origin.host == "meet.example" || ours(&origin.host)));
            assert!(named || !security_headers::host(&headers).is_some_and(|host| host.eq_ignore_ascii_case("meet.example")));
        }
        let _ = (peer.secure(&headers, public), peer.is_here(&headers));
    }
    let _ = text.lines().filter_map(session::id_of).count();
}

#[cfg(test)]
mod tests;
