//! UDP listeners. Reading and parsing happen in one task, because nothing holds a datagram sender back; the kernel's buffer is made large instead.
#![allow(clippy::disallowed_methods, reason = "part of the driver")]

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::common::machine;
use crate::net::udp::{Net, Socket, SocketReader, Traffic};
use crate::sip::{Flow, Transport};

/// Peers whose local address is remembered; when full, all are looked up again.
const REMEMBERED: usize = 4096;
/// Routes may change.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

struct UdpListener {
    index: u16,
    bound: SocketAddr,
    socket: Box<dyn Socket>,
    reader: SocketReader,
}

/// All UDP listeners.
pub(super) struct UdpListeners {
    net: Arc<dyn Net>,
    listeners: Vec<UdpListener>,
    /// Which one is looked at first, so that a busy one cannot starve the others.
    first: usize,
    locals: HashMap<IpAddr, (IpAddr, Instant)>,
}

impl UdpListeners {
    pub(super) fn new(net: Arc<dyn Net>) -> Self {
        Self { net, listeners: Vec::new(), first: 0, locals: HashMap::new() }
    }

    /// The network that they are in.
    pub(super) fn net(&self) -> Arc<dyn Net> {
        Arc::clone(&self.net)
    }

    pub(super) fn open(&mut self, index: u16, addr: SocketAddr) -> io::Result<SocketAddr> {
        let socket = self.net.bind(addr, Traffic::Signalling)?;
        let (bound, reader) = (socket.local_addr()?, socket.reader()?);
        self.listeners.push(UdpListener { index, bound, socket, reader });
        Ok(bound)
    }

    /// The next datagram of any listener. A socket error (a peer's ICMP) is not a datagram, and the socket goes on.
    pub(super) async fn receive(&mut self, buffer: &mut [u8]) -> (Flow, usize) {
        loop {
            let (at, read) = poll_fn(|context| {
                for turn in 0..self.listeners.len() {
                    let at = (self.first + turn) % self.listeners.len();
                    let Some(listener) = self.listeners.get_mut(at) else { continue };
                    if let Poll::Ready(read) = listener.reader.poll_recv_from(context, buffer) {
                        return Poll::Ready((at, read));
                    }
                }
                Poll::Pending
            })
            .await;
            self.first = at + 1;
            if let Some(found) = read.ok().and_then(|(length, peer)| Some((self.flow(at, peer)?, length))) {
                return found;
            }
        }
    }

    /// A datagram that is there already.
    pub(super) fn try_receive(&mut self, buffer: &mut [u8]) -> Option<(Flow, usize)> {
        for turn in 0..self.listeners.len() {
            let at = (self.first + turn) % self.listeners.len();
            if let Some(Ok((length, peer))) = self.listeners.get(at).map(|listener| listener.socket.try_recv_from(buffer)) {
                self.first = at + 1;
                return self.flow(at, peer).map(|flow| (flow, length));
            }
        }
        None
    }

    fn flow(&mut self, at: usize, peer: SocketAddr) -> Option<Flow> {
        let (index, bound) = self.listeners.get(at).map(|listener| (listener.index, listener.bound))?;
        let local = if bound.ip().is_unspecified() { SocketAddr::new(self.local(peer)?, bound.port()) } else { bound };
        Some(Flow { transport: Transport::Udp, listener: index, connection: None, local, peer })
    }

    fn local(&mut self, peer: SocketAddr) -> Option<IpAddr> {
        let now = machine::now();
        if let Some((local, at)) = self.locals.get(&peer.ip())
            && now.saturating_duration_since(*at) < REMEMBERED_FOR
        {
            return Some(*local);
        }
        let local = self.net.local_toward(peer).ok()?;
        if self.locals.len() >= REMEMBERED {
            self.locals.clear();
        }
        self.locals.insert(peer.ip(), (local, now));
        Some(local)
    }

    /// A flow to a peer we have not heard of, by the first listener of its family.
    pub(super) fn flow_to(&mut self, peer: SocketAddr) -> Option<Flow> {
        let at = self.listeners.iter().position(|listener| listener.bound.is_ipv4() == peer.is_ipv4())?;
        self.flow(at, peer)
    }

    /// Sends without waiting; what the kernel does not take is lost, as on any network, and sent again by its transaction.
    pub(super) fn send(&self, flow: &Flow, bytes: &[u8]) {
        if let Some(listener) = self.listeners.iter().find(|listener| listener.index == flow.listener)
            && let Err(error) = listener.socket.send_to(bytes, flow.peer)
        {
            tracing::debug!(%error, "datagram not sent");
        }
    }
}
