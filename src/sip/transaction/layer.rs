//! [`TransactionLayer`]: the transactions of both roles, their timers, and the flows that carry them (RFC 3261 section 17, 18).
//!
//! Messages, connections and requests to send flow in; bytes flow out, and [`TransactionEvent`]s for its user. A request of ours is known
//! by a token that means nothing here: it comes back with each answer. What a method or a dialog means is its user's business.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::Hash;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::action::Action;
use super::clients::{ClientId, ClientTransactions, GivenUp};
use super::connecting::{Connecting, ConnectionRequests};
use super::event::{Answer, InboundRequest, OutgoingRequest, TransactionEvent, Transmission};
use super::flows::Flows;
use super::key::{MAGIC, ServerKey};
use super::local::LocalIdentity;
use super::reply::{Header, Reply, reply_flow, set_received};
use super::route::{Fallback, Route};
use super::servers::{CancelledInvite, ServerId, ServerTransactions, ServerWake};
use super::timers::Timers;
use crate::sip::counters::{Counters, count};
use crate::sip::deadlines::Deadlines;
use crate::sip::message::header::Via;
use crate::sip::message::method::Method;
use crate::sip::message::wire::WireLimits;
use crate::sip::message::{Essentials, Message, Request, Response, StatusCode, header_names};
use crate::sip::random::Random;
use crate::sip::transport::{ConnectionId, Flow, Transport};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Transaction {
    Server(ServerId),
    Client(ClientId),
}

/// See the file's paragraph.
#[derive(Debug)]
pub(in crate::sip) struct TransactionLayer<T> {
    local: LocalIdentity,
    flows: Flows,
    servers: ServerTransactions<T>,
    clients: ClientTransactions<T>,
    connecting: ConnectionRequests<T>,
    deadlines: Deadlines<Transaction>,
    random: Random,
    next: u64,
    counters: Arc<Counters>,
    events: VecDeque<TransactionEvent<T>>,
    transmissions: VecDeque<Transmission>,
}

impl<T: Copy + Eq + Hash + Debug> TransactionLayer<T> {
    pub(in crate::sip) fn new(timers: Timers, local: LocalIdentity, random: Random, counters: Arc<Counters>) -> Self {
        Self {
            local,
            flows: Flows::default(),
            servers: ServerTransactions::new(timers),
            clients: ClientTransactions::new(timers),
            connecting: ConnectionRequests::new(),
            deadlines: Deadlines::default(),
            random,
            next: 0,
            counters,
            events: VecDeque::new(),
            transmissions: VecDeque::new(),
        }
    }

    pub(in crate::sip) fn local(&self) -> &LocalIdentity {
        &self.local
    }

    pub(in crate::sip) fn flows(&self) -> &Flows {
        &self.flows
    }

    pub(in crate::sip) fn flows_mut(&mut self) -> &mut Flows {
        &mut self.flows
    }

    // === flows ===

    /// A connection was accepted.
    pub(in crate::sip) fn opened(&mut self, flow: &Flow, names: Vec<String>) {
        if let Some(connection) = flow.connection {
            self.flows.open(connection, names);
        }
    }

    /// A connection is gone, and with it the answers to what was sent by it.
    pub(in crate::sip) fn closed(&mut self, connection: ConnectionId) {
        self.flows.close(connection);
        for id in self.clients.lost_with(connection) {
            self.fail(id);
        }
    }

    /// A connection that was asked for is there.
    pub(in crate::sip) fn connected(&mut self, now: Instant, token: u64, flow: Flow) {
        self.flows.recognized(&flow);
        match self.connecting.take(token) {
            Some(Connecting::Client { id, .. }) => self.begin(now, id, flow),
            Some(Connecting::Response(bytes)) => self.transmit(flow, bytes),
            Some(Connecting::Ack(ack, token)) => self.send_ack(*ack, flow, token),
            None => {}
        }
    }

