//! Calls of ours to a device (S-9, M-18): where it is to be found, and the INVITE that goes there.
//!
//! A registered device is called by the flow it registered by (RFC 5626, RFC 3327); another one at the address that its entry names,
//! which may be an address at a PBX where we are registered ourselves.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::dialog::Dialog;
use super::endpoint::{Endpoint, Purpose};
use super::header::NameAddr;
use super::identity::{Identity, Proof};
use super::invite::{Call, Phase, Reoffer, Turn};
use super::method::Method;
use super::out_of_dialog::Alone;
use super::route::Way;
use super::uri::{Host, Scheme, Uri};
use super::{CallTarget, Command, Event, Flow, Transport, auth};
use crate::cause::Cause;
use crate::ids::CallId;

/// A call of ours that is about to begin.
pub(super) struct Outgoing {
    pub(super) uri: Uri,
    pub(super) from: NameAddr,
    /// Proxies on the way, first hop first.
    pub(super) routes: Vec<NameAddr>,
    pub(super) way: Way,
    pub(super) sdp: String,
    pub(super) prover: Option<auth::Client>,
    /// Who is called, where it is a device of ours.
    pub(super) identity: Option<Identity>,
    /// By what it is known that it is reached there.
    pub(super) proof: Proof,
    /// The dialog of the callee that ours takes the place of (RFC 3891).
    pub(super) replaces: Option<String>,
}

/// The way to a device.
struct Found {
    uri: Uri,
    routes: Vec<NameAddr>,
    way: Way,
    proof: Proof,
    /// Our own address of record at the callee's PBX, and what proves it.
    account: Option<(Uri, auth::Credentials)>,
}

impl Way {
    fn peer(&self) -> SocketAddr {
        match self {
            Self::Open(flow) => flow.peer,
            Self::Connect { peer, .. } => *peer,
        }
    }

    const fn transport(&self) -> Transport {
        match self {
            Self::Open(flow) => flow.transport,
            Self::Connect { transport, .. } => *transport,
        }
    }
}

impl Endpoint {
    /// Where a device could be called now; `None`: nowhere.
    #[must_use]
    pub fn reach(&self, device: &str) -> Option<CallTarget> {
        let found = self.find(device)?;
        let local = match &found.way {
            Way::Open(flow) => Some(flow.local.ip()),
            Way::Connect { .. } => None,
        };
        let user = found.uri.user_text().unwrap_or_default();
        Some(CallTarget { peer: found.way.peer(), transport: found.way.transport(), local, user, proof: found.proof })
    }

    /// The Call-ID of a call that is up.
    #[must_use]
    pub fn dialog(&self, call: CallId) -> Option<String> {
        self.calls.get(&call).map(|call| call.key.call_id.clone())
    }

    fn find(&self, device: &str) -> Option<Found> {
        self.find_registered(device).or_else(|| self.find_configured(device))
    }

    fn find_registered(&self, device: &str) -> Option<Found> {
        let (kept, flow) = self.registrar.best(device)?;
        let uri = Uri::parse(&kept.uri)?;
        let routes: Vec<NameAddr> = kept.path.iter().filter_map(|hop| NameAddr::parse(hop)).collect();
        // Behind NAT, or behind a proxy, the contact's address means nothing here: what reached us from there goes back there.
        let contact = uri.host.as_ref().and_then(Host::ip).filter(|ip| *ip == kept.source.ip() && routes.is_empty());
        let peer = contact.map_or(kept.source, |ip| SocketAddr::new(ip, uri.port.unwrap_or(kept.transport.default_port())));
        let peer = if flow.is_some_and(|flow| self.is_listener(&flow, peer)) { kept.source } else { peer };
        let way = match flow.filter(|flow| self.is_open(flow)) {
            Some(flow) if flow.connection.is_some() => Way::Open(flow),
            Some(flow) => Way::Open(Flow { peer, ..flow }),
            // Its certificate would be one for servers; phones have none.
            None if kept.transport == Transport::Tls => return None,
            None => Way::Connect { peer, transport: kept.transport, fallback: None },
        };
        Some(Found { uri, routes, way, proof: Proof::Registration, account: None })
    }

