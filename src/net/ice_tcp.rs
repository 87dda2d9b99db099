//! [`IceTcp`]: datagrams over TCP connections that we open (RFC 4571, RFC 6544), behind the same trait as a UDP socket.
//!
//! A connection is opened when the first datagram to its address is due, and again when the peer has closed it. What TCP does not take at
//! once waits, up to a bound; beyond it datagrams are lost, as on any network.
#![allow(clippy::disallowed_methods, reason = "a driver: it meets the kernel")]

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;

use super::udp::{ConnectFuture, Net, Receive, Socket, SocketReader};

/// The port of a candidate that opens connections and takes none (RFC 6544 section 4.5).
pub const ACTIVE_PORT: u16 = 9;
/// Octets that may wait for a connection: half a second of sound of a whole room.
const WAITING: usize = 64 << 10;
/// Addresses to which there are connections at a time.
const CONNECTIONS: usize = 4;
/// Octets of the length before each datagram (RFC 4571 section 2).
const LENGTH: usize = 2;

/// See the file's paragraph.
pub struct IceTcp {
    local: IpAddr,
    net: Arc<dyn Net>,
    shared: Shared,
}

type Shared = Arc<Mutex<State>>;

#[derive(Default)]
struct State {
    connections: Vec<Connection>,
    /// Of whoever reads.
    waker: Option<Waker>,
}

struct Connection {
    to: SocketAddr,
    phase: Phase,
    waiting: VecDeque<u8>,
    received: Vec<u8>,
}

enum Phase {
    Opening(ConnectFuture),
    Open(TcpStream),
}

struct Reader(Shared);

impl IceTcp {
    /// For connections from `local`. None is opened yet.
    #[must_use]
    pub fn new(local: IpAddr, net: Arc<dyn Net>) -> Self {
        Self { local, net, shared: Shared::default() }
    }
}

impl fmt::Debug for IceTcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceTcp").field("local", &self.local).finish_non_exhaustive()
    }
}

/// Held for one datagram each way, never over a wait.
fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Socket for IceTcp {
    /// The address of the candidate; no connection has its port.
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(self.local, ACTIVE_PORT))
    }

    fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        let length = u16::try_from(datagram.len()).map_err(|_| io::ErrorKind::InvalidInput)?.to_be_bytes();
        let mut state = lock(&self.shared);
        let known = state.connections.iter().position(|connection| connection.to == to);
        let at = known.unwrap_or(state.connections.len());
        if known.is_none() {
            if state.connections.len() >= CONNECTIONS {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
            let phase = Phase::Opening(self.net.connect(to));
            state.connections.push(Connection { to, phase, waiting: VecDeque::new(), received: Vec::new() });
        }
        let Some(connection) = state.connections.get_mut(at) else { return Err(io::ErrorKind::NotConnected.into()) };
        if connection.waiting.len() + LENGTH + datagram.len() > WAITING {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        connection.waiting.extend(length.iter().chain(datagram));
        // Whoever reads writes as well: it is woken by the connection.
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Ok(datagram.len())
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut state = lock(&self.shared);
        let datagram = state.connections.iter_mut().find_map(|connection| connection.next(buffer));
        datagram.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }

    fn reader(&self) -> io::Result<SocketReader> {
        Ok(SocketReader::new(Reader(Arc::clone(&self.shared))))
    }
}

impl Receive for Reader {
    fn poll_recv_from(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut state = lock(&self.0);
        state.waker = Some(context.waker().clone());
        let mut at = 0;
        while let Some(connection) = state.connections.get_mut(at) {
            match connection.poll(context, buffer) {
                Poll::Ready(Ok(datagram)) => return Poll::Ready(Ok(datagram)),
                // It is opened anew with the next datagram to its address.
                Poll::Ready(Err(error)) => {
                    tracing::debug!(to = %connection.to, %error, "a connection of ICE has ended");
                    state.connections.remove(at);
                }
                Poll::Pending => at += 1,
            }
        }
        Poll::Pending
    }
}

impl Connection {
    /// Opens it, writes what waits, and reads the next datagram.
    fn poll(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        if let Phase::Opening(opening) = &mut self.phase {
            let stream = ready!(opening.as_mut().poll(context))?;
            stream.set_nodelay(true)?;
            self.phase = Phase::Open(stream);
        }
        self.write(context)?;
        loop {
            if let Some(datagram) = self.next(buffer) {
                return Poll::Ready(Ok(datagram));
            }
            let Phase::Open(stream) = &mut self.phase else { return Poll::Pending };
            let mut octets = [0; 2048];
            let mut read = ReadBuf::new(&mut octets);
            ready!(Pin::new(stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.received.extend_from_slice(read.filled());
        }
    }

    fn write(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let Phase::Open(stream) = &mut self.phase else { return Ok(()) };
        while !self.waiting.is_empty() {
            let Poll::Ready(written) = Pin::new(&mut *stream).poll_write(context, self.waiting.as_slices().0) else { break };
            self.waiting.drain(..written?);
        }
        Ok(())
    }

    /// The next datagram that is there as a whole. One that does not fit is dropped.
    fn next(&mut self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            let length = usize::from(u16::from_be_bytes(*self.received.first_chunk()?));
            let datagram = self.received.get(LENGTH..LENGTH + length)?;
            let taken = buffer.get_mut(..length).map(|place| place.copy_from_slice(datagram));
            self.received.drain(..LENGTH + length);
            if taken.is_some() {
                return Some((length, self.to));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::udp::System;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Datagrams keep their bounds, and a connection that the peer has closed is opened again.
    #[tokio::test]
    async fn datagrams_keep_their_bounds_over_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let to = listener.local_addr().expect("a port");
        let tcp = IceTcp::new(to.ip(), Arc::new(System));
        let mut reader = tcp.reader().expect("a reader");
        let mut buffer = [0; 100];
        for round in 0..2_u8 {
            tcp.send_to(b"one", to).expect("room");
            tcp.send_to(b"two!", to).expect("room");
            let peer = async {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let mut octets = [0; 11];
                stream.read_exact(&mut octets).await.expect("both");
                assert_eq!(&octets, b"\0\x03one\0\x04two!");
                // One that is too long for whoever reads, and two in three pieces.
                for piece in [&[&[0, 101][..], &[7; 101]].concat()[..], &[0, 2, round], b"x\0", b"\0"] {
                    stream.write_all(piece).await.expect("open");
                }
            };
            let ours = async {
                let mut lengths = Vec::new();
                for _ in 0..2 {
                    let (length, from) = reader.recv_from(&mut buffer).await.expect("a datagram");
                    assert_eq!(from, to);
                    lengths.push(length);
                }
                lengths
            };
            let ((), lengths) = tokio::join!(peer, ours);
            assert_eq!((lengths, buffer[0], buffer[1]), (vec![2, 0], round, b'x'));
            // The end of the connection is seen.
            let seen = std::future::poll_fn(|context| {
                let _ = reader.poll_recv_from(context, &mut [0; 100]);
                if lock(&tcp.shared).connections.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            });
            seen.await;
        }
    }

    #[test]
    fn what_tcp_does_not_take_is_bounded() {
        let tcp = IceTcp::new(IpAddr::from([127, 0, 0, 1]), Arc::new(System));
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        let taken = (0..100).filter(|_| tcp.send_to(&[0; 1_200], to).is_ok()).count();
        assert_eq!(taken, WAITING / 1_202);
        for port in 2..5 {
            tcp.send_to(&[0], SocketAddr::new(to.ip(), port)).expect("room");
        }
        assert!(tcp.send_to(&[0], SocketAddr::new(to.ip(), 6)).is_err());
    }
}