    pub(in crate::sip) fn connect_failed(&mut self, now: Instant, token: u64) {
        match self.connecting.refused(now, token) {
            Some(Connecting::Client { id, fallback: Some(fallback) }) => self.fall_back(now, id, fallback),
            Some(Connecting::Client { id, fallback: None }) => self.fail(id),
            Some(Connecting::Response(_) | Connecting::Ack(..)) | None => {}
        }
    }

    /// Sends a request the other way that it has.
    fn fall_back(&mut self, now: Instant, id: ClientId, fallback: Fallback) {
        match fallback {
            Fallback::Open(flow) => self.begin(now, id, flow),
            Fallback::Datagrams(peer) => {
                if !self.connect((peer, Transport::Udp), false, Connecting::Client { id, fallback: None }) {
                    self.fail(id);
                }
            }
        }
    }

    /// Asks for a flow; `false`: too many are asked for.
    fn connect(&mut self, (peer, transport): (SocketAddr, Transport), is_for_stranger: bool, waiting: Connecting<T>) -> bool {
        if !self.connecting.has_room(is_for_stranger) {
            return false;
        }
        let name = match &waiting {
            Connecting::Client { id, .. } => self.clients.get(*id).and_then(|tx| tx.server_name.clone()),
            _ => None,
        };
        let token = self.number();
        self.connecting.insert(token, waiting, is_for_stranger);
        self.transmissions.push_back(Transmission::Connect { peer, transport, name, token });
        true
    }

    /// Sends bytes by a flow that is open.
    pub(in crate::sip) fn transmit(&mut self, flow: Flow, bytes: Vec<u8>) {
        count(&self.counters.sent);
        self.transmissions.push_back(Transmission::Send { flow, bytes });
    }

    // === messages of peers ===

    pub(in crate::sip) fn received(&mut self, now: Instant, flow: Flow, bytes: &[u8], limits: &WireLimits) {
        count(&self.counters.received);
        self.flows.touched(&flow);
        // A datagram of line ends is a keep-alive.
        if bytes.iter().all(|&byte| byte == b'\r' || byte == b'\n' || byte == 0) {
            return;
        }
        let message = Message::parse(bytes, limits);
        if message.is_ok() {
            self.flows.heard(&flow);
        }
        match message {
            Ok(Message::Request(request)) => self.request(flow, request),
            Ok(Message::Response(response)) => self.response(now, flow, response),
            Err(error) => self.events.push_back(TransactionEvent::Malformed { flow, bytes: bytes.to_vec(), error }),
        }
    }

    fn request(&mut self, flow: Flow, mut request: Request) {
        let essentials = match Essentials::read(&request.headers) {
            Ok(essentials) if essentials.cseq.method == request.method => essentials,
            other => {
                let header = other.err().unwrap_or(header_names::CSEQ);
                return self.events.push_back(TransactionEvent::Incomplete { flow, request: Box::new(request), header });
            }
        };
        set_received(&mut request, essentials.via.clone(), flow.peer);
        if request.method == Method::Ack {
            return self.events.push_back(TransactionEvent::Ack(Box::new(InboundRequest { flow, request, essentials })));
        }
        match self.servers.find(&ServerKey::of(&request, &essentials)) {
            Some(id) => {
                let again = self.servers.repeated(id);
                self.send_again(again);
            }
            None => self.events.push_back(TransactionEvent::Request(Box::new(InboundRequest { flow, request, essentials }))),
        }
    }

