//! [`Endpoint`]: transactions, dialogs and calls in one machine. What a message means is in `uas.rs` (requests) and
//! `response.rs`, what we ask of peers in `uac.rs`; here are the tables, the deadlines and the way out.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::address_verification::RoundTrips;
use super::auth::Authenticator;
use super::connections::OtherEnd;
use super::counters::{Counters, count};
use super::dialog::DialogKey;
use super::guard::{Guard, Source};
use super::hep::Copied;
use super::invite::{Call, Phase};
use super::ladder::{Ladder, LadderLine};
use super::log::Lines;
use super::message::{Message, Request};
use super::out_of_dialog::Alone;
use super::registrar::Registrar;
use super::registration::Registration;
use super::subscriptions::Subscription;
use super::transaction::{Action, InviteClient, InviteServer, NonInviteClient, NonInviteServer, ServerKey, Timers};
use super::{Change, ConnectionId, Event, Flow, Input, Output, Settings, Transport};
use crate::cause::Cause;
use crate::ids::CallId;
use crate::machine::Machine;

/// Connections that may be under way at once; a further one fails at once.
const CONNECTING: usize = 256;

/// Who a deadline belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Server(u64),
    Client(u64),
    Call(CallId),
    /// One of our registrations.
    Account(u64),
    /// Somebody's subscription.
    Subscription(u64),
    /// A request whose sender is asked whether it is there.
    Held(u64),
}

#[derive(Debug)]
pub(super) enum ServerMachine {
    Invite(InviteServer),
    Other(NonInviteServer),
}

/// A server transaction with its bytes.
#[derive(Debug)]
pub(super) struct ServerTransaction {
    pub(super) key: ServerKey,
    pub(super) merge: Option<MergeKey>,
    pub(super) machine: ServerMachine,
    /// Where responses go (RFC 3261 section 18.2.2, RFC 3581).
    pub(super) reply: Flow,
    /// While it is unanswered: what responses are made from.
    pub(super) request: Option<Request>,
    pub(super) cseq: u32,
    pub(super) tag: String,
    pub(super) last: Vec<u8>,
    pub(super) call: Option<CallId>,
    pub(super) scheduled: Option<Instant>,
}

/// Call-ID, From tag, CSeq: the same request that came by two ways (RFC 3261 section 8.2.2.2).
pub(super) type MergeKey = (String, String, u32);

#[derive(Debug)]
pub(super) enum ClientMachine {
    /// Waits for its flow until this time.
    Waiting(Instant),
    Invite(InviteClient),
    Other(NonInviteClient),
}

/// What a request of ours is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Invite,
    Reinvite,
    /// UPDATE without an offer (RFC 4028).
    Refresh,
    Prack,
    /// How a REFER goes on.
    Notify,
    /// A text to the device.
    Text,
    Bye,
    Cancel,
    /// Outside of calls.
    Alone(Alone),
}

/// A client transaction with its request.
#[derive(Debug)]
pub(super) struct ClientTransaction {
    pub(super) key: String,
    pub(super) branch: String,
    pub(super) machine: ClientMachine,
    /// With Via and Contact once the flow is known.
    pub(super) request: Request,
    pub(super) flow: Option<Flow>,
    pub(super) bytes: Vec<u8>,
    /// The ACK of a refusal.
    pub(super) ack: Vec<u8>,
    /// `None` for a request outside of calls.
    pub(super) call: Option<CallId>,
    pub(super) purpose: Purpose,
    pub(super) cseq: u32,
    pub(super) scheduled: Option<Instant>,
}

/// What waits for a connection.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A client transaction; the flow to take if there is no connection (a large request falls back to UDP, RFC 3261 section 18.1.1).
    Client { id: u64, fallback: Option<Flow> },
    /// A response whose connection is gone (RFC 3261 section 18.2.2).
    Response(Vec<u8>),
    /// An ACK.
    Ack(CallId, Request, u32),
}

