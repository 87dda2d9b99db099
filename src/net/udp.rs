//! UDP sockets: where datagrams leave and arrive. [`System`] is the kernel's network. A test has one of its own, in memory, on which
//! the whole gateway runs in virtual time (DESIGN §15).
//!
//! A [`Socket`] may be handed from thread to thread; its [`SocketReader`] belongs to the runtime that it was made on.
#![allow(clippy::disallowed_methods, reason = "a driver: it meets the kernel")]

use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, SockRef, Type};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// Asked of the kernel where many peers share a socket, so that a burst does not overflow it. It may grant less.
const RECEIVE_BUFFER: usize = 4 << 20;

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// SIP: many peers on one socket.
    Signalling,
    /// RTP and RTCP of one device.
    Voice,
    /// Browsers: many peers on one socket.
    WebRtc,
}

/// A network to send datagrams and open connections in.
pub trait Net: Send + Sync {
    /// Binds a socket; port 0 takes a free one.
    ///
    /// # Errors
    /// The error of the system call.
    fn bind(&self, address: SocketAddr, traffic: Traffic) -> io::Result<Box<dyn Socket>>;

    /// The address of ours from which `peer` is reached.
    ///
    /// # Errors
    /// When no route leads there.
    fn local_toward(&self, peer: SocketAddr) -> io::Result<IpAddr>;

    /// Opens a connection to `peer`. Without limit in time.
    fn connect(&self, peer: SocketAddr) -> ConnectFuture;
}

/// A connection that is being opened; fails with the error of the system call.
pub type ConnectFuture = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A bound socket.
pub trait Socket: Debug + Send + Sync {
    /// Where it is bound.
    ///
    /// # Errors
    /// The error of the system call.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Sends without waiting.
    ///
    /// # Errors
    /// The error of the system call: the send buffer is full, or an ICMP error came back. The datagram is lost then, as on any network.
    fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize>;

    /// Takes a datagram that is there already.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is none; a peer's ICMP.
    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// The reading end, on the runtime of whoever calls.
    ///
    /// # Errors
    /// The error of the system call.
    fn reader(&self) -> io::Result<SocketReader>;
}

/// What a [`SocketReader`] reads from.
pub trait Receive: Send {
    /// The next datagram and its sender.
    fn poll_recv_from(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>>;
}

/// The reading end of a [`Socket`]. Of several of the same socket the last one polled is woken.
pub struct SocketReader(Box<dyn Receive>);

impl SocketReader {
    /// The reading end that `from` is.
    #[must_use]
    pub fn new(from: impl Receive + 'static) -> Self {
        Self(Box::new(from))
    }

    /// The next datagram and its sender.
    pub fn poll_recv_from(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.0.poll_recv_from(context, buffer)
    }

    /// Waits for the next datagram.
    ///
    /// # Errors
    /// A peer's ICMP; the socket itself goes on.
    pub async fn recv_from(&mut self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|context| self.poll_recv_from(context, buffer)).await
    }
}

// === impl System ===

/// The kernel's network.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Net for System {
    fn bind(&self, address: SocketAddr, traffic: Traffic) -> io::Result<Box<dyn Socket>> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        match traffic {
            Traffic::Signalling if address.is_ipv6() => socket.set_only_v6(true)?,
            Traffic::Signalling | Traffic::WebRtc => {}
            // Expedited forwarding (RFC 4594 section 4.1): a network that honours it keeps voice out of queues; one that does not
            // loses nothing.
            Traffic::Voice => drop(socket.set_tos_v4(46 << 2)),
        }
        if traffic != Traffic::Voice
            && let Err(error) = socket.set_recv_buffer_size(RECEIVE_BUFFER)
        {
            tracing::debug!(%error, "the kernel keeps its receive buffer");
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        Ok(Box::new(KernelSocket::new(socket.into())?))
    }

    /// Connecting a UDP socket sends nothing; it asks the routing table.
    fn local_toward(&self, peer: SocketAddr) -> io::Result<IpAddr> {
        let any: SocketAddr = if peer.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let probe = UdpSocket::bind(any)?;
        probe.connect(peer)?;
        Ok(probe.local_addr()?.ip())
    }

    fn connect(&self, peer: SocketAddr) -> ConnectFuture {
        Box::pin(TcpStream::connect(peer))
    }
}

/// The reading end's descriptor is taken with the socket's own: whoever could bind it can read from it as well, however few are left
/// by then. A call that is answered and not heard would be worse than none.
#[derive(Debug)]
struct KernelSocket {
    socket: UdpSocket,
    for_reader: Mutex<Option<UdpSocket>>,
}

impl KernelSocket {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        let for_reader = Mutex::new(Some(socket.try_clone()?));
        Ok(Self { socket, for_reader })
    }
}

impl Socket for KernelSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn send_to(&self, datagram: &[u8], to: SocketAddr) -> io::Result<usize> {
        SockRef::from(&self.socket).send_to(datagram, &to.into())
    }

    fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buffer)
    }

    fn reader(&self) -> io::Result<SocketReader> {
        let kept = self.for_reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        // One after the first: the socket has moved to another thread.
        let socket = kept.map_or_else(|| self.socket.try_clone(), Ok)?;
        tokio::net::UdpSocket::from_std(socket).map(SocketReader::new)
    }
}

impl Receive for tokio::net::UdpSocket {
    fn poll_recv_from(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut read = ReadBuf::new(buffer);
        tokio::net::UdpSocket::poll_recv_from(self, context, &mut read).map_ok(|peer| (read.filled().len(), peer))
    }
}
