//! Answers without a transaction (RFC 3261 section 8.2.7): nothing is kept, and a request that is sent again gets the same answer again,
//! its tag included; ACKs of them are absorbed. So are answered strangers who have to prove who they are, what cannot be read, and calls
//! for help (S-10), which no limit may keep from their answer.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::time::Instant;

use super::Flow;
use super::authentication::Sender;
use super::counters::count;
use super::emergency::SPOKEN;
use super::endpoint::Endpoint;
use super::guard::{Price, Source};
use super::header::Via;
use super::identity::{Identity, Proof};
use super::incoming::takes_no_answer;
use super::invite::Phase;
use super::message::{Body, Essentials, Message, Request, session_description};
use super::method::Method;
use super::uas::{Header, reasons, reply_flow};
use super::wire::WireError;
use crate::cause::Cause;

impl Endpoint {
    /// A stranger gets no answer. One through a trunk does: a proxy that hears nothing would take us for dead and send nobody any more.
    pub(super) fn turn_away(&mut self, flow: Flow, request: Request) {
        count(&self.counters.dropped);
        if let Source::Behind(..) = self.source(&flow, &request) {
            self.answer_statelessly(flow, request, (480, ""), &[]);
        }
    }

    /// Answers outside of any transaction; an empty phrase is the usual one of the status.
    pub(super) fn answer_statelessly(
        &mut self,
        flow: Flow,
        mut request: Request,
        (status, phrase): (u16, &str),
        headers: &[Header],
    ) {
        let via = request.headers.values("Via").next().and_then(Via::parse);
        let Some(via) = via.filter(|_| request.method != Method::Ack) else { return };
        let (reply, tag) = (reply_flow(flow, &via), self.steady_tag(&request, &via));
        set_received(&mut request, via, flow.peer);
        let mut response = request.response(status, Some(&tag));
        if !phrase.is_empty() {
            phrase.clone_into(&mut response.phrase);
        }
        for (name, value) in headers {
            response.headers.push(name, value);
        }
        response.headers.push("Server", &self.settings.user_agent);
        self.send_response(reply, response.to_bytes());
    }

    /// A request that at least can be answered is (RFC 3261 section 8.2, 21.4.1); anything else is dropped.
    pub(super) fn malformed(&mut self, now: Instant, flow: Flow, bytes: &[u8], error: WireError) {
        count(&self.counters.malformed);
        tracing::debug!(source = %flow.peer, %error, "message cannot be read");
        let broken = Message::parse_broken(bytes, &self.settings.limits.wire);
        if let Some(request) = broken.as_ref().filter(|request| self.would_be_for_help(request)) {
            return self.answer_call_for_help(now, flow, request.clone());
        }
        if !self.is_trusted(&flow) && !self.guard.charge(now, &Source::of(flow.peer.ip()), Price::Request) {
            return count(&self.counters.dropped);
        }
        let status = match error {
            WireError::BodyTooLarge => 513,
            WireError::Version => 505,
            _ => 400,
        };
        if let Some(request) = broken {
            self.answer_statelessly(flow, request, (status, ""), &[]);
        }
    }

    /// The same tag for the same request, that nobody can foresee without the seed.
    fn steady_tag(&self, request: &Request, via: &Via) -> String {
        let mut hasher = DefaultHasher::new();
        let part = |name: &str| request.headers.get(name);
        (self.settings.seed, part("Call-ID"), part("CSeq"), part("From"), via.branch()).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    // === calls for help ===

    /// Whether a request calls for help (S-10). One inside a dialog goes to a Contact of ours and is none.
    pub(super) fn is_for_help(&self, request: &Request, essentials: &Essentials) -> bool {
        essentials.to.tag().is_none() && self.would_be_for_help(request)
    }

    /// The same of a request that cannot be read as a whole.
    pub(super) fn would_be_for_help(&self, request: &Request) -> bool {
        request.method == Method::Invite && self.settings.emergency.is_meant(&request.uri)
    }

    /// Who sent a call for help that is told by voice that nobody answers it here: somebody known, while there is room for such a call
    /// and nothing in the request stands in its way. `None`: it gets its status alone, at once.
    pub(super) fn hears_a_refusal(&self, flow: &Flow, request: &Request, essentials: &Essentials) -> Option<Sender> {
        let spoken = self.calls.values().filter(|call| call.for_help && call.phase == Phase::Ringing).take(SPOKEN).count();
        let room = spoken < SPOKEN
            && !self.draining
            && self.has_room_for_transaction(false)
            && !self.is_full(flow.peer.ip(), None)
            && !self.is_merged(essentials);
        let plain = matches!(session_description(&request.headers, &request.body), Body::Sdp(_))
            && ["Require", "Content-Encoding"].iter().all(|name| request.headers.get(name).is_none())
            && !takes_no_answer(request);
        let wanted = self.settings.emergency.target.is_none() && room && plain;
        if wanted { self.known_by_place(flow) } else { None }
    }

    /// Whether a device or trunk of ours is known to be at the other end, also where nobody asked for proof.
    pub(super) fn is_known_place(&self, flow: &Flow) -> bool {
        self.known_by_place(flow).is_some_and(|sender| sender.is_known())
    }

    /// Whom we know by the certificate of a connection, a registration from the very same place, or an address.
    fn known_by_place(&self, flow: &Flow) -> Option<Sender> {
        let (known, address) = (&self.settings.known, flow.peer.ip());
        if let Some(identity) = self.certified(flow) {
            return Some(Sender::new(identity.clone(), Proof::Certificate));
        }
        if let Some(device) = self.registrar.device_at(flow) {
            return Some(Sender::new(Identity::Device(device.clone()), Proof::Registration));
        }
        if let Some(identity) = known.by_address(address) {
            return Some(Sender::new(identity.clone(), Proof::Address));
        }
        known.allows(address).then(|| Sender::new(Identity::Unlisted, Proof::None))
    }

    /// Sends a call for help to where it is answered, or says that it is not answered here.
    pub(super) fn answer_call_for_help(&mut self, now: Instant, flow: Flow, request: Request) {
        self.log_call_for_help(now, &flow);
        match self.settings.emergency.target.clone() {
            Some(target) => {
                self.answer_statelessly(flow, request, (302, ""), &[("Contact", format!("<{target}>"))]);
            }
            None => self.answer_statelessly(flow, request, (403, ""), &reasons(Cause::NoEmergencyCalls)),
        }
    }

    pub(super) fn log_call_for_help(&mut self, now: Instant, flow: &Flow) {
        let Some(unlogged) = self.lines.help.say(now) else { return };
        let source = flow.peer;
        match self.settings.emergency.target {
            Some(_) => tracing::warn!(%source, unlogged, "emergency call redirected"),
            None => tracing::warn!(%source, unlogged, "emergency call refused: emergency.target is not set"),
        }
    }
}

/// `received` and `rport` (RFC 3261 section 18.2.1, RFC 3581 section 4).
pub(super) fn set_received(request: &mut Request, mut via: Via, source: SocketAddr) {
    let rport = via.params.has("rport");
    if rport || via.host.ip() != Some(source.ip()) {
        via.params.set("received", Some(source.ip().to_string()));
    }
    if rport {
        via.params.set("rport", Some(source.port().to_string()));
    }
    request.headers.replace_first("Via", via);
}
