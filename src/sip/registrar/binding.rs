//! One [`ContactBinding`]: a contact of a device, the way to it, and until when.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::contact::AskedContact;
use crate::sip::message::Essentials;
use crate::sip::message::header_names;
use crate::sip::message::uri::Uri;
use crate::sip::reason::shortened;
use crate::sip::transaction::InboundRequest;
use crate::sip::transport::{ConnectionId, Flow, Transport};

/// One contact of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContactBinding {
    /// What is the same while it lives here and in the store.
    kept: Stored,
    pub(super) dies_at: Instant,
    /// How it reached us; `None` after a restart of ours.
    flow: Option<Flow>,
}

/// A binding as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The contact's address, as the device wrote it.
    pub uri: String,
    /// Preference among several, in thousandths.
    pub q: u16,
    /// `+sip.instance`, the same over all of a device's flows.
    pub instance: Option<String>,
    /// `reg-id`, where it is an outbound flow (RFC 5626).
    pub reg_id: Option<u32>,
    /// Proxies on the way to it, first hop first (RFC 3327).
    pub path: Vec<String>,
    /// Of the request that made it.
    pub call_id: String,
    /// Of the request that made it.
    pub cseq: u32,
    /// Where that came from.
    pub source: SocketAddr,
    /// By what.
    pub transport: Transport,
    /// The device's software, at most 128 characters.
    pub user_agent: Option<String>,
    /// What is left of its life.
    pub expires_in: Duration,
}

impl Stored {
    pub(super) fn revive(self, now: Instant) -> ContactBinding {
        ContactBinding { dies_at: now + self.expires_in, kept: Self { expires_in: Duration::ZERO, ..self }, flow: None }
    }
}

impl ContactBinding {
    /// Where the request that made it came from.
    pub(super) const fn source(&self) -> IpAddr {
        self.kept.source.ip()
    }

    pub(super) fn new(dies_at: Instant, asked: AskedContact, outbound: bool, path: &[String], inbound: &InboundRequest) -> Self {
        let InboundRequest { flow, request, essentials } = inbound;
        let kept = Stored {
            uri: asked.uri.to_string(),
            q: asked.q,
            instance: asked.instance,
            reg_id: asked.reg_id.filter(|_| outbound),
            path: path.to_vec(),
            call_id: essentials.call_id.clone(),
            cseq: essentials.cseq.number,
            source: flow.peer,
            transport: flow.transport,
            user_agent: request.headers.get(header_names::USER_AGENT).map(shortened).filter(|agent| !agent.is_empty()),
            // Counted from `dies_at` where it is wanted.
            expires_in: Duration::ZERO,
        };
        Self { kept, dies_at, flow: Some(*flow) }
    }

    /// Whether a request may change it: another Call-ID (the device has restarted), or a later number of the same
    /// (RFC 3261 section 10.3 item 7).
    pub(super) fn yields_to(&self, essentials: &Essentials) -> bool {
        self.kept.call_id != essentials.call_id || self.kept.cseq < essentials.cseq.number
    }

    /// Whether a contact means this one: the same flow of the same instance (RFC 5626 section 6), or else the same address.
    pub(super) fn is_meant_by(&self, asked: &AskedContact, outbound: bool) -> bool {
        if outbound && self.is_flow() {
            return self.kept.reg_id == asked.reg_id && self.kept.instance == asked.instance;
        }
        !outbound && Uri::parse(&self.kept.uri).is_some_and(|uri| uri.is_equivalent(&asked.uri))
    }

    /// Whether the only contact of a request is this one, to which something between the device and us has since given another address: the device
    /// counts on in one Call-ID for all that it registers (RFC 3261 section 10.2), and speaks from the same host.
    pub(super) fn was_moved_to(&self, contact: &Uri, inbound: &InboundRequest) -> bool {
        let InboundRequest { flow, essentials, .. } = inbound;
        let is_later = self.kept.call_id == essentials.call_id && self.kept.cseq < essentials.cseq.number;
        let parts = |uri: &Uri| (uri.scheme.clone(), uri.user_text(), uri.params.get("transport").map(str::to_ascii_lowercase));
        let is_same_user = || Uri::parse(&self.kept.uri).is_some_and(|uri| parts(&uri) == parts(contact));
        is_later && !self.is_flow() && self.kept.source.ip() == flow.peer.ip() && is_same_user()
    }

    /// What orders bindings of one device: its own wish, then which of them is the newest.
    pub(super) const fn preference(&self) -> (u16, Instant) {
        (self.kept.q, self.dies_at)
    }

    /// What it says, and how it reached us.
    pub(super) const fn way(&self) -> (&Stored, Option<Flow>) {
        (&self.kept, self.flow)
    }

    /// Whether an address means this contact: the same user at the same host and port.
    pub(super) fn is_at(&self, address: &Uri) -> bool {
        let parts = |uri: &Uri| (uri.user_text(), uri.host.clone(), uri.port.unwrap_or(5060));
        Uri::parse(&self.kept.uri).is_some_and(|uri| parts(&uri) == parts(address))
    }

    pub(super) const fn is_flow(&self) -> bool {
        self.kept.reg_id.is_some()
    }

    pub(super) fn connection(&self) -> Option<ConnectionId> {
        self.flow.and_then(|flow| flow.connection)
    }

    /// Whether the request that made it came by this flow.
    pub(super) fn came_by(&self, flow: &Flow) -> bool {
        let from_there = self.kept.source == flow.peer && self.kept.transport == flow.transport;
        from_there && self.connection() == flow.connection
    }

    /// Whether no proxy has put itself on the way to it (RFC 3327).
    pub(super) fn is_direct(&self) -> bool {
        self.kept.path.is_empty()
    }

    fn left(&self, now: Instant) -> Duration {
        self.dies_at.saturating_duration_since(now)
    }

    /// The value of a Contact in a response.
    pub(super) fn contact(&self, now: Instant) -> String {
        let Stored { uri, q, instance, reg_id, .. } = &self.kept;
        let mut text = format!("<{uri}>");
        if *q < 1000 {
            text.push_str(&format!(";q=0.{q:03}"));
        }
        // Rounded up: a device that is told 0 would think it is gone.
        text.push_str(&format!(";expires={}", self.left(now).as_millis().div_ceil(1000)));
        if let Some(instance) = instance {
            text.push_str(&format!(";+sip.instance=\"{instance}\""));
        }
        if let Some(reg_id) = reg_id {
            text.push_str(&format!(";reg-id={reg_id}"));
        }
        text
    }

    /// As it is at `now`.
    pub(super) fn stored(&self, now: Instant) -> Stored {
        Stored { expires_in: self.left(now), ..self.kept.clone() }
    }
}