/// The SIP machine. See the room's paragraph.
#[derive(Debug)]
pub struct Endpoint {
    pub(super) settings: Settings,
    pub(super) timers: Timers,
    pub(super) draining: bool,
    random: ChaCha20Rng,
    pub(super) guard: Guard,
    pub(super) lines: Lines,
    pub(super) authenticator: Authenticator,
    pub(super) round_trips: RoundTrips,
    pub(super) registrar: Registrar,
    /// Registrations of ours, by numbers that are not given twice: what is still under way for one that is gone finds nobody.
    pub(super) accounts: BTreeMap<u64, Registration>,
    pub(super) next_account: u64,
    /// They are wanted: nobody has signed off yet.
    pub(super) signed_on: bool,
    pub(super) counters: Arc<Counters>,
    pub(super) calls: HashMap<CallId, Call>,
    pub(super) dialogs: HashMap<DialogKey, CallId>,
    pub(super) subscriptions: HashMap<u64, Subscription>,
    pub(super) subscription_dialogs: HashMap<DialogKey, u64>,
    /// Ladders of the calls that ended last.
    pub(super) past: VecDeque<(CallId, Ladder)>,
    /// Calls an address has.
    pub(super) sources: HashMap<IpAddr, usize>,
    pub(super) servers: HashMap<u64, ServerTransaction>,
    pub(super) server_keys: HashMap<ServerKey, u64>,
    pub(super) merges: HashMap<MergeKey, u64>,
    pub(super) clients: HashMap<u64, ClientTransaction>,
    pub(super) client_keys: HashMap<String, u64>,
    pub(super) connecting: HashMap<u64, Waiting>,
    /// Open ones.
    pub(super) connections: HashMap<ConnectionId, OtherEnd>,
    pub(super) deadlines: BTreeSet<(Instant, Owner)>,
    outputs: VecDeque<Output>,
    next: u64,
}

