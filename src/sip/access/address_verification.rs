//! [`AddressVerification`] of who is known by an address alone (M-1). The source of a datagram is whatever its sender writes there, so before a MESSAGE,
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

use super::directory::Sender;
use super::identity::is_stranger;
use super::limits::Limits;
use crate::sip::core::Core;
use crate::sip::deadlines::Deadlines;
use crate::sip::message::header::NameAddr;
use crate::sip::message::method::Method;
use crate::sip::message::uri::Uri;
use crate::sip::message::{Request, StatusCode, header_names};
use crate::sip::reason;
use crate::sip::transaction::{Answer, LocalContact, MAGIC, Reply, ServerId};
use crate::sip::transport::{Flow, Transport};
use crate::sip::usage::Admitted;

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
const RETRY_AFTER: u64 = 2;

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
    server: ServerId,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) enum AddressProof {
    /// It needs none, or its place has answered.
    Done,
    /// It waits while its place is asked.
    Wanted,
    /// Its place cannot be asked now.
    Later,
}

/// See the file's paragraph.
pub(in crate::sip) struct AddressVerification {
    /// Places that have answered, and until when that holds.
    proven: LruCache<SocketAddr, Instant>,
    questions: LruCache<Asked, Question>,
    /// Requests that wait, by server transaction.
    held: HashMap<ServerId, Admitted>,
    deadlines: Deadlines<ServerId>,
}

impl std::fmt::Debug for AddressVerification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddressVerification")
            .field("proven", &self.proven.len())
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Default for AddressVerification {
    fn default() -> Self {
        let (proven, questions) = (LruCache::new(PLACES), LruCache::new(PLACES));
        Self { proven, questions, held: HashMap::new(), deadlines: Deadlines::default() }
    }
}

impl AddressVerification {
    fn asked(&self, peer: SocketAddr) -> Asked {
        if self.proven.contains_key(&peer) { Asked::Place(peer) } else { Asked::Address(peer.ip()) }
    }

    /// Whether a place has answered of late.
    pub(in crate::sip) fn is_proven(&self, now: Instant, peer: SocketAddr) -> bool {
        self.proven.peek(&peer).is_some_and(|until| *until > now)
    }

    /// Whether one more request may wait. Those of strangers leave a part to those of who is known.
    fn has_room(&self, limits: &Limits, sender: &Sender) -> bool {
        let strangers = || self.held.values().filter(|held| is_stranger(held.identity.as_ref())).count();
        self.held.len() < WAITING && (sender.is_known() || strangers() < limits.of_strangers(WAITING))
    }

    /// Whether a request of a sender may have its effect.
    pub(in crate::sip) fn wanted(
        &self,
        now: Instant,
        limits: &Limits,
        flow: &Flow,
        request: &Request,
        sender: &Sender,
    ) -> AddressProof {
        let has_effect = matches!(request.method, Method::Message | Method::Register | Method::Subscribe);
        let is_asked_about = sender.is_by_address() && has_effect && flow.transport == Transport::Udp;
        if !is_asked_about || self.is_proven(now, flow.peer) {
            return AddressProof::Done;
        }
        let asked = self.questions.peek(&self.asked(flow.peer));
        let has_rested = asked.is_none_or(|question| now.saturating_duration_since(question.at) >= EVERY);
        if has_rested && self.has_room(limits, sender) { AddressProof::Wanted } else { AddressProof::Later }
    }

    /// What a request is told whose place cannot be asked now.
    pub(in crate::sip) fn retry_later() -> Reply {
        reason::retry_after(StatusCode::ServiceUnavailable, RETRY_AFTER)
    }

    /// Asks the place that a request came from, and lets the request wait.
    pub(in crate::sip) fn hold(&mut self, now: Instant, core: &mut Core, admitted: Admitted) {
        let (flow, server) = (admitted.inbound.flow, admitted.server);
        let (branch, call_id) = (format!("{MAGIC}{}", core.random.long_token()), core.call_id());
        let (peer, local) = (flow.peer, core.layer.local());
        let mut from = Uri::of_address(local.sent_by(&flow));
        from.user = Some("roomgate".to_owned());
        let mut options = Request::new(Method::Options, Uri::of_address(peer));
        options.headers.push(header_names::VIA, local.via(&flow, &branch));
        options.headers.push(header_names::MAX_FORWARDS, 70);
        let (contact, agent) = (local.contact(&LocalContact::default(), &flow), local.user_agent.clone());
        options.headers.push(header_names::FROM, NameAddr::of(from).with_tag(&core.random.token()));
        options.headers.push(header_names::TO, NameAddr::of(Uri::of_address(peer)));
        options.headers.push(header_names::CALL_ID, &call_id);
        options.headers.push(header_names::CSEQ, "1 OPTIONS");
        options.headers.push(header_names::CONTACT, contact);
        options.headers.push(header_names::USER_AGENT, agent);
        core.layer.transmit(flow, options.to_bytes());
        let asked = self.asked(peer);
        self.questions.insert(asked, Question { at: now, peer, branch, call_id, server });
        self.held.insert(server, admitted);
        self.deadlines.set(server, Some(now + HELD));
    }

    /// Takes a response that belongs to no transaction; the request that waited for it.
    pub(in crate::sip) fn answered(&mut self, now: Instant, answer: &Answer) -> Option<Admitted> {
        let Answer { flow, response, essentials } = answer;
        if response.status < 200 || essentials.cseq.method != Method::Options || flow.transport != Transport::Udp {
            return None;
        }
        let (peer, branch) = (flow.peer, essentials.via.branch().unwrap_or_default());
        let is_meant = |question: &Question| {
            question.peer == peer
                && question.branch == branch
                && question.call_id == essentials.call_id
                && now < question.at + HELD
        };
        let mut asked = [Asked::Place(peer), Asked::Address(peer.ip())].into_iter();
        let asked = asked.find(|asked| self.questions.peek(asked).is_some_and(is_meant))?;
        let question = self.questions.remove(&asked)?;
        self.proven.insert(peer, now + PROVEN);
        self.deadlines.remove(question.server);
        self.held.remove(&question.server)
    }

    /// Requests that have waited long enough are told to come back.
    pub(in crate::sip) fn wake(&mut self, now: Instant, core: &mut Core) {
        while let Some(server) = self.deadlines.due(now) {
            if self.held.remove(&server).is_some() {
                core.respond(now, server, Self::retry_later());
            }
        }
    }

    pub(in crate::sip) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first()
    }

    /// Requests that wait.
    pub(in crate::sip) fn waiting(&self) -> usize {
        self.held.len()
    }
}
