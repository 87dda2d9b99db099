//! TCP connections: one reader and one writer task each. The reader frames, answers keep-alives and waits when the SIP task is behind;
#![allow(clippy::disallowed_methods, reason = "part of the driver")]
//! the SIP task never waits for a writer.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::sip::wire::{Framed, Framer, WireLimits};
use crate::sip::{ConnectionId, Flow, Limits};

/// Messages that may wait for a slow peer; one more closes the connection.
const WRITER: usize = 256;
/// A peer that takes nothing for so long is gone.
const WRITE_FOR: Duration = Duration::from_secs(30);
/// A message that was begun, or the first one of a connection, must be complete within this time (64·T1).
const MESSAGE_FOR: Duration = Duration::from_secs(32);
/// A connect takes no longer.
const CONNECT_FOR: Duration = Duration::from_secs(4);

/// What streams tell the SIP task.
pub(super) enum News {
    Accepted {
        listener: u16,
        stream: TcpStream,
        peer: SocketAddr,
    },
    Connected {
        token: u64,
        stream: TcpStream,
        peer: SocketAddr,
    },
    Failed {
        token: u64,
    },
    Message {
        id: ConnectionId,
        bytes: Vec<u8>,
    },
    /// Nothing came for the configured time.
    Idle(ConnectionId),
    Closed(ConnectionId),
}

/// The SIP task's side of a connection.
pub(super) struct Connection {
    pub(super) flow: Flow,
    writer: mpsc::Sender<Vec<u8>>,
    tasks: [AbortHandle; 2],
}

impl Connection {
    /// Queues bytes; `false` when the queue is full.
    pub(super) fn write(&self, bytes: Vec<u8>) -> bool {
        self.writer.try_send(bytes).is_ok()
    }

    pub(super) fn close(self) {
        self.tasks.iter().for_each(AbortHandle::abort);
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
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

pub(super) async fn accept(listener: u16, socket: TcpListener, news: mpsc::Sender<News>) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                if news.send(News::Accepted { listener, stream, peer }).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                // Out of descriptors, most likely: trying again at once would only spin.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

pub(super) async fn connect(peer: SocketAddr, token: u64, news: mpsc::Sender<News>) {
    let answer = match timeout(CONNECT_FOR, TcpStream::connect(peer)).await {
        Ok(Ok(stream)) => News::Connected { token, stream, peer },
        Ok(Err(_)) | Err(_) => News::Failed { token },
    };
    // The SIP task may have ended.
    let _ended = news.send(answer).await;
}

pub(super) fn open(
    tasks: &mut JoinSet<()>,
    flow: Flow,
    id: ConnectionId,
    stream: TcpStream,
    limits: &Limits,
    news: mpsc::Sender<News>,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(60)))?;
    let (reader, writer) = stream.into_split();
    let (sender, queue) = mpsc::channel(WRITER);
    let read = tasks.spawn(read(id, reader, limits.wire, limits.idle, sender.clone(), news.clone()));
    let write = tasks.spawn(write(id, writer, queue, news));
    Ok(Connection { flow, writer: sender, tasks: [read, write] })
}

async fn read(
    id: ConnectionId,
    mut reader: OwnedReadHalf,
    limits: WireLimits,
    idle: Duration,
    pong: mpsc::Sender<Vec<u8>>,
    news: mpsc::Sender<News>,
) {
    let mut framer = Framer::new(limits);
    let mut buffer = vec![0; 16 * 1024];
    let mut fresh = true;
    // When the message now under way must be complete.
    let mut due = tokio::time::Instant::now() + MESSAGE_FOR;
    'connection: loop {
        let unfinished = fresh || framer.is_inside_message();
        let wait = if unfinished { due } else { tokio::time::Instant::now() + idle };
        let length = match tokio::time::timeout_at(wait, reader.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(length)) => length,
            Err(_) if unfinished => break,
            Err(_) => {
                if news.send(News::Idle(id)).await.is_err() {
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
                    if news.send(News::Message { id, bytes }).await.is_err() {
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
                    break 'connection;
                }
            }
        }
        if complete || !(was_inside || fresh) {
            due = tokio::time::Instant::now() + MESSAGE_FOR;
        }
    }
    let _ended = news.send(News::Closed(id)).await;
}

async fn write(id: ConnectionId, mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>, news: mpsc::Sender<News>) {
    while let Some(bytes) = queue.recv().await {
        if !matches!(timeout(WRITE_FOR, writer.write_all(&bytes)).await, Ok(Ok(()))) {
            let _ended = news.send(News::Closed(id)).await;
            return;
        }
    }
}