    fn response(&mut self, now: Instant, flow: Flow, response: Response) {
        let Ok(essentials) = Essentials::read(&response.headers) else { return count(&self.counters.malformed) };
        let (branch, method) = (essentials.via.branch().unwrap_or_default(), &essentials.cseq.method);
        // Section 18.1.2: one that is not for us is dropped.
        let Some((id, action)) = self.clients.response(now, branch, method, &flow, response.status) else {
            return self.events.push_back(TransactionEvent::Stray(Box::new(Answer { flow, response, essentials })));
        };
        let Some((token, is_cancel)) = self.clients.get(id).map(|tx| (tx.token, tx.is_cancel)) else { return };
        if action != Action::Nothing {
            let message = Box::new(Message::Response(response.clone()));
            self.events.push_back(TransactionEvent::Traced { token, inbound: true, flow, message });
        }
        if matches!(action, Action::AckAndPass | Action::Ack) {
            let refusal = (action == Action::AckAndPass).then_some(&response);
            if let Some((flow, bytes)) = self.clients.ack(id, refusal) {
                self.transmit(flow, bytes);
            }
        }
        if matches!(action, Action::AckAndPass | Action::Pass) && !is_cancel {
            let is_provisional = response.status < 200;
            self.events.push_back(TransactionEvent::Response { token, answer: Box::new(Answer { flow, response, essentials }) });
            if is_provisional {
                let cancel_id = ClientId(self.number());
                let given_up = self.clients.cancel(now, id, cancel_id);
                self.follow(now, id, given_up);
            }
        }
        self.schedule(Transaction::Client(id));
    }

    // === server transactions ===

    /// Opens the transaction of a request, to be answered by [`Self::respond`].
    pub(in crate::sip) fn accept(&mut self, inbound: &InboundRequest) -> ServerId {
        let id = ServerId(self.number());
        let InboundRequest { flow, request, essentials } = inbound;
        let tag = essentials.to.tag().map_or_else(|| self.random.token(), str::to_owned);
        self.servers.open(id, flow, request, essentials, tag);
        id
    }

    /// Whose a transaction is: its responses are traced for that one.
    pub(in crate::sip) fn claim(&mut self, id: ServerId, token: T) {
        self.servers.claim(id, token);
    }

    /// Our tag in a response that makes a dialog.
    pub(in crate::sip) fn tag(&self, id: ServerId) -> String {
        self.servers.tag(id).unwrap_or_default().to_owned()
    }

    /// Sends a response. A second final response is not sent.
    pub(in crate::sip) fn respond(&mut self, now: Instant, id: ServerId, reply: Reply) {
        let Some(answered) = self.servers.respond(now, id, reply, &self.local) else { return };
        self.schedule(Transaction::Server(id));
        if let Some(token) = answered.token {
            let (flow, message) = (answered.flow, Box::new(Message::Response(answered.response)));
            self.events.push_back(TransactionEvent::Traced { token, inbound: false, flow, message });
        }
        self.deliver(answered.flow, answered.bytes);
    }

    /// Sends 100, so that the peer does not repeat its INVITE.
    pub(in crate::sip) fn trying(&mut self, id: ServerId) {
        if let Some((flow, bytes)) = self.servers.trying(id) {
            self.deliver(flow, bytes);
        }
    }

    /// Sends the last response again, at a time of its user's.
    pub(in crate::sip) fn repeat(&mut self, id: ServerId) {
        let last = self.servers.last(id);
        self.send_again(last);
    }

    /// Takes the ACK of a refusal.
    pub(in crate::sip) fn acknowledge(&mut self, now: Instant, ack: &InboundRequest) {
        if let Some(id) = self.servers.acknowledge(now, &ServerKey::of_invite(&ack.request, &ack.essentials)) {
            self.schedule(Transaction::Server(id));
        }
    }

    /// The INVITE that a CANCEL means.
    pub(in crate::sip) fn cancelled(&self, cancel: &InboundRequest) -> Option<CancelledInvite<T>> {
        self.servers.cancelled(&cancel.request, &cancel.essentials)
    }

    /// Answers a CANCEL that belongs to an INVITE (section 9.2): always, whatever it changes.
    pub(in crate::sip) fn answer_cancel(&mut self, now: Instant, cancel: ServerId, invite: ServerId) {
        self.servers.joins(cancel, invite);
        self.respond(now, cancel, Reply::new(StatusCode::OK));
    }

    /// Whether a request has come by another way already (section 8.2.2.2).
    pub(in crate::sip) fn is_merged(&self, essentials: &Essentials) -> bool {
        self.servers.is_merged(essentials)
    }

