//! [`ClientTransactions`]: requests of ours until they are answered, with their bytes (RFC 3261 section 17.1).

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use super::action::Action;
use super::client::NonInviteClient;
use super::client_invite::InviteClient;
use super::local::{LocalContact, LocalIdentity};
use super::timers::Timers;
use crate::sip::message::header::{CSeq, Via};
use crate::sip::message::header_names;
use crate::sip::message::method::Method;
use crate::sip::message::{Request, Response};
use crate::sip::transport::{ConnectionId, Flow};

/// Names a client transaction; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ClientId(pub(super) u64);

#[derive(Debug)]
enum ClientMachine {
    /// Waits for its flow until this time.
    Waiting(Instant),
    Invite(InviteClient),
    Other(NonInviteClient),
}

/// A request of ours with its transaction.
#[derive(Debug)]
pub(super) struct ClientTransaction<T> {
    key: String,
    branch: String,
    machine: ClientMachine,
    /// With Via and Contact once the flow is known.
    pub(super) request: Request,
    contact: Option<LocalContact>,
    /// Whom the certificate at the other end must name (RFC 5922).
    pub(super) server_name: Option<String>,
    pub(super) flow: Option<Flow>,
    bytes: Vec<u8>,
    /// The ACK of a refusal.
    ack: Vec<u8>,
    pub(super) token: T,
    /// It is a CANCEL, whose answer changes nothing.
    pub(super) is_cancel: bool,
    /// Its user has given it up: a CANCEL follows the first provisional response (section 9.1).
    gives_up: bool,
}

impl<T: Copy> ClientTransaction<T> {
    /// Whether a response comes from where the request went.
    fn is_answered_from(&self, flow: &Flow) -> bool {
        let is_at = |sent: Flow| sent.peer.ip().to_canonical() == flow.peer.ip().to_canonical();
        self.flow.is_some_and(|sent| sent.transport == flow.transport && is_at(sent))
    }

    fn is_pending(&self) -> bool {
        match &self.machine {
            ClientMachine::Waiting(_) => true,
            ClientMachine::Invite(machine) => machine.is_pending(),
            ClientMachine::Other(machine) => machine.is_pending(),
        }
    }
}

/// What becomes of an INVITE that its user gives up.
pub(super) enum GivenUp {
    /// It was not sent yet.
    Unsent,
    /// This CANCEL is to go the same way.
    Cancel(ClientId, Flow),
    /// Its CANCEL waits, or there is nothing to cancel any more.
    Later,
}

/// All of them.
#[derive(Debug)]
pub(super) struct ClientTransactions<T> {
    timers: Timers,
    all: HashMap<ClientId, ClientTransaction<T>>,
    keys: HashMap<String, ClientId>,
    tokens: HashMap<T, ClientId>,
}

fn key(branch: &str, method: &Method) -> String {
    format!("{branch}\n{method}")
}

impl<T: Copy + Eq + Hash + Debug> ClientTransactions<T> {
    pub(super) fn new(timers: Timers) -> Self {
        Self { timers, all: HashMap::new(), keys: HashMap::new(), tokens: HashMap::new() }
    }

    pub(super) fn get(&self, id: ClientId) -> Option<&ClientTransaction<T>> {
        self.all.get(&id)
    }

    /// The transaction of a request that waits for its flow.
    pub(super) fn open(&mut self, now: Instant, id: ClientId, branch: String, sent: (Request, Option<LocalContact>), token: T) {
        let (request, contact) = sent;
        let key = key(&branch, &request.method);
        let machine = ClientMachine::Waiting(now + self.timers.lifetime());
        self.keys.insert(key.clone(), id);
        let (server_name, flow, bytes, ack) = (None, None, Vec::new(), Vec::new());
        let is_cancel = request.method == Method::Cancel;
        if !is_cancel {
            self.tokens.insert(token, id);
        }
        let gives_up = false;
        let tx = ClientTransaction {
            key,
            branch,
            machine,
            request,
            contact,
            server_name,
            flow,
            bytes,
            ack,
            token,
            is_cancel,
            gives_up,
        };
        self.all.insert(id, tx);
    }

