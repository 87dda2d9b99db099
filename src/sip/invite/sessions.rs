//! [`InviteSessions`]: every INVITE session, by call and by dialog, with its ladder (O-5).

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::live_calls::LiveCalls;
use super::outbox::{Hop, SessionOutbox, SessionOutput};
use super::replaces::Replaces;
use super::session::{InviteSession, SessionInput};
use super::session_timer::{SessionTimers, SessionTiming};
use super::state::{Beginning, Phase};
use crate::common::ids::CallId;
use crate::common::machine::Machine as _;
use crate::sip::access::identity::{Identity, Proof, is_stranger};
use crate::sip::auth;
use crate::sip::core::Core;
use crate::sip::deadlines::Deadlines;
use crate::sip::dialog::{Dialog, DialogKey};
use crate::sip::dialog_peer::DialogPeer;
use crate::sip::hep::Copied;
use crate::sip::interface::Output;
use crate::sip::ladder::{Ladder, LadderLine};
use crate::sip::masking;
use crate::sip::message::header::{CSeq, NameAddr};
use crate::sip::message::method::Method;
use crate::sip::message::uri::Uri;
use crate::sip::message::{Essentials, Message, Request, StatusCode, header_names, phrase, session_description};
use crate::sip::token::Token;
use crate::sip::transaction::{HOP_HEADERS, InboundRequest, LocalContact, OutgoingRequest, Route, ServerId};
use crate::sip::transport::{ConnectionId, Flow};

/// Calls that are over and whose messages can still be told.
const PAST: usize = 200;

/// A call of ours that is about to begin.
#[derive(Debug)]
pub(in crate::sip) struct OutgoingCall {
    pub(in crate::sip) uri: Uri,
    pub(in crate::sip) from: NameAddr,
    /// Proxies on the way, first hop first.
    pub(in crate::sip) routes: Vec<NameAddr>,
    pub(in crate::sip) route: Route,
    pub(in crate::sip) sdp: String,
    pub(in crate::sip) credentials: Option<auth::Credentials>,
    /// Who is called, where it is a device of ours, and by what it is known that it is reached there.
    pub(in crate::sip) identity: Option<Identity>,
    pub(in crate::sip) proof: Proof,
    /// The dialog of the callee that ours takes the place of (RFC 3891).
    pub(in crate::sip) replaces: Option<String>,
}

/// A call of a peer that is about to begin.
#[derive(Debug)]
pub(in crate::sip) struct IncomingCall {
    pub(in crate::sip) server: ServerId,
    pub(in crate::sip) identity: Option<Identity>,
    pub(in crate::sip) proof: Proof,
    /// It is told that calls for help are not answered here, and that is all (S-10).
    pub(in crate::sip) is_for_help: bool,
}

/// What concerns others than the session it comes from.
#[derive(Debug)]
pub(in crate::sip) enum SessionNews {
    /// It is over: other usages of its dialog end with it.
    Over(CallId),
    /// A request in its dialog that belongs to another usage.
    Foreign { call: CallId, server: ServerId, inbound: Box<InboundRequest> },
}

#[derive(Debug)]
struct Entry {
    session: InviteSession,
    is_for_help: bool,
    began: Instant,
    ladder: Ladder,
}

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(in crate::sip) struct InviteSessions {
    all: HashMap<CallId, Entry>,
    dialogs: HashMap<DialogKey, CallId>,
    live: LiveCalls,
    /// Ladders of the calls that ended last.
    past: VecDeque<(CallId, Ladder)>,
    deadlines: Deadlines<CallId>,
    /// Those that may want something done.
    busy: VecDeque<CallId>,
    /// Those that may have come to their end.
    ending: Vec<CallId>,
}

impl InviteSessions {
    // === what is there ===

    pub(in crate::sip) fn get(&self, id: CallId) -> Option<&InviteSession> {
        self.all.get(&id).map(|entry| &entry.session)
    }

    pub(in crate::sip) fn find(&self, dialog: &DialogKey) -> Option<CallId> {
        self.dialogs.get(dialog).copied()
    }

    /// Those that are not over.
    fn live_entries(&self) -> impl Iterator<Item = (CallId, &Entry)> {
        self.live.ids().filter_map(|id| Some((id, self.all.get(&id)?)))
    }