    fn find_configured(&self, device: &str) -> Option<Found> {
        let uri = self.settings.known.callable.get(device)?.clone();
        let host = uri.host.clone()?;
        if let Some((flow, own, credentials)) = self.account_at(&host) {
            return Some(Found {
                uri,
                routes: Vec::new(),
                way: self.way_by(flow),
                proof: Proof::Account,
                account: Some((own, credentials)),
            });
        }
        let transport = match uri.params.get("transport") {
            _ if uri.scheme == Scheme::Sips => Transport::Tls,
            Some(named) => Transport::parse(&named.to_ascii_uppercase())?,
            None => Transport::Udp,
        };
        let peer = SocketAddr::new(host.ip()?, uri.port.unwrap_or(transport.default_port()));
        Some(Found {
            uri,
            routes: Vec::new(),
            way: Way::Connect { peer, transport, fallback: None },
            proof: Proof::Address,
            account: None,
        })
    }

    /// Has a device fetch its configuration anew. Phones know this event without having subscribed to it.
    pub(super) fn check_sync(&mut self, now: Instant, device: &str) {
        let Some(found) = self.find(device) else { return };
        let host = match &found.way {
            Way::Open(flow) => self.sent_by(flow).to_string(),
            Way::Connect { .. } => self.settings.known.accounts.realm.clone(),
        };
        let Some(from) = Uri::parse(&format!("sip:roomgate@{host}")) else { return };
        let (tag, call_id) = (self.token(), format!("{}{}", self.token(), self.token()));
        let mut dialog = Dialog::to_invite(call_id, NameAddr::of(from).with_tag(&tag), found.uri, found.routes);
        let mut notify = dialog.request(Method::Notify);
        notify.headers.push("Event", "check-sync;reboot=false");
        notify.headers.push("Subscription-State", "terminated;reason=noresource");
        self.send_alone(now, notify, found.way, Alone::LastNotify);
    }

    pub(super) fn call_device(&mut self, now: Instant, command: Command) {
        let Command::CallDevice { call: id, device, from, display, sdp, replaces } = command else { return };
        if self.draining {
            return self.tell(Event::Failed { call: id, cause: Cause::Draining, reason: String::new() });
        }
        let (Some(found), Some(from)) = (self.find(&device), Uri::parse(&from)) else {
            return self.tell(Event::Failed { call: id, cause: Cause::NotReachable, reason: String::new() });
        };
        let (from, prover) = match found.account {
            Some((own, credentials)) => (own, Some(auth::Client::new(credentials))),
            None => (from, None),
        };
        let from = NameAddr { display: Some(display).filter(|name| !name.is_empty()), ..NameAddr::of(from) };
        let (uri, routes, way, proof) = (found.uri, found.routes, found.way, found.proof);
        let identity = Some(Identity::Device(device));
        self.place(now, id, Outgoing { uri, from, routes, way, sdp, prover, identity, proof, replaces });
    }

    /// Sends the first INVITE of a call of ours.
    pub(super) fn place(&mut self, now: Instant, id: CallId, outgoing: Outgoing) {
        if self.calls.contains_key(&id) {
            return;
        }
        let Outgoing { uri, from, routes, way, sdp, prover, identity, proof, replaces } = outgoing;
        let local = from.with_tag(&self.token());
        let call_id = format!("{}{}", self.token(), self.token());
        tracing::info!(call = %id, dialog = call_id, "call placed");
        let dialog = Dialog::to_invite(call_id, local, uri, routes);
        let flow = match &way {
            Way::Open(flow) => *flow,
            Way::Connect { peer, transport, .. } => {
                let unspecified: IpAddr = if peer.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
                // Replaced as soon as the flow is known.
                let local = SocketAddr::new(unspecified, 0);
                Flow { transport: *transport, listener: 0, connection: None, local, peer: *peer }
            }
        };
        let mut call = Call::new(now, dialog, flow, Phase::Calling, Turn::Idle);
        (call.prover, call.identity, call.proof, call.replaces) = (prover, identity, proof, replaces);
        let invite = call.dialog.request(Method::Invite);
        *self.sources.entry(call.source).or_insert(0) += 1;
        self.dialogs.insert(call.key.clone(), id);
        self.calls.insert(id, call);
        let client = self.open_invite(now, id, invite, Purpose::Invite, Reoffer { sdp, refresh: false });
        self.send_client_by(now, client, way);
    }
}
