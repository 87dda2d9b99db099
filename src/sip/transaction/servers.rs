//! [`ServerTransactions`]: requests of peers that we answer, with their bytes (RFC 3261 section 17.2).

use std::collections::HashMap;
use std::time::Instant;

use super::action::Action;
use super::key::ServerKey;
use super::local::LocalIdentity;
use super::reply::{Reply, reply_flow};
use super::server::NonInviteServer;
use super::server_invite::InviteServer;
use super::timers::Timers;
use crate::sip::message::header::CSeq;
use crate::sip::message::header_names;
use crate::sip::message::method::Method;
use crate::sip::message::{Essentials, Request, Response};
use crate::sip::transport::Flow;

/// Names a server transaction; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::sip) struct ServerId(pub(in crate::sip) u64);

/// Call-ID, From tag, CSeq with its method: the same request that came by two ways (RFC 3261 section 8.2.2.2).
type MergeKey = (String, String, CSeq);

fn merge_key(essentials: &Essentials) -> MergeKey {
    (essentials.call_id.clone(), essentials.from.tag().unwrap_or_default().to_owned(), essentials.cseq.clone())
}

#[derive(Debug)]
enum ServerMachine {
    Invite(InviteServer),
    Other(NonInviteServer),
}

#[derive(Debug)]
struct ServerTransaction<T> {
    key: ServerKey,
    merge: Option<MergeKey>,
    machine: ServerMachine,
    reply: Flow,
    /// While it is unanswered: what responses are made from.
    request: Option<Request>,
    tag: String,
    last: Vec<u8>,
    token: Option<T>,
}

/// What is known of the INVITE that a CANCEL means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sip) struct CancelledInvite<T> {
    pub(in crate::sip) server: ServerId,
    pub(in crate::sip) token: Option<T>,
    /// Where responses to it go.
    pub(in crate::sip) reply: Flow,
    /// It has no final response yet.
    pub(in crate::sip) is_open: bool,
}

/// Bytes that are to go out for a transaction, and what they say.
pub(super) struct Answered<T> {
    pub(super) flow: Flow,
    pub(super) response: Response,
    pub(super) bytes: Vec<u8>,
    pub(super) token: Option<T>,
}

/// What a deadline of a transaction leads to.
pub(super) enum ServerWake {
    /// The last response goes out again.
    Resend(Flow, Vec<u8>),
    Nothing,
}

/// All of them.
#[derive(Debug)]
pub(super) struct ServerTransactions<T> {
    timers: Timers,
    all: HashMap<ServerId, ServerTransaction<T>>,
    keys: HashMap<ServerKey, ServerId>,
    merges: HashMap<MergeKey, ServerId>,
}

impl<T: Copy> ServerTransactions<T> {
    pub(super) fn new(timers: Timers) -> Self {
        Self { timers, all: HashMap::new(), keys: HashMap::new(), merges: HashMap::new() }
    }

    pub(super) fn find(&self, key: &ServerKey) -> Option<ServerId> {
        self.keys.get(key).copied()
    }

    /// Whether a request has come by another way already (section 8.2.2.2).
    pub(super) fn is_merged(&self, essentials: &Essentials) -> bool {
        self.merges.contains_key(&merge_key(essentials))
    }

    pub(super) fn open(&mut self, id: ServerId, flow: &Flow, request: &Request, essentials: &Essentials, tag: String) {
        let begins = essentials.to.tag().is_none() && request.method != Method::Cancel && !self.is_merged(essentials);
        let merge = begins.then(|| merge_key(essentials));
        let (key, reliable) = (ServerKey::of(request, essentials), flow.transport.is_reliable());
        let machine = match request.method {
            Method::Invite => ServerMachine::Invite(InviteServer::new(self.timers, reliable)),
            _ => ServerMachine::Other(NonInviteServer::new(self.timers, reliable)),
        };
        self.keys.insert(key.clone(), id);
        if let Some(merge) = merge.clone() {
            self.merges.insert(merge, id);
        }
        let reply = reply_flow(*flow, &essentials.via);
        let (request, last, token) = (Some(request.clone()), Vec::new(), None);
        self.all.insert(id, ServerTransaction { key, merge, machine, reply, request, tag, last, token });
    }

    /// Whose the transaction is: its responses are traced for that one.
    pub(super) fn claim(&mut self, id: ServerId, token: T) {
        if let Some(tx) = self.all.get_mut(&id) {
            tx.token = Some(token);
        }
    }

    pub(super) fn tag(&self, id: ServerId) -> Option<&str> {
        self.all.get(&id).map(|tx| tx.tag.as_str())
    }

    /// The same request again: the last response again.
    pub(super) fn repeated(&self, id: ServerId) -> Option<(Flow, Vec<u8>)> {
        let tx = self.all.get(&id)?;
        let action = match &tx.machine {
            ServerMachine::Invite(machine) => machine.request(),
            ServerMachine::Other(machine) => machine.request(),
        };
        (action == Action::Resend && !tx.last.is_empty()).then(|| (tx.reply, tx.last.clone()))
    }

