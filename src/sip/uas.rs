//! Requests of peers (RFC 3261 section 8.2, 9.2, 17.2): matched, checked, and answered or handed on. A call begins in `incoming.rs`; what
//! comes inside a dialog is in `in_dialog.rs`.

use std::net::SocketAddr;
use std::time::Instant;

use super::address_verification::Trip;
use super::authentication::Sender;
use super::capabilities::{ACCEPT, ALLOW, SUPPORTED};
use super::counters::count;
use super::dialog::DialogKey;
use super::endpoint::{Endpoint, MergeKey, Owner, ServerMachine, ServerTransaction};
use super::guard::{Price, Source, is_scanner};
use super::invite::{Phase, Turn};
use super::ladder;
use super::message::{Body, Essentials, Request, phrase, session_description};
use super::method::Method;
use super::stateless::set_received;
use super::transaction::{Action, InviteServer, NonInviteServer, ServerKey};
use super::uri::{Scheme, Uri};
use super::{Event, Flow, header};
use crate::cause::Cause;
use crate::ids::CallId;

/// Longest text of a peer that is kept for logs and records.
const TEXT: usize = 128;

pub(super) type Header = (&'static str, String);

pub(super) fn shortened(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT).collect()
}

/// The headers that go with the refusal of a call (S-8).
pub(super) fn reasons(cause: Cause) -> Vec<Header> {
    let verdict = cause.verdict();
    let mut headers = vec![("Reason", format!("Q.850;cause={};text=\"{}\"", verdict.q850, verdict.label))];
    headers.extend(cause.retry_after().map(|seconds| ("Retry-After", seconds.to_string())));
    headers
}

/// Where responses go (RFC 3261 section 18.2.2, RFC 3581). Always to the address the request came from: `maddr` is not followed,
/// so nobody can have us send to a third party.
pub(super) fn reply_flow(flow: Flow, via: &header::Via) -> Flow {
    let port = match (flow.connection, via.params.has("rport")) {
        (None, true) => flow.peer.port(),
        // For a connection this is where a new one would go, should this one be gone.
        _ => via.port.unwrap_or(5060),
    };
    Flow { peer: SocketAddr::new(flow.peer.ip(), port), ..flow }
}

fn merge_key(essentials: &Essentials) -> MergeKey {
    (essentials.call_id.clone(), essentials.from.tag().unwrap_or_default().to_owned(), essentials.cseq.number)
}

