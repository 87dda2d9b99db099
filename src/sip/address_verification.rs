//! Round trips of who is known by an address alone (M-1). The source of a datagram is whatever its sender writes there, so before a MESSAGE,
//! REGISTER or SUBSCRIBE outside of a dialog has an effect, that place is asked something: OPTIONS, with a branch and a Call-ID that
//! nobody else has seen. A final response from there proves it for five minutes. Meanwhile the first request waits, a second at most;
//! others are told to come back.
//!
//! One question an address and second, so that nobody has us send more to it than it is sent in its name. A place that has answered before is
//! asked for itself: whoever writes other ports of its address into datagrams takes no question from it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hashlink::LruCache;

use super::authentication::Sender;
use super::endpoint::{Endpoint, Owner};
use super::header::NameAddr;
use super::identity::Identity;
use super::message::{Essentials, Request, Response};
use super::method::Method;
use super::transaction::MAGIC;
use super::uri::Uri;
use super::{Flow, Transport};

/// How long an answer proves a place.
const PROVEN: Duration = Duration::from_secs(300);
/// How long a request waits for it.
const HELD: Duration = Duration::from_secs(1);
/// Between two questions to an address.
const EVERY: Duration = Duration::from_secs(1);
/// Places and addresses remembered; beyond that the one that is the longest ago is forgotten, and asked anew when it comes again.
const PLACES: usize = 4096;
/// Requests that wait; a further one is told to come back.
const WAITING: usize = 1024;
/// When whoever is told to come back may, in seconds.
const RETRY_AFTER: &str = "2";

/// Who shares a budget of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Asked {
    /// A place that has answered before.
    Place(SocketAddr),
    /// All other ports of an address.
    Address(IpAddr),
}

#[derive(Debug)]
struct Question {
    at: Instant,
    peer: SocketAddr,
    branch: String,
    call_id: String,
    /// The server transaction of the request that waits.
    server: u64,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Held {
    flow: Flow,
    identity: Option<Identity>,
    request: Request,
    essentials: Essentials,
    until: Instant,
    pub(super) scheduled: Option<Instant>,
}

impl Held {
    pub(super) const fn deadline(&self) -> Instant {
        self.until
    }
}

/// What is known of places.
pub(super) struct RoundTrips {
    /// Those that have answered, and until when that holds.
    proven: LruCache<SocketAddr, Instant>,
    questions: LruCache<Asked, Question>,
    /// By server transaction.
    pub(super) held: HashMap<u64, Held>,
}

impl std::fmt::Debug for RoundTrips {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoundTrips").field("proven", &self.proven.len()).field("held", &self.held).finish_non_exhaustive()
    }
}