    /// The last response, for whoever repeats it at times of its own: a 2xx until its ACK, a reliable provisional response until its PRACK.
    pub(super) fn last(&self, id: ServerId) -> Option<(Flow, Vec<u8>)> {
        self.all.get(&id).map(|tx| (tx.reply, tx.last.clone()))
    }

    /// 100: said at once, and again while nothing else was said.
    pub(super) fn trying(&mut self, id: ServerId) -> Option<(Flow, Vec<u8>)> {
        let tx = self.all.get_mut(&id)?;
        tx.last = tx.request.as_ref()?.response(100, None).to_bytes();
        Some((tx.reply, tx.last.clone()))
    }

    /// A response; `None`: a final one was sent before, and this one must not be.
    pub(super) fn respond(&mut self, now: Instant, id: ServerId, reply: Reply, local: &LocalIdentity) -> Option<Answered<T>> {
        let tx = self.all.get_mut(&id)?;
        let request = tx.request.as_ref()?;
        let Reply { status, headers, contact, warning, sdp } = reply;
        let first = match &mut tx.machine {
            ServerMachine::Invite(machine) => machine.respond(now, status),
            ServerMachine::Other(machine) => machine.respond(now),
        };
        if !first {
            return None;
        }
        let mut response = request.response(status, (status > 100).then_some(tx.tag.as_str()));
        let makes_dialog = matches!(request.method, Method::Invite | Method::Subscribe);
        if makes_dialog && (101..300).contains(&status) {
            for route in request.headers.lines(header_names::RECORD_ROUTE) {
                response.headers.push(header_names::RECORD_ROUTE, route);
            }
        }
        response.headers.push(header_names::SERVER, &local.user_agent);
        if let Some(contact) = contact {
            response.headers.push(header_names::CONTACT, local.contact(&contact, &tx.reply));
        }
        for (name, value) in headers {
            response.headers.push(name, value);
        }
        if let Some(warning) = warning {
            response.headers.push(header_names::WARNING, warning.value(local, &tx.reply));
        }
        if let Some(sdp) = sdp {
            response.headers.push(header_names::CONTENT_TYPE, "application/sdp");
            response.body = sdp.into_bytes();
        }
        let bytes = response.to_bytes();
        tx.last.clone_from(&bytes);
        if status >= 200 {
            tx.request = None;
        }
        Some(Answered { flow: tx.reply, response, bytes, token: tx.token })
    }

    /// The ACK of a refusal: same branch, hop by hop.
    pub(super) fn acknowledge(&mut self, now: Instant, key: &ServerKey) -> Option<ServerId> {
        let id = self.find(key)?;
        if let ServerMachine::Invite(machine) = &mut self.all.get_mut(&id)?.machine {
            machine.ack(now);
        }
        Some(id)
    }

    /// The INVITE that a CANCEL means (section 9.2).
    pub(super) fn cancelled(&self, request: &Request, essentials: &Essentials) -> Option<CancelledInvite<T>> {
        let server = self.find(&ServerKey::of_invite(request, essentials))?;
        let tx = self.all.get(&server)?;
        let is_open = matches!(&tx.machine, ServerMachine::Invite(machine) if machine.is_proceeding());
        Some(CancelledInvite { server, token: tx.token, reply: tx.reply, is_open })
    }

    /// A CANCEL is answered with the tag of its INVITE, and belongs to the same.
    pub(super) fn joins(&mut self, cancel: ServerId, invite: ServerId) {
        let Some((tag, token)) = self.all.get(&invite).map(|tx| (tx.tag.clone(), tx.token)) else { return };
        if let Some(tx) = self.all.get_mut(&cancel) {
            (tx.tag, tx.token) = (tag, token);
        }
    }

    pub(super) fn deadline(&self, id: ServerId) -> Option<Instant> {
        match &self.all.get(&id)?.machine {
            ServerMachine::Invite(machine) => machine.deadline(),
            ServerMachine::Other(machine) => machine.deadline(),
        }
    }

    pub(super) fn wake(&mut self, now: Instant, id: ServerId) -> ServerWake {
        let Some(tx) = self.all.get_mut(&id) else { return ServerWake::Nothing };
        let action = match &mut tx.machine {
            ServerMachine::Invite(machine) => machine.wake(now),
            ServerMachine::Other(machine) => machine.wake(now),
        };
        match action {
            Action::Resend => return ServerWake::Resend(tx.reply, tx.last.clone()),
            Action::TimedOut | Action::Over => self.forget(id),
            _ => {}
        }
        ServerWake::Nothing
    }

    fn forget(&mut self, id: ServerId) {
        if let Some(tx) = self.all.remove(&id) {
            self.keys.remove(&tx.key);
            if let Some(merge) = tx.merge {
                self.merges.remove(&merge);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.keys.is_empty() && self.merges.is_empty()
    }
}
