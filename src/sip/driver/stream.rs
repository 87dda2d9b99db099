//! Connections, plain and TLS: one task each. It shakes hands, frames what comes in, answers keep-alives and waits when the SIP task is
//! behind; the SIP task never waits for it.
#![allow(clippy::disallowed_methods, reason = "part of the driver")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::common::log_limit::LogLimit;
use crate::common::machine;
use crate::net::tls;
use crate::net::udp::ConnectFuture;
use crate::sip::message::wire::{Framed, Framer};
use crate::sip::{ConnectionId, Flow, Limits, Target};

/// Messages that may wait for a slow peer; one more closes the connection.
const WRITER: usize = 256;
/// Connections that the system may keep until they are accepted: a flood of them must not keep others waiting for their next SYN.
const BACKLOG: i32 = 4096;
/// A peer that takes nothing for so long is gone.
const WRITE_FOR: Duration = Duration::from_secs(30);
/// A message that was begun, or the first one of a connection, must be complete within this time (64·T1).
const MESSAGE_FOR: Duration = Duration::from_secs(32);
/// A connect takes no longer.
const CONNECT_FOR: Duration = Duration::from_secs(4);
/// A TLS handshake takes no longer.
const HANDSHAKE_FOR: Duration = Duration::from_secs(10);

/// What connections tell the SIP task.
pub(super) enum StreamEvent {
    /// A server was looked up.
    Located {
        /// Names the request.
        token: u64,
        /// What was found.
        targets: Vec<Target>,
    },
    Accepted {
        listener: u16,
        stream: TcpStream,
        peer: SocketAddr,
    },
    Connected {
        token: u64,
        stream: Stream,
        local: SocketAddr,
        peer: SocketAddr,
    },
    Failed {
        token: u64,
    },
    /// An accepted connection has finished its TLS handshake; the names of its certificate, if it gave one.
    Secured {
        id: ConnectionId,
        names: Vec<String>,
    },
    Message {
        id: ConnectionId,
        bytes: Vec<u8>,
    },
    /// Nothing came for the configured time.
    Idle(ConnectionId),
    Closed(ConnectionId),
}

/// The bytes below the messages.
pub(super) enum Stream {
    /// A connection without TLS.
    Plain(TcpStream),
    /// TLS that a client of ours has shaken hands for.
    Secure(Box<tokio_rustls::client::TlsStream<TcpStream>>),
    /// TLS whose client has yet to shake hands.
    Accepted(TcpStream, TlsAcceptor),
}

/// Whom a TLS connection of ours is meant to reach.
pub(super) struct Secure {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

/// The SIP task's side of a connection.
pub(super) struct Connection {
    pub(super) flow: Flow,
    /// Its handshake is over, so that it can be written to.
    pub(super) ready: bool,
    writer: mpsc::Sender<Vec<u8>>,
    task: AbortHandle,
}

impl Connection {
    /// Queues bytes; `false` when the queue is full.
    pub(super) fn write(&self, bytes: Vec<u8>) -> bool {
        self.writer.try_send(bytes).is_ok()
    }