    /// Answers outside of any transaction (section 8.2.7) with a tag of its user's; an empty phrase is the usual one of the status.
    pub(in crate::sip) fn respond_statelessly(
        &mut self,
        flow: Flow,
        mut request: Request,
        answer: (u16, &str, &[Header]),
        tag: &str,
    ) {
        let (status, phrase, headers) = answer;
        let via = request.headers.values(header_names::VIA).next().and_then(Via::parse_any_version);
        let Some(via) = via.filter(|_| request.method != Method::Ack) else { return };
        let reply = reply_flow(flow, &via);
        set_received(&mut request, via, flow.peer);
        let mut response = request.response(status, Some(tag));
        if !phrase.is_empty() {
            phrase.clone_into(&mut response.phrase);
        }
        for (name, value) in headers {
            response.headers.push(name, value);
        }
        response.headers.push(header_names::SERVER, &self.local.user_agent);
        self.deliver(reply, response.to_bytes());
    }

    fn deliver(&mut self, flow: Flow, bytes: Vec<u8>) {
        match self.flows.is_open(&flow) {
            true => self.transmit(flow, bytes),
            false => self.events.push_back(TransactionEvent::Undeliverable { flow, bytes }),
        }
    }

    /// Sends a response over a new connection.
    pub(in crate::sip) fn reconnect(&mut self, flow: Flow, bytes: Vec<u8>) {
        // Too many connections under way: the response is lost as on a bad network.
        let _lost = self.connect((flow.peer, flow.transport), false, Connecting::Response(bytes));
    }

    fn send_again(&mut self, again: Option<(Flow, Vec<u8>)>) {
        if let Some((flow, bytes)) = again {
            count(&self.counters.retransmitted);
            self.deliver(flow, bytes);
        }
    }

    // === client transactions ===

    /// Sends a request once its way is open. Ends in [`TransactionEvent::Timeout`], or in a final response and then
    /// [`TransactionEvent::Closed`].
    pub(in crate::sip) fn send(&mut self, now: Instant, outgoing: OutgoingRequest<T>) {
        let OutgoingRequest { request, route, contact, server_name, token } = outgoing;
        let (id, branch) = (ClientId(self.number()), format!("{MAGIC}{}", self.random.token()));
        self.clients.open(now, id, branch, (request, contact), token);
        if let Some(name) = server_name {
            self.clients.name_server(id, name);
        }
        self.schedule(Transaction::Client(id));
        match route {
            Route::Open(flow) => self.begin(now, id, flow),
            Route::Connect { peer, fallback: Some(fallback), .. } if self.connecting.has_refused(now, peer) => {
                self.fall_back(now, id, fallback);
            }
            Route::Connect { peer, transport, fallback, is_for_stranger } => {
                if !self.connect((peer, transport), is_for_stranger, Connecting::Client { id, fallback }) {
                    self.fail(id);
                }
            }
        }
    }

    /// Gives an INVITE up (section 9.1): it is cancelled as soon as it may be.
    pub(in crate::sip) fn cancel(&mut self, now: Instant, token: T) {
        let cancel_id = ClientId(self.number());
        if let (Some(id), given_up) = self.clients.give_up(now, token, cancel_id) {
            self.follow(now, id, given_up);
        }
    }

    fn follow(&mut self, now: Instant, id: ClientId, given_up: GivenUp) {
        match given_up {
            GivenUp::Unsent => self.fail(id),
            GivenUp::Cancel(cancel, flow) => {
                self.schedule(Transaction::Client(id));
                self.begin(now, cancel, flow);
            }
            GivenUp::Later => {}
        }
    }