    /// Those that are not over.
    pub(super) fn live(&self) -> impl Iterator<Item = &InviteSession> {
        self.live_entries().map(|(_, entry)| &entry.session)
    }

    /// How many are not over, and of whom they are.
    pub(super) const fn counted(&self) -> &LiveCalls {
        &self.live
    }

    /// Calls that are not over.
    pub(in crate::sip) fn count_live(&self) -> usize {
        self.live.count()
    }

    /// Calls that are not forgotten, and their deadlines.
    pub(in crate::sip) fn load(&self) -> (usize, usize) {
        (self.all.len(), self.deadlines.len())
    }

    pub(in crate::sip) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.dialogs.is_empty() && self.live.is_empty() && self.deadlines.is_empty()
    }

    #[cfg(test)]
    pub(in crate::sip) fn ids(&self) -> Vec<CallId> {
        self.all.keys().copied().collect()
    }

    /// Whether a connection carries a call.
    pub(in crate::sip) fn uses(&self, connection: ConnectionId) -> bool {
        self.all.values().any(|entry| entry.session.peer().flow.connection == Some(connection))
    }

    /// The last messages of a call, oldest first; of those that are over, the latest are remembered.
    pub(in crate::sip) fn ladder(&self, call: CallId) -> Vec<LadderLine> {
        let over = || self.past.iter().find(|(past, _)| *past == call).map(|(_, ladder)| ladder);
        let ladder = self.all.get(&call).map(|entry| &entry.ladder).or_else(over);
        ladder.map(Ladder::lines).unwrap_or_default()
    }

    /// Calls for help that are being told that nobody answers them here.
    pub(in crate::sip) fn count_for_help(&self) -> usize {
        self.live_entries().filter(|(_, entry)| entry.is_for_help && entry.session.phase() == Phase::Ringing).count()
    }

    /// The live call of whoever sends a request outside of it: of the same device, or from the same place under the same name.
    pub(in crate::sip) fn call_of(&self, flow: &Flow, identity: Option<&Identity>, essentials: &Essentials) -> Option<CallId> {
        let identity = identity?;
        let is_theirs = |session: &InviteSession| {
            let remote = &session.dialog().remote().uri;
            let same_caller = || session.peer().source == flow.peer.ip() && remote.is_equivalent(&essentials.from.uri);
            session.peer().identity.as_ref() == Some(identity) && (matches!(identity, Identity::Device(_)) || same_caller())
        };
        let live = self.live_entries().filter(|(_, entry)| entry.session.phase() == Phase::Live && is_theirs(&entry.session));
        live.max_by_key(|(_, entry)| entry.began).map(|(id, _)| id)
    }

    /// The call that an INVITE takes the place of, if it says so; or the status that refuses it (RFC 3891 section 3).
    pub(in crate::sip) fn replaced(
        &self,
        request: &Request,
        identity: Option<&Identity>,
        proof: Proof,
    ) -> Result<Option<CallId>, StatusCode> {
        let mut lines = request.headers.lines(header_names::REPLACES);
        let Some(line) = lines.next() else { return Ok(None) };
        let replaces = Replaces::parse(line).filter(|_| lines.next().is_none()).ok_or(StatusCode::BadRequest)?;
        // Whoever overhears a dialog's tags must not get its place: only somebody we know does.
        if is_stranger(identity) {
            return Err(StatusCode::Forbidden);
        }
        let id = self.find(&replaces.dialog).ok_or(StatusCode::CallTransactionDoesNotExist)?;
        let session = self.get(id);
        // What was proven is not taken over by what is only said to come from somewhere.
        if session.is_some_and(|session| session.peer().is_proven() && !proof.is_strong()) {
            return Err(StatusCode::Forbidden);
        }
        match session.map(InviteSession::phase) {
            Some(Phase::Live) if replaces.early_only => Err(StatusCode::BusyHere),
            Some(Phase::Live) => Ok(Some(id)),
            Some(Phase::Over) => Err(StatusCode::Decline),
            Some(Phase::Ringing | Phase::Calling) | None => Err(StatusCode::CallTransactionDoesNotExist),
        }
    }

    // === how calls begin ===

    /// A peer calls.
    pub(in crate::sip) fn incoming(
        &mut self,
        now: Instant,
        core: &mut Core,
        call: IncomingCall,
        invite: &InboundRequest,
    ) -> CallId {
        let IncomingCall { server, identity, proof, is_for_help } = call;
        let InboundRequest { flow, request, essentials } = invite;
        let id = core.settings.ids.call();
        core.layer.claim(server, Token::Session(id, 0));
        let dialog = Dialog::of_invite(request, essentials, &core.layer.tag(server), flow.peer);
        let mut peer = DialogPeer::at(*flow, identity, proof);
        peer.is_behind_nat = essentials.via.host.ip() != Some(peer.source);
        let session = InviteSession::incoming(beginning(core, id, dialog, peer, None), server, invite);
        self.insert(now, id, session, is_for_help);
        self.live.awaits_answer(id);
        self.note_request(now, core, id, invite);
        id
    }

    /// Sends the first INVITE of a call of ours.
    pub(in crate::sip) fn place(&mut self, now: Instant, core: &mut Core, id: CallId, call: OutgoingCall) {
        if self.all.contains_key(&id) {
            return;
        }
        let OutgoingCall { uri, from, routes, route, sdp, credentials, identity, proof, replaces } = call;
        let local = from.with_tag(&core.random.token());
        let call_id = core.call_id();
        tracing::info!(call = %id, dialog = call_id, "call placed");
        let dialog = Dialog::to_invite(call_id, local, uri, routes);
        let flow = match route {
            Route::Open(flow) => flow,
            Route::Connect { peer, transport, .. } => {
                let unspecified: IpAddr = if peer.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
                // Replaced as soon as the flow is known.
                let local = SocketAddr::new(unspecified, 0);
                Flow { transport, listener: 0, connection: None, local, peer }
            }
        };
        let peer = DialogPeer { is_called: true, ..DialogPeer::at(flow, identity, proof) };
        let digest = credentials.map(auth::Client::new);
        let session = InviteSession::outgoing(beginning(core, id, dialog, peer, digest), Hop::Route(route), sdp, replaces);
        self.insert(now, id, session, false);
    }

    fn insert(&mut self, now: Instant, id: CallId, session: InviteSession, is_for_help: bool) {
        let peer = session.peer();
        self.live.begin(now, id, peer.source, is_stranger(peer.identity.as_ref()));
        self.all.insert(id, Entry { session, is_for_help, began: now, ladder: Ladder::default() });
        self.busy.push_back(id);
    }

    // === what happens to them ===

    pub(in crate::sip) fn handle(&mut self, now: Instant, id: CallId, input: SessionInput) {
        if let Some(entry) = self.all.get_mut(&id) {
            entry.session.handle(now, input);
            self.busy.push_back(id);
        }
    }

    /// A request in the dialog of a call.
    pub(in crate::sip) fn request(
        &mut self,
        now: Instant,
        core: &mut Core,
        id: CallId,
        (server, inbound): (ServerId, Box<InboundRequest>),
        referee: Option<Arc<str>>,
    ) {
        core.layer.claim(server, Token::Session(id, 0));
        self.note_request(now, core, id, &inbound);
        self.handle(now, id, SessionInput::Request { server, inbound, referee });
    }

    /// A MESSAGE of a call's peer outside of its dialog.
    pub(in crate::sip) fn text(
        &mut self,
        now: Instant,
        core: &mut Core,
        id: CallId,
        server: ServerId,
        inbound: Box<InboundRequest>,
    ) {
        core.layer.claim(server, Token::Session(id, 0));
        self.note_request(now, core, id, &inbound);
        self.handle(now, id, SessionInput::Text { server, request: Box::new(inbound.request) });
    }

    /// The ACK of a 2xx: by dialog and number, end to end.
    pub(in crate::sip) fn acknowledge(&mut self, now: Instant, core: &mut Core, ack: &InboundRequest) {
        let Some(id) = self.find(&DialogKey::of_request(&ack.essentials)) else { return };
        let cseq = ack.essentials.cseq.number;
        if self.get(id).is_some_and(|session| session.awaits_ack(cseq)) {
            self.note_request(now, core, id, ack);
            let body = session_description(&ack.request.headers, &ack.request.body);
            self.handle(now, id, SessionInput::Ack { cseq, body });
        }
    }

    /// A CANCEL (RFC 3261 section 9.2): it is always answered itself, and changes only what has no final response.
    pub(in crate::sip) fn cancel(&mut self, now: Instant, core: &mut Core, server: ServerId, cancel: &InboundRequest) {
        let Some(invite) = core.layer.cancelled(cancel) else {
            return core.refuse(now, server, StatusCode::CallTransactionDoesNotExist);
        };
        core.layer.answer_cancel(now, server, invite.server);
        if let Some(Token::Session(id, _)) = invite.token.filter(|_| invite.is_open) {
            self.note_request(now, core, id, cancel);
            self.handle(now, id, SessionInput::Cancelled { server: invite.server });
        }
    }

    /// A request of ours is forgotten.
    pub(in crate::sip) fn closed(&mut self, now: Instant, token: Token) {
        if let Token::Session(id, part) = token {
            self.handle(now, id, SessionInput::Closed { part });
        }
    }

    /// A message of a call went in or out.
    pub(in crate::sip) fn traced(
        &mut self,
        now: Instant,
        core: &mut Core,
        token: Token,
        inbound: bool,
        (flow, message): (Flow, Message),
    ) {
        let Token::Session(id, part) = token else { return };
        match message {
            Message::Request(request) => {
                let summary = format!("{} ({})", request.method, cseq(&request.headers).map_or(0, |cseq| cseq.number));
                let content = masking::request(&request);
                self.handle(now, id, SessionInput::Went { part, request: Box::new(request), flow });
                self.note(now, core, id, (inbound, summary, content));
            }
            Message::Response(response) => {
                let (status, cseq) = (response.status, cseq(&response.headers).map(|cseq| cseq.to_string()).unwrap_or_default());
                let phrase = if inbound { String::new() } else { format!(" {}", phrase(status)) };
                self.note(now, core, id, (inbound, format!("{status}{phrase} ({cseq})"), masking::response(&response)));
            }
        }
    }

    fn note_request(&mut self, now: Instant, core: &mut Core, id: CallId, inbound: &InboundRequest) {
        let InboundRequest { request, essentials, .. } = inbound;
        let summary = format!("{} ({})", request.method, essentials.cseq.number);
        self.note(now, core, id, (true, summary, masking::request(request)));
    }

    /// Remembers a message of a call: what it is in few words, and its masked content (O-5).
    fn note(&mut self, now: Instant, core: &mut Core, id: CallId, (inbound, summary, content): (bool, String, String)) {
        let Some(entry) = self.all.get_mut(&id) else { return };
        let flow = entry.session.peer().flow;
        if core.settings.capture.is_some() {
            let (call_id, content) = (entry.session.dialog().call_id().to_owned(), content.clone());
            core.emit(Output::Copied(Box::new(Copied { inbound, flow, call_id, content })));
        }
        let (at, transport) = (now.saturating_duration_since(entry.began), flow.transport);
        entry.ladder.push(LadderLine { at, inbound, transport, summary, content });
    }

    /// A request of another usage in the dialog of a call.
    pub(in crate::sip) fn request_in(&mut self, id: CallId, method: Method) -> Option<Request> {
        self.all.get_mut(&id).map(|entry| entry.session.request(method))
    }

    /// Other session timers from now on (O-2).
    pub(in crate::sip) fn reconfigure(&mut self, timers: SessionTimers) {
        self.all.values_mut().for_each(|entry| entry.session.reconfigure(timers));
    }

    pub(in crate::sip) fn wake(&mut self, now: Instant) {
        while let Some(id) = self.deadlines.due(now) {
            if let Some(entry) = self.all.get_mut(&id) {
                entry.session.wake(now);
                self.busy.push_back(id);
            }
        }
    }

    pub(in crate::sip) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first()
    }

    // === what they want done ===

    /// Does what sessions want, until one of them has something that concerns others; `None`: none wants anything any more.
    pub(in crate::sip) fn progress(&mut self, now: Instant, core: &mut Core) -> Option<SessionNews> {
        while let Some(&id) = self.busy.front() {
            while let Some(output) = self.all.get_mut(&id).and_then(|entry| entry.session.poll()) {
                if let Some(news) = self.perform(now, core, id, output) {
                    return Some(news);
                }
            }
            self.busy.pop_front();
            let Some(entry) = self.all.get(&id) else { continue };
            self.deadlines.set(id, entry.session.deadline());
            if entry.session.phase() != Phase::Ringing {
                self.live.answered(id);
            }
            if entry.session.is_settled() {
                self.ending.push(id);
            }
        }
        None
    }

    fn perform(&mut self, now: Instant, core: &mut Core, id: CallId, output: SessionOutput) -> Option<SessionNews> {
        match output {
            SessionOutput::Respond(server, reply) => core.respond(now, server, reply),
            SessionOutput::Trying(server) => core.layer.trying(server),
            SessionOutput::Repeat(server) => core.layer.repeat(server),
            SessionOutput::Options(server) => core.answer_options(now, server),
            SessionOutput::Foreign(server, inbound) => return Some(SessionNews::Foreign { call: id, server, inbound }),
            SessionOutput::Send { part, request, hop } => self.send(now, core, (id, part), request, &hop),
            SessionOutput::Cancel(part) => core.layer.cancel(now, Token::Session(id, part)),
            SessionOutput::Ack { part, request, hop } => {
                if let Some(route) = self.route(core, id, &hop, 0) {
                    core.layer.ack(request, route, Token::Session(id, part));
                }
            }
            SessionOutput::Transmit(flow, bytes) => core.layer.transmit(flow, bytes),
            SessionOutput::Opened(key) => drop(self.dialogs.insert(key, id)),
            SessionOutput::Closed(key) => drop(self.dialogs.remove(&key)),
            SessionOutput::Over => {
                self.live.end(id);
                return Some(SessionNews::Over(id));
            }
            SessionOutput::Tell(event) => core.tell(event),
        }
        None
    }

    fn send(&mut self, now: Instant, core: &mut Core, (id, part): (CallId, u32), request: Request, hop: &Hop) {
        let Some(route) = self.route(core, id, hop, request.to_bytes().len() + HOP_HEADERS) else {
            return self.handle(now, id, SessionInput::Timeout { part });
        };
        let names_us = matches!(request.method, Method::Invite | Method::Update | Method::Notify);
        let is_secure = self.get(id).is_some_and(|session| session.dialog().is_secure());
        let contact = names_us.then(|| LocalContact::in_dialog(is_secure));
        core.layer.send(now, OutgoingRequest { request, route, contact, server_name: None, token: Token::Session(id, part) });
    }

    fn route(&self, core: &Core, id: CallId, hop: &Hop, size: usize) -> Option<Route> {
        let peer = self.get(id)?.peer();
        let route = match hop {
            Hop::Next(uri) => peer.route(core, uri, size),
            Hop::Reconnect(uri) => peer.reconnection(core, uri),
            Hop::By(flow) => core.route_by(*flow).for_size(size),
            Hop::Only(flow) => core.layer.flows().is_open(flow).then_some(Route::Open(*flow))?.for_size(size),
            Hop::Route(route) => route.for_size(size),
        };
        Some(route.made_for(peer.yields_to_known(core)))
    }

    /// Forgets calls that are over and whose dialogs no transaction needs.
    pub(in crate::sip) fn settle(&mut self) {
        for id in std::mem::take(&mut self.ending) {
            if !self.get(id).is_some_and(InviteSession::is_settled) {
                continue;
            }
            let Some(entry) = self.all.remove(&id) else { continue };
            self.live.end(id);
            self.deadlines.remove(id);
            if self.past.len() >= PAST {
                self.past.pop_front();
            }
            self.past.push_back((id, entry.ladder));
            for key in entry.session.keys() {
                self.dialogs.remove(&key);
            }
        }
    }
}

fn beginning(core: &mut Core, id: CallId, dialog: Dialog, peer: DialogPeer, digest: Option<auth::Client>) -> Beginning {
    let (timing, timers) = (SessionTiming::new(core.settings.session_timers), core.timers);
    Beginning { id, dialog, peer, timing, timers, out: SessionOutbox::new(core.random.fork(), digest) }
}

fn cseq(headers: &crate::sip::message::Headers) -> Option<CSeq> {
    headers.get(header_names::CSEQ).and_then(CSeq::parse)
}