impl Endpoint {
    /// An endpoint without calls.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            timers: Timers::with_t1(settings.t1),
            random: ChaCha20Rng::from_seed(settings.seed),
            guard: Guard::new(&settings.limits, settings.trusted.clone()),
            lines: Lines::default(),
            authenticator: Authenticator::new(settings.known.accounts.clone()),
            round_trips: RoundTrips::default(),
            registrar: Registrar::new(settings.registrar),
            accounts: BTreeMap::new(),
            next_account: 0,
            signed_on: false,
            settings,
            draining: false,
            counters: Arc::default(),
            calls: HashMap::new(),
            dialogs: HashMap::new(),
            subscriptions: HashMap::new(),
            subscription_dialogs: HashMap::new(),
            past: VecDeque::new(),
            sources: HashMap::new(),
            servers: HashMap::new(),
            server_keys: HashMap::new(),
            merges: HashMap::new(),
            clients: HashMap::new(),
            client_keys: HashMap::new(),
            connecting: HashMap::new(),
            connections: HashMap::new(),
            deadlines: BTreeSet::new(),
            outputs: VecDeque::new(),
            next: 0,
        }
    }

    /// What was counted so far; shared with the endpoint.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Sources that are silenced, for `status`.
    #[must_use]
    pub fn silenced(&self, now: Instant) -> Vec<Source> {
        self.guard.silenced(now)
    }

    /// Where registered devices are to be found.
    #[must_use]
    pub fn registrations(&self, now: Instant) -> Vec<Change> {
        self.registrar.all(now)
    }

    /// Hears a silenced source again; `false` when it was not silenced.
    pub fn lift(&mut self, now: Instant, source: &Source) -> bool {
        self.guard.lift(now, source)
    }

    /// The last messages of a call, oldest first; of those that are over, the latest are remembered.
    #[must_use]
    pub fn ladder(&self, call: CallId) -> Vec<LadderLine> {
        let over = || self.past.iter().find(|(past, _)| *past == call).map(|(_, ladder)| ladder);
        let ladder = self.calls.get(&call).map(|call| &call.ladder).or_else(over);
        ladder.map(Ladder::lines).unwrap_or_default()
    }

    /// Calls that are not over.
    #[must_use]
    pub fn live_calls(&self) -> usize {
        self.calls.values().filter(|call| call.phase != Phase::Over).count()
    }

    /// Whether no call is up, and each request of ours in one has its final response or has been given up.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        let is_answered = |tx: &ClientTransaction| match &tx.machine {
            ClientMachine::Waiting(_) => false,
            ClientMachine::Invite(machine) => !machine.is_pending(),
            ClientMachine::Other(machine) => !machine.is_pending(),
        };
        self.live_calls() == 0 && self.clients.values().filter(|tx| tx.call.is_some()).all(is_answered)
    }

    /// Whether nothing is left: no call, no transaction, no deadline.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
            && self.dialogs.is_empty()
            && self.sources.is_empty()
            && self.subscriptions.is_empty()
            && self.subscription_dialogs.is_empty()
            && self.round_trips.held.is_empty()
            && self.servers.is_empty()
            && self.server_keys.is_empty()
            && self.merges.is_empty()
            && self.clients.is_empty()
            && self.client_keys.is_empty()
            && self.connecting.is_empty()
            && self.deadlines.is_empty()
    }

    // === small things ===

    /// A number that nobody can foresee, whatever they have seen of those before it.
    pub(super) fn draw(&mut self) -> u64 {
        self.random.next_u64()
    }

    pub(super) fn token(&mut self) -> String {
        format!("{:016x}", self.draw())
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.put_out(Output::Event(event));
    }

    pub(super) fn put_out(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// `host:port` of ours as peers reach us by `flow`.
    pub(super) fn sent_by(&self, flow: &Flow) -> SocketAddr {
        SocketAddr::new(self.settings.advertised.unwrap_or_else(|| flow.local.ip()), flow.local.port())
    }

    /// Our address as in a Contact.
    pub(super) fn contact_uri(&self, flow: &Flow) -> String {
        self.contact(flow).trim_matches(['<', '>']).to_owned()
    }

    pub(super) fn contact(&self, flow: &Flow) -> String {
        self.contact_of("roomgate", flow)
    }

    /// The Contact of a request of ours: in a call, for a registration, or else.
    pub(super) fn own_contact(&self, call: Option<CallId>, purpose: Purpose, flow: &Flow) -> String {
        match (call, purpose) {
            (Some(call), _) => self.contact_in(call, flow),
            (None, Purpose::Alone(Alone::Register(number))) => {
                self.contact_of(self.account_contact(number).unwrap_or_default(), flow)
            }
            (None, _) => self.contact(flow),
        }
    }

    fn contact_of(&self, user: &str, flow: &Flow) -> String {
        let transport = match flow.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        format!("<sip:{user}@{}{transport}>", self.sent_by(flow))
    }

    /// The same for a call; a call that was begun with `sips:` stays secure on its whole way (RFC 3261 section 12.1.1).
    pub(super) fn contact_in(&self, id: CallId, flow: &Flow) -> String {
        match self.calls.get(&id).is_some_and(|call| call.dialog.is_secure()) {
            true => format!("<sips:roomgate@{}>", self.sent_by(flow)),
            false => self.contact(flow),
        }
    }

    /// Remembers a message of a call: what it is in few words, and its masked content (O-5).
    pub(super) fn note(&mut self, now: Instant, call: CallId, inbound: bool, summary: String, content: String) {
        if let Some(call) = self.calls.get_mut(&call) {
            if self.settings.capture.is_some() {
                let (flow, call_id, content) = (call.flow, call.dialog.call_id().to_owned(), content.clone());
                self.outputs.push_back(Output::Copied(Box::new(Copied { inbound, flow, call_id, content })));
            }
            let (at, transport) = (now.saturating_duration_since(call.began), call.flow.transport);
            call.ladder.push(LadderLine { at, inbound, transport, summary, content });
        }
    }

    // === the way out ===

    pub(super) fn transmit(&mut self, flow: Flow, bytes: Vec<u8>) {
        count(&self.counters.sent);
        self.outputs.push_back(Output::Transmit { flow, bytes });
    }

    /// Whether bytes can be written to this flow now.
    pub(super) fn is_open(&self, flow: &Flow) -> bool {
        flow.connection.is_none_or(|connection| self.connections.contains_key(&connection))
    }

    /// Asks for a flow; gives the waiting thing back when too many are asked for.
    pub(super) fn connect(&mut self, peer: SocketAddr, transport: Transport, waiting: Waiting) -> Option<Waiting> {
        if self.connecting.len() >= CONNECTING {
            return Some(waiting);
        }
        let (token, name) = (self.number(), self.name_of(&waiting));
        self.connecting.insert(token, waiting);
        self.outputs.push_back(Output::Connect { peer, transport, name, token });
        None
    }

    /// Sends a response, over a new connection if its own is gone: to whom we know, since the port stands in the request alone.
    pub(super) fn send_response(&mut self, flow: Flow, bytes: Vec<u8>) {
        if self.is_open(&flow) {
            self.transmit(flow, bytes);
        } else if self.is_trusted(&flow) || self.registrar.is_home(flow.peer.ip()) {
            // Too many connections under way: the response is lost as on a bad network.
            let _lost = self.connect(flow.peer, flow.transport, Waiting::Response(bytes));
        }
    }

    fn received(&mut self, now: Instant, flow: Flow, bytes: &[u8]) {
        count(&self.counters.received);
        if let Some(connection) = flow.connection {
            self.connections.entry(connection).or_default();
        }
        // A datagram of line ends is a keep-alive.
        if bytes.iter().all(|&byte| byte == b'\r' || byte == b'\n' || byte == 0) {
            return;
        }
        let message = Message::parse(bytes, &self.settings.limits.wire);
        if let (Some(other), Ok(_)) = (flow.connection.and_then(|id| self.connections.get_mut(&id)), &message) {
            other.is_heard = true;
        }
        match message {
            Ok(Message::Request(request)) => self.request(now, flow, request),
            Ok(Message::Response(response)) => self.response(now, flow, response),
            Err(error) => self.malformed(now, flow, bytes, error),
        }
    }

    fn wake_server(&mut self, now: Instant, id: u64) {
        let Some(tx) = self.servers.get_mut(&id) else { return };
        let act = match &mut tx.machine {
            ServerMachine::Invite(machine) => machine.wake(now),
            ServerMachine::Other(machine) => machine.wake(now),
        };
        match act {
            Action::Resend => {
                let (reply, bytes) = (tx.reply, tx.last.clone());
                count(&self.counters.retransmitted);
                self.send_response(reply, bytes);
            }
            Action::TimedOut | Action::Over => self.forget_server(id),
            _ => {}
        }
        self.schedule(Owner::Server(id));
    }

    fn wake_call(&mut self, now: Instant, id: CallId) {
        let timers = self.timers;
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(accepted) = &mut call.accepted {
            if accepted.is_lost(now) {
                let cause = call.bye;
                call.accepted = None;
                self.hang_up(now, id, cause.unwrap_or(Cause::NoAck));
                if cause.is_none() {
                    self.tell(Event::Ended { call: id, cause: Cause::NoAck });
                }
            } else if accepted.wake(now, &timers) {
                let (flow, bytes) = (accepted.flow, accepted.bytes.clone());
                count(&self.counters.retransmitted);
                self.send_response(flow, bytes);
            }
        } else if call.reliable.is_some() {
            self.wake_reliable(now, id);
        } else if call.reoffer_at.is_some_and(|at| now >= at) {
            call.reoffer_at = None;
            self.offer_if_possible(now, id);
        } else if call.timer().is_some() {
            self.wake_session(now, id);
        }
        self.schedule(Owner::Call(id));
    }
}