    pub(super) fn name_server(&mut self, id: ClientId, name: String) {
        if let Some(tx) = self.all.get_mut(&id) {
            tx.server_name = Some(name);
        }
    }

    /// The flow is there: the request goes out and its timers start.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        id: ClientId,
        flow: Flow,
        local: &LocalIdentity,
    ) -> Option<(Vec<u8>, Request, T)> {
        let (timers, reliable) = (self.timers, flow.transport.is_reliable());
        let tx = self.all.get_mut(&id)?;
        tx.request.headers.push_front(header_names::VIA, local.via(&flow, &tx.branch));
        if let Some(contact) = &tx.contact {
            tx.request.headers.push(header_names::CONTACT, local.contact(contact, &flow));
        }
        tx.machine = match tx.request.method {
            Method::Invite => ClientMachine::Invite(InviteClient::new(now, timers, reliable)),
            _ => ClientMachine::Other(NonInviteClient::new(now, timers, reliable)),
        };
        tx.request.headers.push(header_names::USER_AGENT, &local.user_agent);
        tx.flow = Some(flow);
        tx.bytes = tx.request.to_bytes();
        Some((tx.bytes.clone(), tx.request.clone(), tx.token))
    }

    /// Finds the request that a response from `flow` answers (section 17.1.3), and what it does to that.
    pub(super) fn response(
        &mut self,
        now: Instant,
        branch: &str,
        method: &Method,
        flow: &Flow,
        status: u16,
    ) -> Option<(ClientId, Action)> {
        let id = *self.keys.get(&key(branch, method))?;
        let tx = self.all.get_mut(&id).filter(|tx| tx.is_answered_from(flow))?;
        let action = match &mut tx.machine {
            ClientMachine::Waiting(_) => Action::Nothing,
            ClientMachine::Invite(machine) => machine.response(now, status),
            ClientMachine::Other(machine) => machine.response(now, status),
        };
        Some((id, action))
    }

    /// The ACK of a refusal (section 17.1.1.3); for a repeated refusal the same again.
    pub(super) fn ack(&mut self, id: ClientId, refusal: Option<&Response>) -> Option<(Flow, Vec<u8>)> {
        let tx = self.all.get_mut(&id)?;
        if let Some(to) = refusal.and_then(|refusal| refusal.headers.get(header_names::TO)) {
            tx.ack = hop_by_hop(&tx.request, Method::Ack, Some(to)).to_bytes();
        }
        Some((tx.flow?, tx.ack.clone()))
    }

    /// The user of an INVITE gives it up.
    pub(super) fn give_up(&mut self, now: Instant, token: T, cancel_id: ClientId) -> (Option<ClientId>, GivenUp) {
        let Some(&id) = self.tokens.get(&token) else { return (None, GivenUp::Later) };
        if let Some(tx) = self.all.get_mut(&id) {
            tx.gives_up = true;
        }
        (Some(id), self.cancel(now, id, cancel_id))
    }

    /// Sends what an INVITE that was given up has waited for, if it is time.
    pub(super) fn cancel(&mut self, now: Instant, id: ClientId, cancel_id: ClientId) -> GivenUp {
        let Some(tx) = self.all.get_mut(&id).filter(|tx| tx.gives_up) else { return GivenUp::Later };
        match &mut tx.machine {
            ClientMachine::Waiting(_) => GivenUp::Unsent,
            ClientMachine::Invite(machine) if machine.is_proceeding() => {
                let Some(flow) = tx.flow else { return GivenUp::Later };
                machine.cancelled(now);
                tx.gives_up = false;
                // Same branch as the INVITE (section 9.1).
                let (branch, token) = (tx.branch.clone(), tx.token);
                let cancel = hop_by_hop(&tx.request, Method::Cancel, None);
                self.open(now, cancel_id, branch, (cancel, None), token);
                GivenUp::Cancel(cancel_id, flow)
            }
            ClientMachine::Invite(_) | ClientMachine::Other(_) => GivenUp::Later,
        }
    }

    pub(super) fn deadline(&self, id: ClientId) -> Option<Instant> {
        match &self.all.get(&id)?.machine {
            ClientMachine::Waiting(until) => Some(*until),
            ClientMachine::Invite(machine) => machine.deadline(),
            ClientMachine::Other(machine) => machine.deadline(),
        }
    }

    pub(super) fn wake(&mut self, now: Instant, id: ClientId) -> Action {
        let Some(tx) = self.all.get_mut(&id) else { return Action::Nothing };
        match &mut tx.machine {
            ClientMachine::Waiting(until) if now >= *until => Action::TimedOut,
            ClientMachine::Waiting(_) => Action::Nothing,
            ClientMachine::Invite(machine) => machine.wake(now),
            ClientMachine::Other(machine) => machine.wake(now),
        }
    }

    pub(super) fn bytes(&self, id: ClientId) -> Option<(Flow, Vec<u8>)> {
        self.all.get(&id).and_then(|tx| Some((tx.flow?, tx.bytes.clone())))
    }

    pub(super) fn forget(&mut self, id: ClientId) -> Option<ClientTransaction<T>> {
        let tx = self.all.remove(&id)?;
        self.keys.remove(&tx.key);
        if self.tokens.get(&tx.token) == Some(&id) {
            self.tokens.remove(&tx.token);
        }
        Some(tx)
    }

    /// Requests that went by a connection which is gone, and have no answer; in the order in which they were sent.
    pub(super) fn lost_with(&self, connection: ConnectionId) -> Vec<ClientId> {
        let is_lost = |tx: &ClientTransaction<T>| {
            let is_pending = match &tx.machine {
                ClientMachine::Waiting(_) => false,
                ClientMachine::Invite(machine) => machine.is_pending(),
                ClientMachine::Other(_) => true,
            };
            is_pending && tx.flow.is_some_and(|flow| flow.connection == Some(connection))
        };
        let mut ids: Vec<_> = self.all.iter().filter(|(_, tx)| is_lost(tx)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// Whether a request with such a token has no final response.
    pub(super) fn is_pending(&self, is_meant: impl Fn(T) -> bool) -> bool {
        self.all.values().any(|tx| is_meant(tx.token) && tx.is_pending())
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.keys.is_empty() && self.tokens.is_empty()
    }
}

/// A CANCEL, or the ACK of a refusal: same hop, same branch, same number (section 9.1, 17.1.1.3). The Via of a CANCEL is set when it is sent.
fn hop_by_hop(invite: &Request, method: Method, to: Option<&str>) -> Request {
    let mut request = Request::new(method.clone(), &invite.uri);
    if method == Method::Ack
        && let Some(via) = invite.headers.values(header_names::VIA).next().and_then(Via::parse)
    {
        request.headers.push(header_names::VIA, via);
    }
    request.headers.push(header_names::MAX_FORWARDS, 70);
    for route in invite.headers.lines(header_names::ROUTE) {
        request.headers.push(header_names::ROUTE, route);
    }
    request.headers.push(header_names::FROM, invite.headers.get(header_names::FROM).unwrap_or_default());
    request.headers.push(header_names::TO, to.or(invite.headers.get(header_names::TO)).unwrap_or_default());
    request.headers.push(header_names::CALL_ID, invite.headers.get(header_names::CALL_ID).unwrap_or_default());
    if let Some(cseq) = invite.headers.get(header_names::CSEQ).and_then(CSeq::parse) {
        request.headers.push(header_names::CSEQ, CSeq { number: cseq.number, method });
    }
    request
}
