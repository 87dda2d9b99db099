//! Our own requests (RFC 3261 section 8.1, 9.1, 12.2.1, 13.2, 14.1, 15.1.1): commands of the calls' owners, and the way out. What peers
//! respond is in `response.rs`.

use std::time::Instant;

use super::auth;
use super::capabilities::{ALLOW, SUPPORTED};
use super::counters::count;
use super::endpoint::{ClientMachine, ClientTransaction, Endpoint, Owner, Purpose, Waiting};
use super::header::{CSeq, NameAddr, Via};
use super::identity::Proof;
use super::invite::{Phase, Reoffer, Turn};
use super::ladder;
use super::message::Request;
use super::method::Method;
use super::route::Way;
use super::session_timer;
use super::target_resolution::Outgoing;
use super::transaction::{Action, InviteClient, MAGIC, NonInviteClient};
use super::uas::reasons;
use super::uri::Uri;
use super::{Command, ConnectionId, Event, Flow};
use crate::cause::Cause;
use crate::ids::CallId;

impl Endpoint {
    pub(super) fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Ring { call } => self.provisional_of_ours(now, call, 180, None),
            Command::Progress { call, sdp } => self.provisional_of_ours(now, call, 183, Some(&sdp)),
            Command::Answer { call, sdp } => self.answer(now, call, &sdp),
            Command::Reject { call, cause } => self.reject(now, call, cause),
            Command::Reoffer { call, sdp } => {
                if let Some(open) = self.calls.get_mut(&call).filter(|open| open.phase == Phase::Live && open.bye.is_none()) {
                    open.reoffer = Some(Reoffer { sdp, refresh: false });
                    self.offer_if_possible(now, call);
                }
            }
            Command::Text { call, text } => self.send_text(now, call, text.into_inner()),
            Command::CheckSync { device } => self.check_sync(now, &device),
            Command::TextAnswered { call, message, refusal } => self.text_answered(now, call, message, refusal),
            Command::Roster { call, roster } => self.roster(now, call, roster),
            Command::Bye { call, cause } => self.give_up(now, call, cause),
            Command::Invite { .. } => self.invite_peer(now, command),
            Command::CallDevice { .. } => self.call_device(now, command),
            Command::ReferAnswered { call, accepted } => self.refer_answered(now, call, accepted),
            Command::ReferProgress { call, status } => self.refer_progress(now, call, status),
            Command::Cancel { call } => self.cancel_ours(now, call),
            Command::Drain(on) => self.draining = on,
            Command::Reconfigure(settings) => self.reconfigure(now, &settings),
            Command::Restore(changes) => self.registrar.restore(now, changes),
            Command::SignOn => self.open_accounts(now),
            Command::SignOff => self.sign_off(now),
        }
    }

    fn give_up(&mut self, now: Instant, id: CallId, cause: Cause) {
        if cause == Cause::Stalled {
            count(&self.counters.stalled);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        match call.phase {
            Phase::Ringing => self.reject(now, id, cause),
            Phase::Calling => {
                call.bye = Some(cause);
                self.cancel_ours(now, id);
            }
            // Section 15: not before the ACK.
            Phase::Live if call.accepted.is_some() => {
                if call.bye.is_none() {
                    call.bye = Some(cause);
                }
            }
            Phase::Live => self.hang_up(now, id, cause),
            Phase::Over => {}
        }
    }

    /// Sends BYE; the session is over with that, whatever the answer (section 15.1.1).
    pub(super) fn hang_up(&mut self, now: Instant, id: CallId, cause: Cause) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live) else { return };
        let mut bye = call.dialog.request(Method::Bye);
        for (name, value) in reasons(cause).into_iter().filter(|(name, _)| *name == "Reason") {
            bye.headers.push(name, value);
        }
        self.send_request(now, id, bye, Purpose::Bye);
        self.end(now, id);
    }

    fn invite_peer(&mut self, now: Instant, command: Command) {
        let Command::Invite { call: id, target, transport, uri, from, display, sdp } = command else { return };
        let (Some(uri), Some(from)) = (Uri::parse(&uri), Uri::parse(&from)) else {
            return self.tell(Event::Failed { call: id, cause: Cause::UnknownAddress, reason: "not a SIP address".to_owned() });
        };
        let from = NameAddr { display: Some(display).filter(|name| !name.is_empty()), ..NameAddr::of(from) };
        let way = Way::Connect { peer: target, transport, fallback: None };
        let prover = self.settings.credentials.clone().map(auth::Client::new);
        let (identity, proof) = (None, Proof::None);
        let outgoing = Outgoing { uri, from, routes: Vec::new(), way, sdp, prover, identity, proof, replaces: None };
        self.place(now, id, outgoing);
    }

    pub(super) fn cancel_ours(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Calling) else { return };
        call.cancelled = true;
        let Turn::Ours { client, .. } = call.turn else { return };
        let Some(tx) = self.clients.get_mut(&client) else { return };
        match &mut tx.machine {
            ClientMachine::Waiting(_) => self.client_failed(now, client),
            ClientMachine::Invite(machine) if machine.is_proceeding() => {
                machine.cancelled(now);
                let (invite, branch, flow) = (tx.request.clone(), tx.branch.clone(), tx.flow);
                self.schedule(Owner::Client(client));
                let cancel = hop_by_hop(&invite, Method::Cancel, None);
                let cancel_id = self.open_client(now, id, cancel, Purpose::Cancel);
                if let (Some(tx), Some(flow)) = (self.clients.get_mut(&cancel_id), flow) {
                    // Same branch as the INVITE (section 9.1).
                    let key = client_key(&branch, &Method::Cancel);
                    self.client_keys.remove(&tx.key);
                    tx.key.clone_from(&key);
                    tx.branch = branch;
                    self.client_keys.insert(key, cancel_id);
                    self.begin_client(now, cancel_id, flow);
                }
            }
            // Section 9.1: not before a provisional response; `provisional` comes back to it.
            ClientMachine::Invite(_) | ClientMachine::Other(_) => {}
        }
    }

    /// Sends the waiting offer if it is our turn.
    pub(super) fn offer_if_possible(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.may_offer()
            && call.reoffer_at.is_none()
            && call.bye.is_none()
            && let Some(offer) = call.reoffer.take()
        {
            let invite = call.dialog.request(Method::Invite);
            let client = self.open_invite(now, id, invite, Purpose::Reinvite, offer);
            self.send_client(now, client);
        }
        self.schedule(Owner::Call(id));
    }

    // === transactions ===

    pub(super) fn open_client(&mut self, now: Instant, call: CallId, mut request: Request, purpose: Purpose) -> u64 {
        if purpose != Purpose::Cancel {
            self.sign(call, &mut request);
        }
        if let Some(call) = self.calls.get_mut(&call) {
            call.clients += 1;
        }
        self.open_transaction(now, Some(call), request, purpose)
    }

    pub(super) fn open_transaction(&mut self, now: Instant, call: Option<CallId>, request: Request, purpose: Purpose) -> u64 {
        let id = self.number();
        let branch = format!("{MAGIC}{}", self.token());
        let key = client_key(&branch, &request.method);
        let cseq = request.headers.get("CSeq").and_then(CSeq::parse).map_or(0, |cseq| cseq.number);
        let machine = ClientMachine::Waiting(now + self.timers.lifetime());
        self.client_keys.insert(key.clone(), id);
        let (flow, bytes, ack, scheduled) = (None, Vec::new(), Vec::new(), None);
        let transaction = ClientTransaction { key, branch, machine, request, flow, bytes, ack, call, purpose, cseq, scheduled };
        self.clients.insert(id, transaction);
        self.schedule(Owner::Client(id));
        id
    }

    /// The transaction of an INVITE of ours, which has the word from now on.
    pub(super) fn open_invite(&mut self, now: Instant, id: CallId, mut invite: Request, purpose: Purpose, offer: Reoffer) -> u64 {
        let ours = self.settings.session_timers;
        if let Some(call) = self.calls.get(&id) {
            for (name, value) in session_timer::ask(&ours, call.agreement(), call.min_se) {
                invite.headers.push(name, value);
            }
            if let Some(replaces) = call.replaces.as_deref().filter(|_| purpose == Purpose::Invite) {
                invite.headers.push("Replaces", replaces);
            }
        }
        invite.headers.push("Content-Type", "application/sdp");
        invite.body = offer.sdp.as_bytes().to_vec();
        let client = self.open_client(now, id, invite, purpose);
        if let Some(call) = self.calls.get_mut(&id) {
            call.turn = Turn::Ours { client, offer };
        }
        client
    }

    /// Our first INVITE once more, with what its refusal has taught us: same Call-ID and tag, next number (RFC 3261 section 8.1.3.5).
    pub(super) fn invite_again(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Calling) else { return };
        let Turn::Ours { offer, .. } = call.turn.clone() else { return };
        // What the refused one began is over with it.
        self.close_branches(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.branches.clear();
        let invite = call.dialog.request(Method::Invite);
        let flow = call.flow;
        let client = self.open_invite(now, id, invite, Purpose::Invite, offer);
        self.send_client_by(now, client, self.way_by(flow));
    }

    /// Sends a request of a call's own dialog.
    pub(super) fn send_request(&mut self, now: Instant, call: CallId, request: Request, purpose: Purpose) {
        let id = self.open_client(now, call, request, purpose);
        self.send_client(now, id);
    }

    /// Sends a request of an early dialog.
    pub(super) fn send_request_to(&mut self, now: Instant, call: CallId, hop: &Uri, request: Request, purpose: Purpose) {
        let id = self.open_client(now, call, request, purpose);
        self.send_client_to(now, id, hop);
    }

    fn send_client(&mut self, now: Instant, id: u64) {
        let hop = self.clients.get(&id).and_then(|tx| self.calls.get(&tx.call?)).map(|call| call.dialog.next_hop().clone());
        if let Some(hop) = hop {
            self.send_client_to(now, id, &hop);
        }
    }

    /// Finds the way to the next hop of a dialog, and sends the request there.
    fn send_client_to(&mut self, now: Instant, id: u64, hop: &Uri) {
        let Some((Some(call), size)) = self.clients.get(&id).map(|tx| (tx.call, tx.request.to_bytes().len() + 200)) else {
            return;
        };
        match self.way(call, hop, size) {
            Some(way) => self.send_client_by(now, id, way),
            None => self.client_failed(now, id),
        }
    }

    /// Sends a request by a way that is known, once that is open.
    pub(super) fn send_client_by(&mut self, now: Instant, id: u64, way: Way) {
        match way {
            Way::Open(flow) => self.begin_client(now, id, flow),
            Way::Connect { peer, transport, fallback } => {
                if self.connect(peer, transport, Waiting::Client { id, fallback }).is_some() {
                    self.client_failed(now, id);
                }
            }
        }
    }

    pub(super) fn via(&self, flow: &Flow, branch: &str) -> String {
        let rport = if flow.connection.is_none() { ";rport" } else { "" };
        format!("SIP/2.0/{} {};branch={branch}{rport}", flow.transport.as_str(), self.sent_by(flow))
    }

    /// The flow is there: the request goes out and its timers start.
    pub(super) fn begin_client(&mut self, now: Instant, id: u64, flow: Flow) {
        let (agent, timers) = (self.settings.user_agent.clone(), self.timers);
        let Some((branch, call, purpose)) = self.clients.get(&id).map(|tx| (tx.branch.clone(), tx.call, tx.purpose)) else {
            return;
        };
        let (via, contact, reliable) =
            (self.via(&flow, &branch), self.own_contact(call, purpose, &flow), flow.transport.is_reliable());
        let Some(tx) = self.clients.get_mut(&id) else { return };
        tx.request.headers.push_front("Via", via);
        if matches!(tx.request.method, Method::Register | Method::Notify) {
            tx.request.headers.push("Contact", contact);
        } else if matches!(tx.request.method, Method::Invite | Method::Update) {
            tx.request.headers.push("Contact", contact);
            tx.request.headers.push("Allow", ALLOW);
            tx.request.headers.push("Accept", "application/sdp");
            // A provisional response inside a dialog would have to be acknowledged there; that is not asked for.
            tx.request.headers.push("Supported", if tx.purpose == Purpose::Invite { SUPPORTED } else { "timer" });
        }
        if tx.request.method == Method::Invite {
            tx.machine = ClientMachine::Invite(InviteClient::new(now, timers, reliable));
        } else {
            tx.machine = ClientMachine::Other(NonInviteClient::new(now, timers, reliable));
        }
        tx.request.headers.push("User-Agent", agent);
        tx.flow = Some(flow);
        tx.bytes = tx.request.to_bytes();
        let (bytes, call, first) = (tx.bytes.clone(), tx.call, tx.purpose == Purpose::Invite);
        let summary = format!("{} ({})", tx.request.method, tx.cseq);
        let content = call.map(|_| ladder::request(&tx.request)).unwrap_or_default();
        if let Some(id) = call {
            if let Some(call) = self.calls.get_mut(&id).filter(|_| first) {
                (call.flow, call.class) = (flow, flow.transport);
            }
            self.note(now, id, false, summary, content);
        }
        self.schedule(Owner::Client(id));
        self.transmit(flow, bytes);
    }

    pub(super) fn wake_client(&mut self, now: Instant, id: u64) {
        let Some(tx) = self.clients.get_mut(&id) else { return };
        let act = match &mut tx.machine {
            ClientMachine::Waiting(until) if now >= *until => Action::TimedOut,
            ClientMachine::Waiting(_) => Action::Nothing,
            ClientMachine::Invite(machine) => machine.wake(now),
            ClientMachine::Other(machine) => machine.wake(now),
        };
        match act {
            Action::Resend => {
                if let Some(flow) = tx.flow {
                    let bytes = tx.bytes.clone();
                    count(&self.counters.retransmitted);
                    self.transmit(flow, bytes);
                }
            }
            Action::TimedOut => self.client_failed(now, id),
            Action::Over => self.forget_client(id),
            _ => {}
        }
        self.schedule(Owner::Client(id));
    }

    /// Nobody answered, or the way is gone: as if a 408 had come (section 8.1.3.1).
    pub(super) fn client_failed(&mut self, now: Instant, id: u64) {
        let Some((call, purpose)) = self.clients.get(&id).map(|tx| (tx.call, tx.purpose)) else { return };
        self.connecting.retain(|_, waiting| !matches!(waiting, Waiting::Client { id: waiting, .. } if *waiting == id));
        match (purpose, call) {
            (Purpose::Invite, Some(call)) => self.failed(now, call, Cause::PeerGone, String::new()),
            (Purpose::Reinvite | Purpose::Refresh, Some(call)) => self.lost(now, call),
            (Purpose::Alone(alone), _) => {
                self.forget_client(id);
                return self.alone_answered(now, alone, None);
            }
            // The INVITE has its own time, and a BYE or CANCEL has done what it can.
            _ => {}
        }
        self.forget_client(id);
    }

    /// The peer no longer knows the dialog or does not answer in it (section 12.2.1.2).
    pub(super) fn lost(&mut self, now: Instant, id: CallId) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live) else { return };
        let told = call.bye.is_none();
        call.turn = Turn::Idle;
        self.hang_up(now, id, Cause::PeerGone);
        if told {
            self.tell(Event::Ended { call: id, cause: Cause::PeerGone });
        }
    }

    /// Our first INVITE is over without a session.
    pub(super) fn failed(&mut self, now: Instant, id: CallId, cause: Cause, reason: String) {
        let Some(call) = self.calls.get(&id).filter(|call| call.phase == Phase::Calling) else { return };
        let cause = if call.cancelled { Cause::Cancelled } else { cause };
        let told = call.bye.is_none();
        self.end(now, id);
        if told {
            self.tell(Event::Failed { call: id, cause, reason });
        }
    }

    pub(super) fn flow_closed(&mut self, now: Instant, connection: ConnectionId) {
        let lost = |tx: &ClientTransaction| {
            let pending = match &tx.machine {
                ClientMachine::Waiting(_) => false,
                ClientMachine::Invite(machine) => machine.is_pending(),
                ClientMachine::Other(_) => true,
            };
            pending && tx.flow.is_some_and(|flow| flow.connection == Some(connection))
        };
        let mut ids: Vec<u64> = self.clients.iter().filter(|(_, tx)| lost(tx)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        for id in ids {
            self.client_failed(now, id);
        }
    }
}

pub(super) fn client_key(branch: &str, method: &Method) -> String {
    format!("{branch}\n{method}")
}

/// A CANCEL, or the ACK of a refusal: same hop, same branch, same number (section 9.1, 17.1.1.3). The Via of a CANCEL is set when it is sent.
pub(super) fn hop_by_hop(invite: &Request, method: Method, to: Option<&str>) -> Request {
    let mut request = Request::new(method.clone(), &invite.uri);
    if method == Method::Ack
        && let Some(via) = invite.headers.values("Via").next().and_then(Via::parse)
    {
        request.headers.push("Via", via);
    }
    request.headers.push("Max-Forwards", 70);
    for route in invite.headers.lines("Route") {
        request.headers.push("Route", route);
    }
    request.headers.push("From", invite.headers.get("From").unwrap_or_default());
    request.headers.push("To", to.or(invite.headers.get("To")).unwrap_or_default());
    request.headers.push("Call-ID", invite.headers.get("Call-ID").unwrap_or_default());
    if let Some(cseq) = invite.headers.get("CSeq").and_then(CSeq::parse) {
        request.headers.push("CSeq", CSeq { number: cseq.number, method });
    }
    request
}
