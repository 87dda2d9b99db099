//! The reading ends of a worker's sockets, awaited together.
//!
//! A [`Reader`] is a future that resolves with its next datagram and is queued again afterwards, so that only sockets with a datagram are
//! polled, however many there are, and the datagram stays in the reader's buffer.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;

use crate::net::udp::SocketReader;

use super::super::plane::SocketId;

/// Larger than any packet of audio that fits an Ethernet frame.
const DATAGRAM: usize = 2048;

/// Closes a reader when it is dropped: the reader, and with it its descriptor, is then dropped as well.
pub(super) struct ReaderGuard {
    _open: oneshot::Sender<()>,
}

/// One socket that is read.
struct Reader(Option<Box<ReaderState>>);

struct ReaderState {
    socket: SocketId,
    reader: SocketReader,
    closed: oneshot::Receiver<()>,
    buffer: [u8; DATAGRAM],
}

/// A datagram that has arrived, still in its reader's buffer.
pub(super) struct Arrival {
    state: Box<ReaderState>,
    length: usize,
    from: SocketAddr,
}

/// All sockets that a worker reads.
#[derive(Default)]
pub(super) struct Readers {
    waiting: FuturesUnordered<Reader>,
}

impl Readers {
    /// Begins to read a socket, until the guard is dropped.
    pub(super) fn add(&self, socket: SocketId, reader: SocketReader) -> ReaderGuard {
        let (open, closed) = oneshot::channel();
        self.waiting.push(Reader(Some(Box::new(ReaderState { socket, reader, closed, buffer: [0; DATAGRAM] }))));
        ReaderGuard { _open: open }
    }

    /// The next datagram at any socket. To be given back by [`Readers::resume`], or its socket is read no longer. Cancel safe.
    pub(super) async fn next(&mut self) -> Arrival {
        loop {
            match self.waiting.next().await {
                Some(Some((state, Ok((length, from))))) => return Arrival { state, length, from },
                // An ICMP error of an earlier send: the socket itself is fine.
                Some(Some((state, Err(_)))) => self.waiting.push(Reader(Some(state))),
                Some(None) => {}
                // Nothing is read until a socket is added, for which the owner ends this wait.
                None => std::future::pending().await,
            }
        }
    }

    /// Reads on where a datagram has been taken.
    pub(super) fn resume(&self, arrival: Arrival) {
        self.waiting.push(Reader(Some(arrival.state)));
    }
}

impl Arrival {
    pub(super) const fn socket(&self) -> SocketId {
        self.state.socket
    }

    pub(super) const fn from(&self) -> SocketAddr {
        self.from
    }

    pub(super) fn datagram(&self) -> &[u8] {
        self.state.buffer.get(..self.length).unwrap_or_default()
    }
}

impl Future for Reader {
    /// `None`: the guard was dropped.
    type Output = Option<(Box<ReaderState>, io::Result<(usize, SocketAddr)>)>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(state) = &mut self.0 else { return Poll::Ready(None) };
        if Pin::new(&mut state.closed).poll(context).is_ready() {
            return Poll::Ready(None);
        }
        let ReaderState { reader, buffer, .. } = &mut **state;
        let received = ready!(reader.poll_recv_from(context, buffer));
        Poll::Ready(self.0.take().map(|state| (state, received)))
    }
}
