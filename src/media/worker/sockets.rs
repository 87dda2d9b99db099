//! The sockets of a worker: those of its ports, and those that its browsers share.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::common::ids::{PeerId, PortId};
use crate::net::udp::Socket;

use super::super::plane::{SocketId, Transmit};
use super::super::pool::Sockets;
use super::super::profile::Channel;
use super::counters::MediaCounters;
use super::reader::{ReaderGuard, Readers};

/// A socket for browsers, with the address at which it is advertised (another one behind a NAT).
pub(crate) type BrowserSocket = (Box<dyn Socket>, SocketAddr);

/// The sockets by which a worker sends, and the guards of their readers.
pub(super) struct WorkerSockets {
    ports: HashMap<PortId, PortSockets>,
    /// Of connections to SFUs.
    remotes: HashMap<PeerId, Vec<RemoteSocket>>,
    webrtc: Vec<BrowserSocket>,
    /// The WebRTC sockets are read for as long as the worker lives.
    webrtc_readers: Vec<ReaderGuard>,
    counters: Arc<MediaCounters>,
}

/// The two sockets of a port; their readers end with it.
struct PortSockets {
    sockets: Sockets,
    _readers: [ReaderGuard; 2],
}

/// A socket of a connection to an SFU; its reader ends with it.
struct RemoteSocket {
    local: SocketAddr,
    socket: Box<dyn Socket>,
    _reader: ReaderGuard,
}

impl WorkerSockets {
    pub(super) fn new(webrtc: Vec<BrowserSocket>, counters: Arc<MediaCounters>) -> Self {
        Self { ports: HashMap::new(), remotes: HashMap::new(), webrtc, webrtc_readers: Vec::new(), counters }
    }

    /// Begins to read the WebRTC sockets, on the runtime of the caller.
    pub(super) fn read_webrtc(&mut self, readers: &Readers) {
        for (socket, shown) in &self.webrtc {
            match socket.reader() {
                Ok(reader) => self.webrtc_readers.push(readers.add(SocketId::WebRtc(*shown), reader)),
                Err(error) => tracing::error!(%shown, %error, "WebRTC socket cannot be used"),
            }
        }
    }

    /// Takes the sockets of a port and begins to read them.
    ///
    /// # Errors
    /// When one of them cannot be read; both are then closed.
    pub(super) fn open(&mut self, id: PortId, sockets: Sockets, readers: &Readers) -> io::Result<()> {
        let (rtp, rtcp) = (sockets.rtp.reader()?, sockets.rtcp.reader()?);
        let guards = [readers.add(SocketId::Port(id, Channel::Rtp), rtp), readers.add(SocketId::Port(id, Channel::Rtcp), rtcp)];
        self.ports.insert(id, PortSockets { sockets, _readers: guards });
        self.counters.open.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Gives the sockets of a port away; they are not read any more.
    pub(super) fn release(&mut self, id: PortId) -> Option<Sockets> {
        let released = self.ports.remove(&id)?;
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
        Some(released.sockets)
    }

    /// Takes the sockets of a connection to an SFU and begins to read them. One that cannot be read is a path less.
    pub(super) fn open_remote(&mut self, id: PeerId, sockets: Vec<Box<dyn Socket>>, readers: &Readers) {
        let opened = sockets.into_iter().filter_map(|socket| {
            let (local, reader) = (socket.local_addr().ok()?, socket.reader().ok()?);
            Some(RemoteSocket { local, socket, _reader: readers.add(SocketId::Remote(id, local), reader) })
        });
        self.remotes.insert(id, opened.collect());
    }

    /// Closes the sockets of a connection to an SFU.
    pub(super) fn close_remote(&mut self, id: PeerId) {
        self.remotes.remove(&id);
    }

    /// Whether the system has taken the datagram. A full socket buffer or an unreachable address loses it, as the network would.
    pub(super) fn send(&self, transmit: &Transmit) -> bool {
        let socket = match transmit.socket {
            SocketId::Port(port, channel) => self.ports.get(&port).map(|open| match channel {
                Channel::Rtp => &open.sockets.rtp,
                Channel::Rtcp => &open.sockets.rtcp,
            }),
            SocketId::Remote(id, local) => {
                self.remotes.get(&id).and_then(|open| open.iter().find(|open| open.local == local)).map(|open| &open.socket)
            }
            SocketId::WebRtc(from) => {
                self.webrtc.iter().find(|(_, shown)| *shown == from).or_else(|| self.webrtc.first()).map(|(socket, _)| socket)
            }
        };
        socket.is_some_and(|socket| socket.send_to(&transmit.bytes, transmit.to).is_ok())
    }

    /// Ports with open sockets.
    #[cfg(test)]
    pub(super) fn ports(&self) -> usize {
        self.ports.len()
    }

    /// No socket is open but those that browsers share.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.remotes.is_empty()
    }
}

impl Drop for WorkerSockets {
    fn drop(&mut self) {
        self.counters.open.fetch_sub(self.ports.len() as u64, Ordering::Relaxed);
    }
}
