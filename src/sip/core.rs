//! [`Core`]: what all usages of the endpoint stand on (the user agent core of RFC 3261 section 6): settings, the transaction layer, and the
//! way to the owners of calls. It knows no usage.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::access::identity::{Identity, is_stranger};
use super::capabilities::{ACCEPT, ALLOW, SUPPORTED};
use super::counters::Counters;
use super::events::Event;
use super::interface::Output;
use super::log::LogLimits;
use super::message::Request;
use super::message::header::Via;
use super::message::method::Method;
use super::random::Random;
use super::reason;
use super::settings::Settings;
use super::token::Token;
use super::transaction::{Header, LocalIdentity, PeerStanding, Reply, Route, ServerId, Timers, TransactionLayer, Transmission};
use super::transport::{ConnectionId, Flow};
use crate::common::cause::Cause;
use crate::sip::message::{StatusCode, header_names};

/// See the file's paragraph.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) settings: Settings,
    pub(super) timers: Timers,
    pub(super) layer: TransactionLayer<Token>,
    pub(super) random: Random,
    /// New INVITEs and OPTIONS get 503 (O-4).
    pub(super) is_draining: bool,
    pub(super) counters: Arc<Counters>,
    pub(super) log: LogLimits,
    outputs: VecDeque<Output>,
}

impl Core {
    pub(super) fn new(settings: Settings) -> Self {
        let (timers, counters) = (Timers::with_t1(settings.t1), Arc::<Counters>::default());
        let mut random = Random::from_seed(settings.seed);
        let local = LocalIdentity { advertised: settings.advertised, user_agent: settings.user_agent.clone() };
        let layer = TransactionLayer::new(timers, local, random.fork(), Arc::clone(&counters));
        let (log, outputs) = (LogLimits::default(), VecDeque::new());
        Self { settings, timers, layer, random, is_draining: false, counters, log, outputs }
    }

    // === ways out ===

    pub(super) fn tell(&mut self, event: Event) {
        self.emit(Output::Event(event));
    }

    pub(super) fn emit(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| {
            Some(match self.layer.transmission()? {
                Transmission::Send { flow, bytes } => Output::Transmit { flow, bytes },
                Transmission::Connect { peer, transport, name, token } => Output::Connect { peer, transport, name, token },
            })
        })
    }

    /// The way by which a flow leads, by it or by a new connection if it is gone.
    pub(super) fn route_by(&self, flow: Flow) -> Route {
        if self.layer.flows().is_open(&flow) { Route::Open(flow) } else { Route::connect(flow.peer, flow.transport) }
    }

    /// Whether an address is where we listen ourselves.
    pub(super) fn is_listener(&self, flow: &Flow, address: SocketAddr) -> bool {
        address == flow.local || address == self.layer.local().sent_by(flow)
    }

    /// Whom the certificate of a connection names.
    pub(super) fn certified(&self, flow: &Flow) -> Option<&Identity> {
        self.settings.known.by_certificate(self.layer.flows().certificate(flow)?)
    }

    /// Whether an address or a certificate is that of a device or trunk of ours.
    pub(super) fn is_trusted(&self, flow: &Flow) -> bool {
        self.settings.trusted.trusts(flow.peer.ip()) || self.certified(flow).is_some()
    }

    /// Whether somebody leaves a part of what is bounded to those who are known: a stranger does, where anybody is known.
    pub(super) fn yields_to_known(&self, identity: Option<&Identity>) -> bool {
        is_stranger(identity) && self.settings.known.is_anybody()
    }

    /// What is known of whoever is at the other end of a connection.
    pub(super) fn standing(&self, connection: ConnectionId) -> PeerStanding {
        let names = self.layer.flows().certificate_of(connection);
        match names.and_then(|names| self.settings.known.by_certificate(names)) {
            Some(_) => PeerStanding::Known,
            None => self.layer.flows().standing(connection),
        }
    }

    // === answers ===

    pub(super) fn respond(&mut self, now: Instant, server: ServerId, reply: Reply) {
        self.layer.respond(now, server, reply);
    }

    /// A status alone.
    pub(super) fn refuse(&mut self, now: Instant, server: ServerId, status: StatusCode) {
        self.layer.respond(now, server, Reply::new(status));
    }

    /// M-12: an external may not do that, and is told why.
    pub(super) fn forbid(&mut self, now: Instant, server: ServerId) {
        self.layer.respond(now, server, reason::forbidden());
    }

    pub(super) fn refuse_method(&mut self, now: Instant, server: ServerId, method: &Method) {
        self.layer.respond(now, server, reason::unknown_method(method));
    }

    /// A request in a dialog that nobody here has, or of a method that we do not know there.
    pub(super) fn refuse_unknown(&mut self, now: Instant, server: ServerId, method: &Method) {
        match method {
            Method::Message
            | Method::Subscribe
            | Method::Invite
            | Method::Options
            | Method::Bye
            | Method::Info
            | Method::Update
            | Method::Prack => self.refuse(now, server, StatusCode::CallTransactionDoesNotExist),
            method => self.refuse_method(now, server, method),
        }
    }

    /// What we can do (RFC 3261 section 11.2).
    pub(super) fn answer_options(&mut self, now: Instant, server: ServerId) {
        let reply = match self.is_draining {
            true => reason::refusal(StatusCode::ServiceUnavailable, Cause::Draining),
            false => Reply::new(StatusCode::OK).with([
                (header_names::ALLOW, ALLOW.to_owned()),
                (header_names::ACCEPT, ACCEPT.to_owned()),
                (header_names::ACCEPT_ENCODING, "identity".to_owned()),
                (header_names::ACCEPT_LANGUAGE, "en".to_owned()),
                (header_names::SUPPORTED, SUPPORTED.to_owned()),
            ]),
        };
        self.layer.respond(now, server, reply);
    }

    /// Answers without a transaction (section 8.2.7): nothing is kept, and a request that is sent again gets the same answer again, its
    /// tag included. An empty phrase is the usual one of the status.
    pub(super) fn answer_statelessly(
        &mut self,
        flow: Flow,
        request: Request,
        (status, phrase): (impl Into<u16>, &str),
        headers: &[Header],
    ) {
        let tag = self.steady_tag(&request);
        self.layer.respond_statelessly(flow, request, (status.into(), phrase, headers), &tag);
    }

    /// The same tag for the same request, that nobody can foresee without the seed.
    fn steady_tag(&self, request: &Request) -> String {
        let via = request.headers.values(header_names::VIA).next().and_then(Via::parse_any_version);
        let mut hasher = DefaultHasher::new();
        let part = |name: &str| request.headers.get(name);
        let branch = via.as_ref().and_then(Via::branch);
        (self.settings.seed, part(header_names::CALL_ID), part(header_names::CSEQ), part(header_names::FROM), branch)
            .hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// A Call-ID of ours.
    pub(super) fn call_id(&mut self) -> String {
        self.random.long_token()
    }
}
