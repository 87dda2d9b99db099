//! The start of the server: its listeners, its state and its routes.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::connections::HttpConnections;
use super::page_address::PageAddress;
use super::problem_details::ProblemDetails;
use super::security_headers::harden;
use super::settings::HttpSettings;
use super::state::{AppState, HttpHandles};
use super::{api, control_socket, health, link_exchange, listener, page, plain_page, webhook};
use crate::net::tls;

/// Bytes of a request's body; the largest that makes sense is a chat line of 4000 characters, each escaped.
pub(super) const LARGEST_BODY: usize = 64 * 1024;
/// From a request's head to its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// How long pages may take to tell their meetings that the server stops.
const SOCKETS_STOP: Duration = Duration::from_secs(5);

/// A running server.
#[derive(Debug)]
pub struct Bound {
    /// Where it really listens.
    pub addr: SocketAddr,
    /// Where browsers reach its pages.
    pub pages: PageAddress,
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
        /// The error of the system.
        source: io::Error,
    },
    /// The socket for commands cannot be listened at.
    #[error("commands cannot be listened to at {}: {source}", path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

/// Starts the server. It ends when `shutdown` turns true.
///
/// # Errors
/// The address, the socket for commands or the certificate cannot be used.
pub async fn start(
    settings: HttpSettings,
    handles: HttpHandles,
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
    let web = handles.web.clone();
    let (page_sockets, mut sockets_gone) = mpsc::channel(1);
    let pages = PageAddress::new(addr, tls.is_some(), &settings.media_candidates);
    let app = AppState::new(settings, handles, pages.clone(), page_sockets, shutdown.clone(), Instant::now());
    let app = Arc::new(app);
    let router = router(app);
    let commands = control_socket::run(commands, router.clone(), shutdown.clone());
    let serving = listener::ServerTask { listener, tls, router, web, connections, shutdown };
    let task = tokio::spawn(async move {
        tokio::join!(listener::run(serving), commands);
        if tokio::time::timeout(SOCKETS_STOP, sockets_gone.recv()).await.is_err() {
            tracing::warn!("pages cut at the stop before their meetings were told");
        }
    });
    Ok(Bound { addr, pages, task })
}

fn router(app: Arc<AppState>) -> Router {
    Router::new()
        .merge(health::routes())
        .merge(page::routes())
        .merge(link_exchange::routes())
        .merge(webhook::routes())
        .nest(api::ROOT, api::routes(&app))
        .fallback(plain_page::not_found)
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