    /// Cuts it off. One that is merely dropped still writes what was queued.
    pub(super) fn cut(self) {
        self.task.abort();
    }
}

pub(super) fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier run that linger must not keep us from starting.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

pub(super) async fn accept(listener: u16, socket: TcpListener, news: mpsc::Sender<StreamEvent>) {
    let mut lines = LogLimit::of_sources();
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                if news.send(StreamEvent::Accepted { listener, stream, peer }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: trying again at once would only spin.
                if let Some(unlogged) = lines.admit(machine::now()) {
                    tracing::warn!(%error, unlogged, "connection not accepted");
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

pub(super) async fn connect(
    opened: ConnectFuture,
    (peer, secure): (SocketAddr, Option<Secure>),
    token: u64,
    news: mpsc::Sender<StreamEvent>,
) {
    let answer = match dial(opened, peer, secure).await {
        Ok((stream, local)) => StreamEvent::Connected { token, stream, local, peer },
        Err(error) => {
            tracing::debug!(%peer, %error, "no connection");
            StreamEvent::Failed { token }
        }
    };
    // The SIP task may have ended.
    let _ended = news.send(answer).await;
}

async fn dial(opened: ConnectFuture, peer: SocketAddr, secure: Option<Secure>) -> io::Result<(Stream, SocketAddr)> {
    let stream = timeout(CONNECT_FOR, opened).await??;
    let local = stream.local_addr()?;
    let Some(Secure { config, name }) = secure else { return Ok((Stream::Plain(stream), local)) };
    let shaken = timeout(HANDSHAKE_FOR, TlsConnector::from(config).connect(name, stream)).await?;
    shaken.map(|stream| (Stream::Secure(Box::new(stream)), local)).inspect_err(|error| {
        // Somebody asked for this connection, and will want to know why there is none.
        tracing::warn!(%peer, %error, "TLS handshake failed");
    })
}

pub(super) fn open(
    tasks: &mut JoinSet<()>,
    flow: Flow,
    id: ConnectionId,
    stream: Stream,
    limits: &Limits,
    news: mpsc::Sender<StreamEvent>,
) -> io::Result<Connection> {
    let socket = match &stream {
        Stream::Plain(stream) | Stream::Accepted(stream, _) => stream,
        Stream::Secure(stream) => stream.get_ref().0,
    };
    socket.set_nodelay(true)?;
    SockRef::from(socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
    let ready = !matches!(stream, Stream::Accepted(..));
    let (writer, queue) = mpsc::channel(WRITER);
    let line = Line { id, limits: *limits, pong: writer.clone(), news };
    let task = tasks.spawn(serve(stream, line, queue));
    Ok(Connection { flow, ready, writer, task })
}

/// What a connection's task has.
struct Line {
    id: ConnectionId,
    limits: Limits,
    pong: mpsc::Sender<Vec<u8>>,
    news: mpsc::Sender<StreamEvent>,
}

async fn serve(stream: Stream, line: Line, queue: mpsc::Receiver<Vec<u8>>) {
    match stream {
        Stream::Plain(stream) => converse(stream, line, queue).await,
        Stream::Secure(stream) => converse(*stream, line, queue).await,
        Stream::Accepted(stream, acceptor) => match timeout(HANDSHAKE_FOR, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => {
                let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let names = certificate.map(tls::names).unwrap_or_default();
                if line.news.send(StreamEvent::Secured { id: line.id, names }).await.is_ok() {
                    converse(stream, line, queue).await;
                }
            }
            failed => {
                let error = failed.err().map_or_else(|| "handshake failed".to_owned(), |late| late.to_string());
                tracing::debug!(error, "TLS connection closed");
                // The SIP task may have ended.
                let _ended = line.news.send(StreamEvent::Closed(line.id)).await;
            }
        },
    }
}

async fn converse<S: AsyncRead + AsyncWrite>(stream: S, line: Line, queue: mpsc::Receiver<Vec<u8>>) {
    let (id, news) = (line.id, line.news.clone());
    let (reader, writer) = tokio::io::split(stream);
    let mut writing = std::pin::pin!(write(writer, queue));
    tokio::select! {
        () = read(reader, line) => {
            let _ended = news.send(StreamEvent::Closed(id)).await;
            // A peer that has said all may still listen.
            let _late = timeout(WRITE_FOR, writing).await;
        }
        () = &mut writing => {
            let _ended = news.send(StreamEvent::Closed(id)).await;
        }
    }
}

async fn read<S: AsyncRead>(mut reader: ReadHalf<S>, line: Line) {
    let Line { id, limits, pong, news } = line;
    let mut framer = Framer::new(limits.wire);
    let mut buffer = vec![0; 16 * 1024];
    let mut fresh = true;
    // When the message now under way must be complete.
    let mut due = tokio::time::Instant::now() + MESSAGE_FOR;
    loop {
        let unfinished = fresh || framer.is_inside_message();
        let wait = if unfinished { due } else { tokio::time::Instant::now() + limits.idle };
        let length = match tokio::time::timeout_at(wait, reader.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(length)) => length,
            Err(_) if unfinished => return,
            Err(_) => {
                if news.send(StreamEvent::Idle(id)).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let was_inside = framer.is_inside_message();
        framer.push(buffer.get(..length).unwrap_or_default());
        let mut complete = false;
        loop {
            match framer.next() {
                Ok(Some(Framed::Message(bytes))) => {
                    (fresh, complete) = (false, true);
                    if news.send(StreamEvent::Message { id, bytes }).await.is_err() {
                        return;
                    }
                }
                // A peer that pings and never reads gets no pongs: RFC 5626 lets it find out.
                Ok(Some(Framed::Ping)) => {
                    (fresh, complete) = (false, true);
                    let _full = pong.try_send(b"\r\n".to_vec());
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%error, "framing lost, connection closed");
                    // It is answered before that, if it can be.
                    let _ended = news.send(StreamEvent::Message { id, bytes: framer.into_rest() }).await;
                    return;
                }
            }
        }
        if complete || !(was_inside || fresh) {
            due = tokio::time::Instant::now() + MESSAGE_FOR;
        }
    }
}

async fn write<S: AsyncWrite>(mut writer: WriteHalf<S>, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        let written = timeout(WRITE_FOR, async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        });
        if !matches!(written.await, Ok(Ok(()))) {
            return;
        }
    }
    // TLS says goodbye; a peer that does not hear it is gone anyway.
    let _gone = timeout(WRITE_FOR, writer.shutdown()).await;
}