    /// Sends the ACK of a 2xx, which has no transaction (section 13.2.2.4); traced for `token`.
    pub(in crate::sip) fn ack(&mut self, ack: Request, route: Route, token: T) {
        match route {
            Route::Open(flow) => self.send_ack(ack, flow, token),
            Route::Connect { peer, transport, is_for_stranger, .. } => {
                // Too many connections under way: the peer repeats its 2xx.
                let _lost = self.connect((peer, transport), is_for_stranger, Connecting::Ack(Box::new(ack), token));
            }
        }
    }

    fn send_ack(&mut self, mut ack: Request, flow: Flow, token: T) {
        let branch = format!("{MAGIC}{}", self.random.token());
        ack.headers.push_front(header_names::VIA, self.local.via(&flow, &branch));
        let bytes = ack.to_bytes();
        self.events.push_back(TransactionEvent::Traced { token, inbound: false, flow, message: Box::new(Message::Request(ack)) });
        self.transmit(flow, bytes);
    }

    fn begin(&mut self, now: Instant, id: ClientId, flow: Flow) {
        let Some((bytes, request, token)) = self.clients.begin(now, id, flow, &self.local) else { return };
        self.events.push_back(TransactionEvent::Traced {
            token,
            inbound: false,
            flow,
            message: Box::new(Message::Request(request)),
        });
        self.schedule(Transaction::Client(id));
        self.transmit(flow, bytes);
    }

    fn fail(&mut self, id: ClientId) {
        self.connecting.forget(id);
        self.deadlines.remove(Transaction::Client(id));
        if let Some(tx) = self.clients.forget(id).filter(|tx| !tx.is_cancel) {
            self.events.push_back(TransactionEvent::Timeout { token: tx.token });
        }
    }

    /// Whether a request of ours with such a token has no final response yet.
    pub(in crate::sip) fn is_pending(&self, is_meant: impl Fn(T) -> bool) -> bool {
        self.clients.is_pending(is_meant)
    }

    // === time ===

    fn schedule(&mut self, transaction: Transaction) {
        let at = match transaction {
            Transaction::Server(id) => self.servers.deadline(id),
            Transaction::Client(id) => self.clients.deadline(id),
        };
        self.deadlines.set(transaction, at);
    }

    pub(in crate::sip) fn wake(&mut self, now: Instant) {
        while let Some(transaction) = self.deadlines.due(now) {
            match transaction {
                Transaction::Server(id) => {
                    if let ServerWake::Resend(flow, bytes) = self.servers.wake(now, id) {
                        self.send_again(Some((flow, bytes)));
                    }
                }
                Transaction::Client(id) => self.wake_client(now, id),
            }
            self.schedule(transaction);
        }
    }

    fn wake_client(&mut self, now: Instant, id: ClientId) {
        match self.clients.wake(now, id) {
            Action::Resend => {
                if let Some((flow, bytes)) = self.clients.bytes(id) {
                    count(&self.counters.retransmitted);
                    self.transmit(flow, bytes);
                }
            }
            Action::TimedOut => self.fail(id),
            Action::Over => {
                if let Some(tx) = self.clients.forget(id).filter(|tx| !tx.is_cancel) {
                    self.events.push_back(TransactionEvent::Closed { token: tx.token });
                }
            }
            _ => {}
        }
    }

    pub(in crate::sip) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first()
    }

    // === ways out ===

    pub(in crate::sip) fn event(&mut self) -> Option<TransactionEvent<T>> {
        self.events.pop_front()
    }

    pub(in crate::sip) fn transmission(&mut self) -> Option<Transmission> {
        self.transmissions.pop_front()
    }

    /// A number that names one thing of the endpoint.
    pub(in crate::sip) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Server transactions that are open.
    pub(in crate::sip) fn accepted(&self) -> usize {
        self.servers.len()
    }

    /// Transactions, deadlines and connections.
    pub(in crate::sip) fn load(&self) -> (usize, usize, usize) {
        (self.servers.len() + self.clients.len(), self.deadlines.len(), self.flows.len() + self.connecting.len())
    }

    pub(in crate::sip) fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.clients.is_empty() && self.connecting.is_empty() && self.deadlines.is_empty()
    }
}
