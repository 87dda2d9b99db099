//! Whose a datagram at a shared WebRTC socket is: by the user name of its STUN check first, by its source address after (DESIGN §17).

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::common::ids::PeerId;

use crate::rtp::stun;

/// Source addresses a browser may use at a time; beyond it the oldest is forgotten (a check brings it back).
const ADDRESSES: usize = 8;

/// Where a datagram belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerRoute {
    /// It is a STUN check with this peer's user name, which is still to be proved by the password.
    Check(PeerId),
    /// It comes from an address that a check of this peer has proved.
    Known(PeerId),
}

/// User names and proved addresses of the peers of a worker.
#[derive(Debug, Default)]
pub(super) struct PeerRoutes {
    by_ufrag: HashMap<String, PeerId>,
    by_address: HashMap<SocketAddr, PeerId>,
    /// The addresses of each peer, oldest first.
    addresses: HashMap<PeerId, Vec<SocketAddr>>,
}

impl PeerRoutes {
    pub(super) fn add(&mut self, id: PeerId, ufrag: &str) {
        self.by_ufrag.insert(ufrag.to_owned(), id);
    }

    pub(super) fn remove(&mut self, id: PeerId, ufrag: &str) {
        self.by_ufrag.remove(ufrag);
        for address in self.addresses.remove(&id).unwrap_or_default() {
            self.forget(address, id);
        }
    }

    pub(super) fn find(&self, from: SocketAddr, datagram: &[u8]) -> Option<PeerRoute> {
        let checked = stun::local_ufrag(datagram).and_then(|ufrag| self.by_ufrag.get(ufrag));
        checked.map(|id| PeerRoute::Check(*id)).or_else(|| self.by_address.get(&from).map(|id| PeerRoute::Known(*id)))
    }

    /// A check that has proved its password came from `from`.
    pub(super) fn learn(&mut self, id: PeerId, from: SocketAddr) {
        if self.by_address.insert(from, id) == Some(id) {
            return;
        }
        let addresses = self.addresses.entry(id).or_default();
        addresses.push(from);
        if addresses.len() > ADDRESSES {
            let oldest = addresses.remove(0);
            self.forget(oldest, id);
        }
    }

    /// Forgets an address of `id`, unless another peer has taken it over since.
    fn forget(&mut self, address: SocketAddr, id: PeerId) {
        if self.by_address.get(&address) == Some(&id) {
            self.by_address.remove(&address);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.by_ufrag.is_empty() && self.by_address.is_empty() && self.addresses.is_empty()
    }
}
