//! [`RemotePeerHandle`]: a connection to an SFU on its bridge's worker, as whoever signals it reaches it; and how one is made.
#![allow(clippy::disallowed_methods, reason = "the handle gives the time to what it builds for the workers")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::common::ids::{PeerId, TrackId};
use crate::common::machine;
use crate::net::ice_tcp::IceTcp;
use crate::net::udp::{Net, Socket, Traffic};

use super::super::peer::{
    NegotiationError, OfferRequest, PeerFactory, RemotePeer, RemotePeerEvent, RemotePeerSettings, RemotePeerStats,
};
use super::super::worker::WorkerCommand;
use super::legs::{RemoteLeg, RemotePeerCommand};

/// Addresses of ours from which paths are tried: each has a socket, and a check of each candidate of the SFU.
const MOST_ADDRESSES: usize = 4;

/// See the file's paragraph. The connection is closed by [`RemotePeerHandle::close`], or within a second of its events having no receiver any
/// more.
#[derive(Clone, Debug)]
pub struct RemotePeerHandle {
    id: PeerId,
    worker: mpsc::Sender<WorkerCommand>,
}

/// Binds the sockets of a connection, at ports that the system chooses, and prepares its way by TCP from each address: an SFU that serves
/// all by one port tells its clients apart by their address, so no two connections can share one.
///
/// # Errors
/// When there is none at all.
pub(in crate::media) fn bind(net: &Arc<dyn Net>, addresses: &[IpAddr]) -> Result<Vec<Box<dyn Socket>>, NegotiationError> {
    let mut refused = io::Error::from(io::ErrorKind::AddrNotAvailable);
    let mut sockets = Vec::new();
    for address in addresses.iter().take(MOST_ADDRESSES) {
        let tcp: Box<dyn Socket> = Box::new(IceTcp::new(*address, Arc::clone(net)));
        match net.bind(SocketAddr::new(*address, 0), Traffic::Voice) {
            Ok(socket) => sockets.extend([socket, tcp]),
            Err(error) => refused = error,
        }
    }
    if sockets.is_empty() { Err(NegotiationError::Setup(Box::new(refused))) } else { Ok(sockets) }
}

/// The leg of a connection that has these sockets.
///
/// # Errors
/// [`NegotiationError::Setup`].
pub(in crate::media) fn leg(
    factory: &PeerFactory,
    settings: RemotePeerSettings,
    sockets: &[Box<dyn Socket>],
    events: mpsc::Sender<RemotePeerEvent>,
) -> Result<RemoteLeg, NegotiationError> {
    let seed = getrandom::u64().map_err(|error| NegotiationError::Setup(Box::new(io::Error::from(error))))?;
    let candidates: Vec<_> = sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    Ok(RemoteLeg::new(RemotePeer::new(machine::now(), factory, settings, &candidates, seed)?, events))
}

impl RemotePeerHandle {
    pub(in crate::media) const fn new(id: PeerId, worker: mpsc::Sender<WorkerCommand>) -> Self {
        Self { id, worker }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> PeerId {
        self.id
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> RemotePeerCommand) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await;
        answer.await.ok()
    }

    async fn tell(&self, command: RemotePeerCommand) {
        // A worker is gone only when the daemon stops.
        let _ = self.worker.send(WorkerCommand::Remote { id: self.id, command }).await;
    }

    /// The next offer, which takes the place of one that was not answered; `None`: the connection is over.
    pub async fn offer(&self, request: OfferRequest) -> Option<String> {
        self.ask(|reply| RemotePeerCommand::Offer(request, reply)).await.flatten()
    }

    /// Takes the answer to the last offer, with the track that each line (by its `mid`) carries from now on. A line that is not named is free.
    ///
    /// # Errors
    /// [`NegotiationError::BadAnswer`] where it does not fit the offer, or the connection is closed.
    pub async fn answer(&self, sdp: String, lines: Vec<(String, TrackId)>) -> Result<(), NegotiationError> {
        let taken = self.ask(|reply| RemotePeerCommand::Answer { sdp, lines, reply }).await;
        taken.unwrap_or(Err(NegotiationError::BadAnswer))
    }

    /// Takes a candidate of the SFU, as in `a=candidate`; one that comes before the first answer waits for it.
    pub async fn candidate(&self, candidate: String) {
        self.tell(RemotePeerCommand::Candidate(candidate)).await;
    }

    /// Sends a message, up to 16,384 octets, by the data channel that is reliable and ordered, or by the other one. False: it is not open,
    /// or has no room.
    pub async fn send_data(&self, reliable: bool, bytes: Vec<u8>) -> bool {
        self.ask(|reply_to| RemotePeerCommand::SendData { reliable, bytes, reply: reply_to }).await.unwrap_or(false)
    }

    /// Figures so far; `None` once it is closed.
    pub async fn stats(&self) -> Option<RemotePeerStats> {
        self.ask(RemotePeerCommand::Stats).await
    }

    /// Closes the connection.
    pub async fn close(&self) {
        let _ = self.worker.send(WorkerCommand::CloseRemote(self.id)).await;
    }
}