impl Machine for Endpoint {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Received { flow, bytes } => self.received(now, flow, &bytes),
            Input::Opened { flow, names } => {
                if let Some(connection) = flow.connection {
                    self.connections.insert(connection, OtherEnd { names, ..OtherEnd::default() });
                }
            }
            Input::FlowClosed(connection) => {
                self.connections.remove(&connection);
                self.registrar.flow_closed(now, connection);
                self.account_flow_closed(now, connection);
                self.flow_closed(now, connection);
            }
            Input::Connected { token, flow } => {
                if let Some(connection) = flow.connection {
                    self.connections.entry(connection).or_default().is_known = true;
                }
                match self.connecting.remove(&token) {
                    Some(Waiting::Client { id, .. }) => self.begin_client(now, id, flow),
                    Some(Waiting::Response(bytes)) => self.transmit(flow, bytes),
                    Some(Waiting::Ack(call, ack, cseq)) => self.send_ack(now, call, ack, cseq, flow),
                    None => {}
                }
            }
            Input::ConnectFailed { token } => match self.connecting.remove(&token) {
                Some(Waiting::Client { id, fallback: Some(flow) }) => self.begin_client(now, id, flow),
                Some(Waiting::Client { id, fallback: None }) => self.client_failed(now, id),
                Some(Waiting::Response(_) | Waiting::Ack(..)) | None => {}
            },
            Input::Located { token, targets } => self.located(now, token, targets),
            Input::Command(command) => self.command(now, command),
        }
    }

    fn wake(&mut self, now: Instant) {
        self.registrar.wake(now);
        while let Some(&(at, owner)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            match owner {
                Owner::Server(id) => self.wake_server(now, id),
                Owner::Client(id) => self.wake_client(now, id),
                Owner::Call(id) => self.wake_call(now, id),
                Owner::Account(number) => self.wake_account(now, number),
                Owner::Subscription(number) => self.wake_subscription(now, number),
                Owner::Held(server) => self.wake_held(now, server),
            }
            // Whatever the owner did, this entry is done.
            if self.deadlines.remove(&(at, owner)) {
                match owner {
                    Owner::Server(id) => self.servers.get_mut(&id).map(|tx| tx.scheduled = None),
                    Owner::Client(id) => self.clients.get_mut(&id).map(|tx| tx.scheduled = None),
                    Owner::Call(id) => self.calls.get_mut(&id).map(|call| call.scheduled = None),
                    Owner::Account(number) => self.accounts.get_mut(&number).map(|account| account.scheduled = None),
                    Owner::Subscription(number) => self.subscriptions.get_mut(&number).map(|known| known.scheduled = None),
                    Owner::Held(server) => self.round_trips.held.get_mut(&server).map(|held| held.scheduled = None),
                };
                self.schedule(owner);
            }
        }
    }

    fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| self.registrar.poll().map(Output::Registered))
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at).into_iter().chain(self.registrar.deadline()).min()
    }
}