impl Default for RoundTrips {
    fn default() -> Self {
        Self { proven: LruCache::new(PLACES), questions: LruCache::new(PLACES), held: HashMap::new() }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trip {
    /// It needs no proof, or there is one.
    Over,
    /// It waits while its place is asked.
    Begins,
    /// Its place cannot be asked now.
    Later,
}

impl RoundTrips {
    fn asked(&self, peer: SocketAddr) -> Asked {
        if self.proven.contains_key(&peer) { Asked::Place(peer) } else { Asked::Address(peer.ip()) }
    }

    fn trip(&self, now: Instant, peer: SocketAddr) -> Trip {
        if self.proven.peek(&peer).is_some_and(|until| *until > now) {
            return Trip::Over;
        }
        let asked = self.questions.peek(&self.asked(peer));
        let has_rested = asked.is_none_or(|question| now.saturating_duration_since(question.at) >= EVERY);
        if has_rested && self.held.len() < WAITING { Trip::Begins } else { Trip::Later }
    }

    /// Takes an answer; the request that waited for it.
    fn answered(&mut self, now: Instant, peer: SocketAddr, branch: &str, call_id: &str) -> Option<u64> {
        let asked = [Asked::Place(peer), Asked::Address(peer.ip())].into_iter().find(|asked| {
            let question = self.questions.peek(asked);
            question.is_some_and(|question| {
                question.peer == peer && question.branch == branch && question.call_id == call_id && now < question.at + HELD
            })
        })?;
        let question = self.questions.remove(&asked)?;
        self.proven.insert(peer, now + PROVEN);
        Some(question.server)
    }
}

impl Endpoint {
    /// Whether a request of a sender may have its effect.
    pub(super) fn round_trip(&self, now: Instant, flow: &Flow, request: &Request, sender: &Sender) -> Trip {
        let has_effect = matches!(request.method, Method::Message | Method::Register | Method::Subscribe);
        match sender.is_by_address() && has_effect && flow.transport == Transport::Udp {
            true => self.round_trips.trip(now, flow.peer),
            false => Trip::Over,
        }
    }

    /// A request whose place cannot be asked now.
    pub(super) fn come_back(&mut self, flow: Flow, request: Request) {
        self.answer_statelessly(flow, request, (503, ""), &[("Retry-After", RETRY_AFTER.to_owned())]);
    }

    /// Asks the place that a request came from, and lets the request wait.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        server: u64,
        (flow, identity): (Flow, Option<Identity>),
        request: Request,
        essentials: Essentials,
    ) {
        let (branch, call_id) = (format!("{MAGIC}{}{}", self.token(), self.token()), format!("{}{}", self.token(), self.token()));
        let (peer, own) = (flow.peer, self.sent_by(&flow));
        let to = NameAddr::of(Uri::of_address(peer));
        let mut from = Uri::of_address(own);
        from.user = Some("roomgate".to_owned());
        let from = NameAddr::of(from).with_tag(&self.token());
        let mut options = Request::new(Method::Options, Uri::of_address(peer));
        options.headers.push("Via", self.via(&flow, &branch));
        options.headers.push("Max-Forwards", 70);
        options.headers.push("From", from);
        options.headers.push("To", to);
        options.headers.push("Call-ID", &call_id);
        options.headers.push("CSeq", "1 OPTIONS");
        options.headers.push("Contact", self.contact(&flow));
        options.headers.push("User-Agent", &self.settings.user_agent);
        self.transmit(flow, options.to_bytes());
        let asked = self.round_trips.asked(peer);
        self.round_trips.questions.insert(asked, Question { at: now, peer, branch, call_id, server });
        let held = Held { flow, identity, request, essentials, until: now + HELD, scheduled: None };
        self.round_trips.held.insert(server, held);
        self.schedule(Owner::Held(server));
    }

    /// Takes a response to a question. `true`: it was one.
    pub(super) fn is_round_trip(&mut self, now: Instant, flow: &Flow, response: &Response, essentials: &Essentials) -> bool {
        let is_final = response.status >= 200 && essentials.cseq.method == Method::Options && flow.transport == Transport::Udp;
        let branch = essentials.via.branch().filter(|_| is_final).unwrap_or_default();
        let Some(server) = self.round_trips.answered(now, flow.peer, branch, &essentials.call_id) else { return false };
        let Some(held) = self.round_trips.held.remove(&server) else { return true };
        self.unschedule(held.scheduled, Owner::Held(server));
        let Held { flow, identity, request, essentials, .. } = held;
        match request.method {
            Method::Register => self.register(now, server, (flow, identity), &request, &essentials),
            Method::Subscribe => self.subscribe_outside(now, server, (flow, identity), &request, &essentials),
            _ => self.text_outside(now, server, (flow, identity), &request, &essentials),
        }
        true
    }

    /// A request has waited long enough.
    pub(super) fn wake_held(&mut self, now: Instant, server: u64) {
        if let Some(held) = self.round_trips.held.remove(&server) {
            self.unschedule(held.scheduled, Owner::Held(server));
            self.respond(now, server, 503, &[("Retry-After", RETRY_AFTER.to_owned())], None);
        }
    }
}
