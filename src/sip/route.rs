//! Where requests inside a dialog go (S-7): back by the flow that its messages come on, or to the address of their source. What the peer
//! names beside that (Contact, Record-Route) is followed where it is a configured device or trunk that names it, and never to this machine,
//! to a link or to a group, unless the peer is there itself: nobody can have us send, or connect, to a third party.

use std::net::{IpAddr, SocketAddr};

use super::endpoint::Endpoint;
use super::identity::{Identity, Proof};
use super::invite::Call;
use super::uri::{Host, Scheme, Uri};
use super::{Flow, Transport};
use crate::ids::CallId;
use crate::network;

/// A request longer than this goes by TCP if it can (RFC 3261 section 18.1.1, S-1).
const DATAGRAM: usize = 1300;

/// The way to a peer.
pub(super) enum Way {
    Open(Flow),
    Connect { peer: SocketAddr, transport: Transport, fallback: Option<Flow> },
}

impl Call {
    /// Whether its peer is one that our configuration names, and which may therefore live at several places.
    fn is_configured(&self) -> bool {
        self.ours || matches!(self.identity, Some(Identity::Device(_) | Identity::Trunk(_) | Identity::Account(_)))
    }

    /// Whether its peer may send from an address beside its source: one that it has named itself as the place where it is reached.
    pub(super) fn has_named(&self, address: IpAddr) -> bool {
        let is_there =
            |uri: &Uri| uri.host.as_ref().and_then(Host::ip).is_some_and(|ip| ip.to_canonical() == address.to_canonical());
        self.dialog.places().any(is_there)
    }

    /// Whether the peer has shown that it is reached at its source: a datagram alone may come from anybody.
    fn is_reached(&self) -> bool {
        let proven = matches!(self.proof, Proof::Digest | Proof::Certificate) || self.class.is_reliable();
        proven || self.ours || self.reached
    }
}

impl Endpoint {
    /// Where a flow leads, by it or by a new connection if it is gone.
    pub(super) fn way_by(&self, flow: Flow) -> Way {
        match self.is_open(&flow) {
            true => Way::Open(flow),
            false => Way::Connect { peer: flow.peer, transport: flow.transport, fallback: None },
        }
    }

    /// Where the next request of a dialog goes, whose next hop is `hop`.
    pub(super) fn way(&self, id: CallId, hop: &Uri, size: usize) -> Option<Way> {
        let call = self.calls.get(&id)?;
        let flow = call.flow;
        let Some((peer, transport)) = self.named(call, hop) else { return Some(self.way_back(flow, flow.peer, size)) };
        if peer.ip() == flow.peer.ip() && flow.transport.is_reliable() && self.is_open(&flow) {
            return Some(Way::Open(flow));
        }
        if transport == Transport::Udp && flow.transport == Transport::Udp && flow.peer.is_ipv4() == peer.is_ipv4() {
            return Some(self.way_back(flow, peer, size));
        }
        Some(Way::Connect { peer, transport, fallback: None })
    }

    /// By the flow, which for datagrams leads to any address; a large request by TCP, where the peer has shown that it lives there.
    fn way_back(&self, flow: Flow, peer: SocketAddr, size: usize) -> Way {
        if flow.transport.is_reliable() {
            return self.way_by(flow);
        }
        let by_datagram = Flow { peer, ..flow };
        let known = peer == flow.peer || self.settings.known.by_address(peer.ip()).is_some();
        match size > DATAGRAM && known {
            true => Way::Connect { peer, transport: Transport::Tcp, fallback: Some(by_datagram) },
            false => Way::Open(by_datagram),
        }
    }

    /// The address that a next hop names, and the transport, if the request may go there; else it goes back to its source.
    fn named(&self, call: &Call, hop: &Uri) -> Option<(SocketAddr, Transport)> {
        let named = hop.params.get("transport").map(str::to_ascii_uppercase);
        let wanted = match hop.scheme {
            Scheme::Sips => Transport::Tls,
            _ => named.as_deref().and_then(Transport::parse).unwrap_or(call.flow.transport),
        };
        // A dialog is never left for a weaker transport than the one it began with.
        let transport = wanted.max(call.class);
        let peer = SocketAddr::new(hop.host.as_ref().and_then(Host::ip)?, hop.port.unwrap_or(transport.default_port()));
        if call.nat || peer.ip().is_unspecified() || self.is_listener(&call.flow, peer) {
            return None;
        }
        let moves = transport != Transport::Udp || call.flow.transport != Transport::Udp;
        if peer.ip().to_canonical() == call.flow.peer.ip().to_canonical() {
            // Whoever lives there may listen at another port than it sends from; a connection is made for those alone whom we know.
            return (!moves || call.is_configured()).then_some((peer, transport));
        }
        self.may_follow(call, peer.ip()).then_some((peer, transport))
    }

    /// Whether a dialog's requests may go to another address than its messages come from.
    fn may_follow(&self, call: &Call, address: IpAddr) -> bool {
        if network::leads_inward(address) || self.settings.own.contains(&address.to_canonical()) {
            return false;
        }
        // A registered device is reached by the flow it registered by (RFC 5626 section 5.3), whatever it calls itself behind its router.
        let elsewhere = call.proof != Proof::Registration && call.is_configured() && call.is_reached();
        elsewhere || self.settings.known.by_address(address).is_some()
    }

    /// Whether an address is where we listen ourselves.
    pub(super) fn is_listener(&self, flow: &Flow, address: SocketAddr) -> bool {
        address == flow.local || address == self.sent_by(flow)
    }
}
