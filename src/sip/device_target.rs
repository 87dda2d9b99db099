//! Where a device is called (S-9, M-18). A registered one by the flow it registered by (RFC 5626, RFC 3327); another one at the address that its entry
//! names, which may be an address at a PBX where we are registered ourselves.

use std::net::SocketAddr;
use std::sync::Arc;

use super::access::directory::PeerDirectory;
use super::access::identity::{Identity, Proof};
use super::auth::Credentials;
use super::core::Core;
use super::events::CallTarget;
use super::invite::OutgoingCall;
use super::message::header::NameAddr;
use super::message::uri::{Host, Scheme, Uri};
use super::transaction::Route;
use super::transport::{Flow, Transport};

/// The way to a device.
#[derive(Debug)]
pub(super) struct ResolvedTarget {
    pub(super) uri: Uri,
    pub(super) routes: Vec<NameAddr>,
    pub(super) route: Route,
    proof: Proof,
    /// Our own address of record at the callee's PBX, and what proves it.
    account: Option<(Uri, Credentials)>,
}

impl ResolvedTarget {
    /// As the owners of calls are told.
    pub(super) fn public(&self) -> CallTarget {
        let local = match self.route {
            Route::Open(flow) => Some(flow.local.ip()),
            Route::Connect { .. } => None,
        };
        let (peer, transport) = (self.route.peer(), self.route.transport());
        CallTarget { peer, transport, local, user: self.uri.user_text().unwrap_or_default(), proof: self.proof }
    }

    /// The call of a device there.
    pub(super) fn call(self, device: Arc<str>, from: (Uri, String), sdp: String, replaces: Option<String>) -> OutgoingCall {
        let Self { uri, routes, route, proof, account } = self;
        let (from, display) = from;
        let (from, credentials) = match account {
            Some((own, credentials)) => (own, Some(credentials)),
            None => (from, None),
        };
        let from = NameAddr { display: Some(display).filter(|name| !name.is_empty()), ..NameAddr::of(from) };
        OutgoingCall { uri, from, routes, route, sdp, credentials, identity: Some(Identity::Device(device)), proof, replaces }
    }
}

/// Where a device could be called now; `None`: nowhere.
pub(super) fn find(core: &Core, directory: PeerDirectory<'_>, device: &str) -> Option<ResolvedTarget> {
    registered(core, directory, device).or_else(|| configured(core, directory, device))
}

fn registered(core: &Core, directory: PeerDirectory<'_>, device: &str) -> Option<ResolvedTarget> {
    let (kept, flow) = directory.registered.registrar().best(device)?;
    let uri = Uri::parse(&kept.uri)?;
    let routes: Vec<NameAddr> = kept.path.iter().filter_map(|hop| NameAddr::parse(hop)).collect();
    // Behind NAT, or behind a proxy, the contact's address means nothing here: what reached us from there goes back there.
    let contact = uri.host.as_ref().and_then(Host::ip).filter(|ip| *ip == kept.source.ip() && routes.is_empty());
    let peer = contact.map_or(kept.source, |ip| SocketAddr::new(ip, uri.port.unwrap_or(kept.transport.default_port())));
    let peer = if flow.is_some_and(|flow| core.is_listener(&flow, peer)) { kept.source } else { peer };
    let route = match flow.filter(|flow| core.layer.flows().is_open(flow)) {
        Some(flow) if flow.connection.is_some() => Route::Open(flow),
        Some(flow) => Route::Open(Flow { peer, ..flow }),
        // Its certificate would be one for servers; phones have none.
        None if kept.transport == Transport::Tls => return None,
        None => Route::connect(peer, kept.transport),
    };
    Some(ResolvedTarget { uri, routes, route, proof: Proof::Registration, account: None })
}

fn configured(core: &Core, directory: PeerDirectory<'_>, device: &str) -> Option<ResolvedTarget> {
    let uri = core.settings.known.callable.get(device)?.clone();
    let host = uri.host.clone()?;
    if let Some((flow, own, credentials)) = directory.registrations.account_at(&host) {
        let (route, account) = (core.route_by(flow), Some((own, credentials)));
        return Some(ResolvedTarget { uri, routes: Vec::new(), route, proof: Proof::Account, account });
    }
    let transport = match uri.params.get("transport") {
        _ if uri.scheme == Scheme::Sips => Transport::Tls,
        Some(named) => Transport::parse(&named.to_ascii_uppercase())?,
        None => Transport::Udp,
    };
    let peer = SocketAddr::new(host.ip()?, uri.port.unwrap_or(transport.default_port()));
    Some(ResolvedTarget { uri, routes: Vec::new(), route: Route::connect(peer, transport), proof: Proof::Address, account: None })
}
