//! The listening socket: accepts connections, completes TLS handshakes, and speaks HTTP/1.1 to each connection in a task of its own, so that a
//! client that stalls delays nobody. HTTP/2 is not offered: pages need WebSockets, and load a handful of files.
#![allow(clippy::disallowed_methods, reason = "a driver: starts a task for each connection")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connections::{ConnectionSlot, HttpConnections, TooManyConnections};
use super::peer::HttpPeer;
use super::settings::WebSettings;
use crate::common::log_limit::LogLimit;

/// A TLS handshake takes no longer, or is given up.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// A request's head is complete within this time; it is also how long a connection may rest between two requests.
const HEAD_TIME: Duration = Duration::from_secs(20);
/// Bytes of a request's head.
const HEAD_SIZE: usize = 16 * 1024;
/// Header lines of a request.
const HEAD_LINES: usize = 64;
/// Data that the other end does not take for so long ends the connection.
const STALL_TIME: Duration = Duration::from_secs(30);
/// Rest after the system refused an accept (no file descriptors left).
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How long requests under way may go on when the server stops.
const STOP_TIME: Duration = Duration::from_secs(3);

/// Lines of the log that strangers can cause, each with a limit of its own.
#[derive(Default)]
struct LineLimits {
    not_accepted: LogLimit,
    of_source: LogLimit,
    altogether: LogLimit,
}

/// What [`run`] needs to know.
pub(super) struct ServerTask {
    /// Where to accept.
    pub(super) listener: TcpListener,
    /// TLS, unless plain HTTP is spoken.
    pub(super) tls: Option<TlsAcceptor>,
    /// What answers.
    pub(super) router: Router,
    /// The settings in force: whose `X-Forwarded-…` headers count.
    pub(super) web: watch::Receiver<Arc<WebSettings>>,
    /// Who is connected.
    pub(super) connections: Arc<HttpConnections>,
    /// True: stop.
    pub(super) shutdown: watch::Receiver<bool>,
}

/// A connection that was taken.
struct Accepted {
    from: SocketAddr,
    /// Our end.
    at: Option<SocketAddr>,
    /// The other end is one of `trusted_proxies`.
    proxy: bool,
}

impl Accepted {
    /// The peer of its requests; `name`: of the certificate that was asked for (RFC 6066 section 3), where TLS is spoken.
    fn peer(self, tls: bool, name: Option<Arc<str>>, slot: ConnectionSlot) -> HttpPeer {
        let Self { from, at, proxy } = self;
        HttpPeer { address: from.ip().to_canonical(), at, tls, name, proxy, slot: Arc::new(slot) }
    }
}

/// Serves until `shutdown` turns true or its sender is gone; then waits for what is under way, for a few seconds at most.
pub(super) async fn run(mut serving: ServerTask) {
    let service = TowerToHyperService::new(serving.router);
    let mut limits = LineLimits::default();
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = serving.listener.accept() => accepted,
            _ = serving.shutdown.wait_for(|stop| *stop) => break,
            Some(ended) = tasks.join_next() => {
                if let Err(panic) = ended {
                    tracing::error!(%panic, "a connection's task failed");
                }
                continue;
            }
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if let Some(unsaid) = limits.not_accepted.admit(Instant::now()) {
                    tracing::warn!(%error, unsaid, "HTTP connection not accepted");
                }
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            }
        };
        let proxy = serving.web.borrow().trusted_proxies.iter().any(|network| network.contains(from.ip()));
        let Some(slot) = slot(&serving.connections, from.ip(), proxy, &mut limits) else { continue };
        prepare(&stream, from);
        let (service, shutdown) = (service.clone(), serving.shutdown.clone());
        let accepted = Accepted { from, at: stream.local_addr().ok(), proxy };
        match serving.tls.clone() {
            None => drop(tasks.spawn(serve_connection(stream, accepted.peer(false, None, slot), service, shutdown))),
            Some(acceptor) => {
                slot.begin_handshake();
                tasks.spawn(async move {
                    let Some(stream) = handshake(&acceptor, stream, from, &slot).await else { return };
                    let name = stream.get_ref().1.server_name().map(Arc::from);
                    serve_connection(stream, accepted.peer(true, name, slot), service, shutdown).await;
                });
            }
        }
    }
    drop(serving.listener);
    let finished = tokio::time::timeout(STOP_TIME, async { while tasks.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        tracing::info!(connections = tasks.len(), "HTTP connections cut at the stop");
    }
}

/// A place among the open connections; `None`: there is none, and the log says so within its limits.
fn slot(connections: &Arc<HttpConnections>, from: IpAddr, proxy: bool, limits: &mut LineLimits) -> Option<ConnectionSlot> {
    let refusal = match connections.open(from, proxy) {
        Ok(slot) => return Some(slot),
        Err(refusal) => refusal,
    };
    let (limit, whose) = match refusal {
        TooManyConnections::OfSource => (&mut limits.of_source, "from this address"),
        TooManyConnections::Altogether => (&mut limits.altogether, "altogether"),
    };
    if let Some(unsaid) = limit.admit(Instant::now()) {
        tracing::warn!(address = %from, unsaid, "HTTP connection refused: too many open {whose}");
    }
    None
}

/// The TLS handshake; `None`: it failed, took too long, or was closed for another connection.
async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    from: SocketAddr,
    slot: &ConnectionSlot,
) -> Option<TlsStream<TcpStream>> {
    let finished = tokio::select! {
        finished = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)) => finished,
        () = slot.evicted() => return None,
    };
    slot.set_idle();
    match finished {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => tracing::debug!(address = %from.ip(), %error, "TLS handshake failed"),
        Err(_) => tracing::debug!(address = %from.ip(), "TLS handshake not finished in time"),
    }
    None
}

/// Small messages leave at once, and a peer that is gone or reads nothing is noticed (RFC 5482).
fn prepare(stream: &TcpStream, from: SocketAddr) {
    let socket = socket2::SockRef::from(stream);
    if let Err(error) = socket.set_tcp_nodelay(true).and_then(|()| socket.set_tcp_user_timeout(Some(STALL_TIME))) {
        tracing::debug!(address = %from.ip(), %error, "socket options not set");
    }
}

/// Answers the requests of one connection until it ends, `shutdown` turns true, or it is closed for another one.
pub(super) async fn serve_connection<S>(
    stream: S,
    peer: HttpPeer,
    service: TowerToHyperService<Router>,
    mut shutdown: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (address, slot) = (peer.address, Arc::clone(&peer.slot));
    let service = service_fn(move |mut request: Request<Incoming>| {
        peer.slot.begin_request();
        request.extensions_mut().insert(peer.clone());
        let (answer, slot) = (service.call(request), Arc::clone(&peer.slot));
        async move {
            let answer = answer.await;
            // A stream, or a WebSocket, is under way after its head.
            let goes_on = |answer: &Response| {
                answer.status() == StatusCode::SWITCHING_PROTOCOLS || answer.body().size_hint().exact().is_none()
            };
            if !answer.as_ref().is_ok_and(goes_on) {
                slot.set_idle();
            }
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD_SIZE)
        .max_headers(HEAD_LINES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let stopping = async { drop(shutdown.wait_for(|stop| *stop).await) };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = stopping => None,
        () = slot.evicted() => {
            tracing::debug!(%address, "idle HTTP connection closed for another one");
            return;
        }
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "HTTP connection ended");
    }
}