impl Endpoint {
    pub(super) fn request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        let essentials = match Essentials::read(&request.headers) {
            Ok(essentials) if essentials.cseq.method == request.method => essentials,
            other => {
                count(&self.counters.malformed);
                if self.would_be_for_help(&request) {
                    return self.answer_call_for_help(now, flow, request);
                }
                let source = self.source(&flow, &request);
                if self.guard.charge(now, &source, Price::Request) {
                    let name = other.err().unwrap_or("CSeq");
                    self.answer_statelessly(flow, request, (400, &format!("Missing or Unreadable {name}")), &[]);
                }
                return;
            }
        };
        let reply = reply_flow(flow, &essentials.via);
        set_received(&mut request, essentials.via.clone(), flow.peer);
        if request.method == Method::Ack {
            if self.may_acknowledge(&flow, &essentials) {
                self.ack(now, &request, &essentials);
            }
            return;
        }
        let key = ServerKey::of(&request, &essentials);
        if let Some(&id) = self.server_keys.get(&key) {
            return self.repeated(id);
        }
        let mut spoken_to = None;
        if self.is_for_help(&request, &essentials) {
            spoken_to = self.hears_a_refusal(&flow, &request, &essentials);
            if spoken_to.is_none() {
                return self.answer_call_for_help(now, flow, request);
            }
            self.log_call_for_help(now, &flow);
        }
        let dialog = essentials.to.tag().map(|local| DialogKey {
            call_id: essentials.call_id.clone(),
            local: local.to_owned(),
            remote: essentials.from.tag().unwrap_or_default().to_owned(),
        });
        let call = dialog.as_ref().and_then(|dialog| self.dialogs.get(dialog)).copied();
        let subscription = self.subscription_in(dialog.as_ref());
        let known = call.is_some() || spoken_to.is_some();
        if !known && !self.is_welcome(now, flow, &request, dialog.is_none()) {
            return self.turn_away(flow, request);
        }
        let may = match call {
            Some(call) => self.may_act(now, call, flow, &request),
            None => request.method != Method::Cancel || self.may_cancel(now, flow, &request, &essentials),
        };
        if !may {
            return;
        }
        let sender = match spoken_to {
            Some(sender) => sender,
            None => match self.admitted(now, flow, &request, &essentials) {
                Ok(sender) => sender,
                Err(()) => return,
            },
        };
        let trip = if dialog.is_none() { self.round_trip(now, &flow, &request, &sender) } else { Trip::Over };
        if trip == Trip::Later {
            return self.come_back(flow, request);
        }
        let is_ours = call.is_some() || subscription.is_some() || sender.is_known() || self.is_known_place(&flow);
        if !self.has_room_for_transaction(is_ours) {
            return count(&self.counters.dropped);
        }
        if let Some(other) = flow.connection.and_then(|id| self.connections.get_mut(&id)) {
            other.is_known |= sender.is_known();
        }
        let Sender { identity, proof } = sender;
        let merged = dialog.is_none() && request.method != Method::Cancel && self.is_merged(&essentials);
        let merge = (dialog.is_none() && request.method != Method::Cancel && !merged).then(|| merge_key(&essentials));
        let reliable = flow.transport.is_reliable();
        let machine = match request.method {
            Method::Invite => ServerMachine::Invite(InviteServer::new(self.timers, reliable)),
            _ => ServerMachine::Other(NonInviteServer::new(self.timers, reliable)),
        };
        let id = self.open_server(key, merge, machine, reply, &request, &essentials);
        if merged {
            return self.respond(now, id, 482, &[], None);
        }
        if dialog.is_none() && self.refused_target(now, id, &request) {
            return;
        }
        if trip == Trip::Begins {
            return self.hold(now, id, (flow, identity), request, essentials);
        }
        if let Some(number) = subscription.filter(|_| call.is_none() && request.method != Method::Cancel) {
            return self.subscribe_again(now, id, number, flow, &request, essentials.cseq.number);
        }
        match (&request.method, call) {
            (Method::Cancel, _) => self.cancel(now, id, &request, &essentials),
            (_, Some(call)) => self.in_dialog(now, id, call, flow, &request, &essentials),
            (Method::Options, None) if dialog.is_none() => self.options(now, id),
            (Method::Invite, None) if dialog.is_none() => {
                self.invite(now, id, (flow, identity.map(|identity| (identity, proof))), &request, essentials);
            }
            (Method::Register, None) if dialog.is_none() => self.register(now, id, (flow, identity), &request, &essentials),
            (Method::Subscribe, None) if dialog.is_none() => {
                self.subscribe_outside(now, id, (flow, identity), &request, &essentials);
            }
            (Method::Message, None) if dialog.is_none() => self.text_outside(now, id, (flow, identity), &request, &essentials),
            (
                Method::Message
                | Method::Subscribe
                | Method::Invite
                | Method::Options
                | Method::Bye
                | Method::Info
                | Method::Update
                | Method::Prack,
                None,
            ) => self.respond(now, id, 481, &[], None),
            (Method::Refer, None) if dialog.is_none() => self.forbid(now, id),
            (method, None) => self.refuse_method(now, id, method.clone()),
        }
    }

    /// Whether there is room for one more server transaction: of who is known or in a call, or of a stranger.
    pub(super) fn has_room_for_transaction(&self, is_ours: bool) -> bool {
        let limits = &self.settings.limits;
        self.servers.len() < if is_ours { limits.transactions } else { limits.of_strangers(limits.transactions) }
    }

    /// Whether a request has come by another way already (section 8.2.2.2).
    pub(super) fn is_merged(&self, essentials: &Essentials) -> bool {
        self.merges.contains_key(&merge_key(essentials))
    }

    /// The budget of a request that belongs to no call of ours. Where it `begins` something and a password may be asked for, it is charged
    /// after that.
    fn is_welcome(&mut self, now: Instant, flow: Flow, request: &Request, begins: bool) -> bool {
        let scanner = request.headers.get("User-Agent").is_some_and(is_scanner);
        if scanner && !self.is_trusted(&flow) {
            return false;
        }
        if begins && self.wants_proof(request) {
            return true;
        }
        let source = self.source(&flow, request);
        self.guard.charge(now, &source, Price::of(&request.method))
    }

    /// Whether an address or a certificate is that of a device or trunk of ours.
    pub(super) fn is_trusted(&self, flow: &Flow) -> bool {
        self.guard.trusts(flow.peer.ip()) || self.certified(flow).is_some()
    }

    /// Whose budget a request is charged to. Behind a router that others share, too, one must not silence all: where somebody is
    /// registered, each caller has a budget.
    pub(super) fn source(&self, flow: &Flow, request: &Request) -> Source {
        let shared = self.is_trusted(flow) || self.registrar.is_home(flow.peer.ip()) || self.called_account(request).is_some();
        match shared {
            true => Source::behind(flow.peer.ip(), request),
            false => Source::of(flow.peer.ip()),
        }
    }

    fn open_server(
        &mut self,
        key: ServerKey,
        merge: Option<MergeKey>,
        machine: ServerMachine,
        reply: Flow,
        request: &Request,
        essentials: &Essentials,
    ) -> u64 {
        let id = self.number();
        let tag = essentials.to.tag().map_or_else(|| self.token(), str::to_owned);
        self.server_keys.insert(key.clone(), id);
        if let Some(merge) = merge.clone() {
            self.merges.insert(merge, id);
        }
        let (request, cseq) = (Some(request.clone()), essentials.cseq.number);
        let (last, call, scheduled) = (Vec::new(), None, None);
        let transaction = ServerTransaction { key, merge, machine, reply, request, cseq, tag, last, call, scheduled };
        self.servers.insert(id, transaction);
        self.schedule(Owner::Server(id));
        id
    }

    /// The same request again: the last response again.
    fn repeated(&mut self, id: u64) {
        let Some(tx) = self.servers.get(&id) else { return };
        let act = match &tx.machine {
            ServerMachine::Invite(machine) => machine.request(),
            ServerMachine::Other(machine) => machine.request(),
        };
        if act == Action::Resend && !tx.last.is_empty() {
            let (reply, bytes) = (tx.reply, tx.last.clone());
            count(&self.counters.retransmitted);
            self.send_response(reply, bytes);
        }
    }

    /// Sends a response in a server transaction. A second final response is not sent.
    pub(super) fn respond(&mut self, now: Instant, id: u64, status: u16, headers: &[Header], sdp: Option<&str>) {
        let agent = self.settings.user_agent.clone();
        let Some(tx) = self.servers.get_mut(&id) else { return };
        let Some(request) = tx.request.clone() else { return };
        let first = match &mut tx.machine {
            ServerMachine::Invite(machine) => machine.respond(now, status),
            ServerMachine::Other(machine) => machine.respond(now),
        };
        if !first {
            return;
        }
        let mut response = request.response(status, (status > 100).then_some(tx.tag.as_str()));
        let makes_dialog = matches!(request.method, Method::Invite | Method::Subscribe);
        if makes_dialog && (101..300).contains(&status) {
            for route in request.headers.lines("Record-Route") {
                response.headers.push("Record-Route", route);
            }
        }
        response.headers.push("Server", agent);
        for (name, value) in headers {
            response.headers.push(name, value);
        }
        if let Some(sdp) = sdp {
            response.headers.push("Content-Type", "application/sdp");
            response.body = sdp.as_bytes().to_vec();
        }
        let (bytes, reply, call) = (response.to_bytes(), tx.reply, tx.call);
        let content = call.map(|_| ladder::response(&response)).unwrap_or_default();
        // A 2xx to an INVITE is repeated by the call, not by the transaction.
        tx.last.clone_from(&bytes);
        if status >= 200 {
            tx.request = None;
        }
        if let Some(call) = call {
            let summary = format!("{status} {} ({} {})", phrase(status), self.cseq_of(id), request.method);
            self.note(now, call, false, summary, content);
        }
        self.schedule(Owner::Server(id));
        self.send_response(reply, bytes);
    }

    /// M-12: an external may not do that, and is told why.
    pub(super) fn forbid(&mut self, now: Instant, id: u64) {
        self.respond(now, id, 403, &[("Reason", "Q.850;cause=21;text=\"not-allowed\"".to_owned())], None);
    }

    fn cseq_of(&self, id: u64) -> u32 {
        self.servers.get(&id).map_or(0, |tx| tx.cseq)
    }

    pub(super) fn refuse_method(&mut self, now: Instant, id: u64, method: Method) {
        let status = if matches!(method, Method::Other(_)) { 501 } else { 405 };
        self.respond(now, id, status, &[("Allow", ALLOW.to_owned())], None);
    }

    pub(super) fn options(&mut self, now: Instant, id: u64) {
        if self.draining {
            return self.respond(now, id, 503, &reasons(Cause::Draining), None);
        }
        let headers = [
            ("Allow", ALLOW.to_owned()),
            ("Accept", ACCEPT.to_owned()),
            ("Accept-Encoding", "identity".to_owned()),
            ("Accept-Language", "en".to_owned()),
            ("Supported", SUPPORTED.to_owned()),
        ];
        self.respond(now, id, 200, &headers, None);
    }

    /// What must hold of a request outside of dialogs for where it goes (section 8.2.2.1), and before its method counts. `true`: it was
    /// refused. Other methods than ours are refused for that.
    fn refused_target(&mut self, now: Instant, id: u64, request: &Request) -> bool {
        let method = request.method.as_str();
        if request.method == Method::Cancel || !header::tokens(ALLOW).any(|ours| ours == method) {
            return false;
        }
        let status = match Uri::parse(&request.uri) {
            Some(Uri { scheme: Scheme::Other(other), .. }) if other != "urn" => 416,
            // The registrar knows extensions of its own.
            Some(_) if request.method == Method::Register => return false,
            Some(_) => return self.refused_early(now, id, request),
            None => 400,
        };
        self.respond(now, id, status, &[], None);
        true
    }

    /// What must hold of a request before its method counts (section 8.2.2.3, 8.2.3). `true`: it was refused.
    pub(super) fn refused_early(&mut self, now: Instant, id: u64, request: &Request) -> bool {
        let unknown = |tag: &&str| !header::tokens(SUPPORTED).any(|ours| ours.eq_ignore_ascii_case(tag));
        let required: Vec<&str> = request.headers.lines("Require").flat_map(header::tokens).filter(unknown).collect();
        if !required.is_empty() {
            self.respond(now, id, 420, &[("Unsupported", required.join(", "))], None);
            return true;
        }
        let encoded =
            request.headers.get("Content-Encoding").is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity"));
        if encoded && !request.body.is_empty() {
            self.respond(now, id, 415, &[("Accept-Encoding", "identity".to_owned())], None);
        }
        encoded && !request.body.is_empty()
    }

    /// Section 9.2: the CANCEL itself is always answered; it changes only what has no final response.
    fn cancel(&mut self, now: Instant, id: u64, request: &Request, essentials: &Essentials) {
        let Some(&invite) = self.server_keys.get(&ServerKey::of_invite(request, essentials)) else {
            return self.respond(now, id, 481, &[], None);
        };
        let Some((tag, call, open)) = self.servers.get(&invite).map(|tx| {
            let open = matches!(&tx.machine, ServerMachine::Invite(machine) if machine.is_proceeding());
            (tx.tag.clone(), tx.call, open)
        }) else {
            return;
        };
        if let Some(tx) = self.servers.get_mut(&id) {
            tx.tag = tag;
            tx.call = call;
        }
        self.respond(now, id, 200, &[], None);
        let Some(call_id) = call.filter(|_| open) else { return };
        self.note(now, call_id, true, format!("CANCEL ({})", essentials.cseq.number), ladder::request(request));
        self.respond(now, invite, 487, &reasons(Cause::Cancelled), None);
        let Some(call) = self.calls.get_mut(&call_id) else { return };
        call.turn = Turn::Idle;
        if call.phase == Phase::Ringing {
            self.end(now, call_id);
            self.tell(Event::Cancelled { call: call_id });
        } else {
            self.tell(Event::OfferWithdrawn { call: call_id });
            self.offer_if_possible(now, call_id);
        }
    }

    fn ack(&mut self, now: Instant, request: &Request, essentials: &Essentials) {
        // Of a refusal: same branch, hop by hop.
        if let Some(&id) = self.server_keys.get(&ServerKey::of_invite(request, essentials))
            && let Some(tx) = self.servers.get_mut(&id)
            && let ServerMachine::Invite(machine) = &mut tx.machine
        {
            machine.ack(now);
            self.schedule(Owner::Server(id));
        }
        // Of a 2xx: by dialog and number, end to end.
        let key = DialogKey {
            call_id: essentials.call_id.clone(),
            local: essentials.to.tag().unwrap_or_default().to_owned(),
            remote: essentials.from.tag().unwrap_or_default().to_owned(),
        };
        let Some(&id) = self.dialogs.get(&key) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(accepted) = call.accepted.take_if(|accepted| accepted.cseq == essentials.cseq.number) else { return };
        call.reached = true;
        self.note(now, id, true, format!("ACK ({})", essentials.cseq.number), ladder::request(request));
        let answer = match session_description(&request.headers, &request.body) {
            Body::Sdp(sdp) if accepted.offered => Some(sdp),
            _ => None,
        };
        self.acknowledged(now, id, answer);
    }

    /// Our 2xx has arrived: a BYE or an offer that waited for that may go.
    fn acknowledged(&mut self, now: Instant, id: CallId, sdp: Option<Vec<u8>>) {
        let waiting = self.calls.get(&id).and_then(|call| call.bye);
        if let Some(cause) = waiting {
            return self.hang_up(now, id, cause);
        }
        self.schedule(Owner::Call(id));
        self.tell(Event::Acked { call: id, sdp });
        self.offer_if_possible(now, id);
    }
}
