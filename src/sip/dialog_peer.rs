//! [`DialogPeer`]: who is at the other end of a dialog, and where requests in it go (S-7): back by the flow that its messages come on, or to the
//! address of their source. What the peer names beside that (Contact, Record-Route) is followed where it is a configured device or trunk
//! that names it, and never to this machine, to a link or to a group, unless the peer is there itself: nobody can have us send, or connect,
//! to a third party.

use std::net::{IpAddr, SocketAddr};

use super::access::identity::{Identity, Proof};
use super::core::Core;
use super::message::uri::{Host, Scheme, Uri};
use super::transaction::{DATAGRAM, Fallback, Route};
use super::transport::{Flow, Transport};
use crate::common::ip_network;

/// The other end of a dialog.
#[derive(Debug, Clone)]
pub(super) struct DialogPeer {
    /// Where its last request or response came from.
    pub(super) flow: Flow,
    /// Whose calls its call is counted among.
    pub(super) source: IpAddr,
    /// Its own idea of its address is not where its messages come from, so its Contact is not to be believed.
    pub(super) is_behind_nat: bool,
    /// Who called, or was called (M-1).
    pub(super) identity: Option<Identity>,
    /// By what that was found out.
    pub(super) proof: Proof,
    /// The transport that the dialog began by: no weaker one is taken after that.
    pub(super) class: Transport,
    /// It has acknowledged a 2xx of ours: what we send arrives where its messages come from.
    pub(super) is_reached: bool,
    /// We have called it.
    pub(super) is_called: bool,
}

impl DialogPeer {
    /// Whoever is at the end of a flow.
    pub(super) const fn at(flow: Flow, identity: Option<Identity>, proof: Proof) -> Self {
        let (source, class) = (flow.peer.ip(), flow.transport);
        Self { flow, source, is_behind_nat: false, identity, proof, class, is_reached: false, is_called: false }
    }

    /// Whether it is one that our configuration names, and which may therefore live at several places.
    fn is_configured(&self) -> bool {
        self.is_called || matches!(self.identity, Some(Identity::Device(_) | Identity::Trunk(_) | Identity::Account(_)))
    }

    /// Whether it has proven who it is by more than where its messages come from.
    pub(super) const fn is_proven(&self) -> bool {
        self.proof.is_strong()
    }

    /// Whether it leaves a part of what is bounded to those who are known. Whoever we have called does not.
    pub(super) fn yields_to_known(&self, core: &Core) -> bool {
        !self.is_called && core.yields_to_known(self.identity.as_ref())
    }

    /// Whether it has shown that it is reached at its source: a datagram alone may come from anybody.
    fn is_known_to_be_reached(&self) -> bool {
        self.is_proven() || self.class.is_reliable() || self.is_called || self.is_reached
    }

    /// Where the next request of the dialog goes, whose next hop is `hop`.
    pub(super) fn route(&self, core: &Core, hop: &Uri, size: usize) -> Route {
        let flow = self.flow;
        let Some((peer, transport)) = self.named(core, hop) else { return self.route_back(core, flow.peer, size) };
        if peer.ip() == flow.peer.ip() && flow.transport.is_reliable() && core.layer.flows().is_open(&flow) {
            return Route::Open(flow);
        }
        if transport == Transport::Udp && flow.transport == Transport::Udp && flow.peer.is_ipv4() == peer.is_ipv4() {
            return self.route_back(core, peer, size);
        }
        Route::connect(peer, transport)
    }

    /// The same by another connection than the one that its messages came by, which is of no more use.
    pub(super) fn reconnection(&self, core: &Core, hop: &Uri) -> Route {
        let (peer, transport) = self.named(core, hop).unwrap_or((self.flow.peer, self.flow.transport));
        Route::connect(peer, transport)
    }

    /// By the flow, which for datagrams leads to any address; a large request by TCP, where the peer has shown that it lives there.
    fn route_back(&self, core: &Core, peer: SocketAddr, size: usize) -> Route {
        if self.flow.transport.is_reliable() {
            return core.route_by(self.flow);
        }
        let by_datagram = Flow { peer, ..self.flow };
        let known = peer == self.flow.peer || core.settings.known.by_address(peer.ip()).is_some();
        match size > DATAGRAM && known {
            true => Route::Connect {
                peer,
                transport: Transport::Tcp,
                fallback: Some(Fallback::Open(by_datagram)),
                is_for_stranger: false,
            },
            false => Route::Open(by_datagram),
        }
    }

    /// The address that a next hop names, and the transport, if the request may go there; else it goes back to its source.
    fn named(&self, core: &Core, hop: &Uri) -> Option<(SocketAddr, Transport)> {
        let named = hop.params.get("transport").map(str::to_ascii_uppercase);
        let wanted = match hop.scheme {
            Scheme::Sips => Transport::Tls,
            _ => named.as_deref().and_then(Transport::parse).unwrap_or(self.flow.transport),
        };
        // A dialog is never left for a weaker transport than the one it began with.
        let transport = wanted.max(self.class);
        let peer = SocketAddr::new(hop.host.as_ref().and_then(Host::ip)?, hop.port.unwrap_or(transport.default_port()));
        if self.is_behind_nat || peer.ip().is_unspecified() || core.is_listener(&self.flow, peer) {
            return None;
        }
        let moves = transport != Transport::Udp || self.flow.transport != Transport::Udp;
        if peer.ip().to_canonical() == self.flow.peer.ip().to_canonical() {
            // Whoever lives there may listen at another port than it sends from; a connection is made for those alone whom we know.
            return (!moves || self.is_configured()).then_some((peer, transport));
        }
        self.may_follow(core, peer.ip()).then_some((peer, transport))
    }

    /// Whether the dialog's requests may go to another address than its messages come from.
    fn may_follow(&self, core: &Core, address: IpAddr) -> bool {
        if ip_network::leads_inward(address) || core.settings.own.contains(&address.to_canonical()) {
            return false;
        }
        // A registered device is reached by the flow it registered by (RFC 5626 section 5.3), whatever it calls itself behind its router.
        let elsewhere = self.proof != Proof::Registration && self.is_configured() && self.is_known_to_be_reached();
        elsewhere || core.settings.known.by_address(address).is_some()
    }
}
