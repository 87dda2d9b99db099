//! [`InviteSession`]: the INVITE usage of a dialog (RFC 3261 section 13 to 15), from INVITE to BYE. It owns its dialog, whose turn an offer is,
//! reliable provisional responses, the session timer and transfers.
//!
//! Requests of the peer, answers to ours and the commands of the call's owner flow in; [`SessionOutput`]s flow out. It is a pure machine.

use std::sync::Arc;
use std::time::Instant;

use super::acceptance::Acceptance;
use super::client_side::ClientSide;
use super::offer_answer::{OpenRequest, Reoffer, Turn};
use super::outbox::{Hop, RequestPurpose, SessionOutput};
use super::server_side::ServerSide;
use super::session_timer::SessionTimers;
use super::state::{Beginning, Phase, SentAck, SessionState};
use crate::common::cause::Cause;
use crate::common::machine::Machine;
use crate::sip::dialog::{Dialog, DialogKey};
use crate::sip::dialog_peer::DialogPeer;
use crate::sip::events::Command;
use crate::sip::message::header::{CSeq, NameAddr};
use crate::sip::message::method::Method;
use crate::sip::message::{Body, Request, StatusCode, header_names};
use crate::sip::transaction::{Answer, InboundRequest, ServerId};
use crate::sip::transport::Flow;

/// What happens to a session.
#[derive(Debug)]
pub(in crate::sip) enum SessionInput {
    /// A request in its dialog; with the device of ours that a REFER means.
    Request {
        server: ServerId,
        inbound: Box<InboundRequest>,
        referee: Option<Arc<str>>,
    },
    /// A text of its peer by another way.
    Text {
        server: ServerId,
        request: Box<Request>,
    },
    /// The ACK of a 2xx to an INVITE with this number.
    Ack {
        cseq: u32,
        body: Body,
    },
    /// Their open INVITE was taken back, and is to be answered.
    Cancelled {
        server: ServerId,
    },
    /// An answer to one of our requests, or none.
    Response {
        part: u32,
        answer: Box<Answer>,
    },
    Timeout {
        part: u32,
    },
    /// A request of ours is forgotten.
    Closed {
        part: u32,
    },
    /// A request of ours went out.
    Went {
        part: u32,
        request: Box<Request>,
        flow: Flow,
    },
    /// Its owner wants something.
    Command(Command),
}

/// See the file's paragraph.
#[derive(Debug)]
pub(in crate::sip) struct InviteSession {
    state: SessionState,
}

impl InviteSession {
    /// A peer calls: 100 is sent.
    pub(super) fn incoming(beginning: Beginning, server: ServerId, invite: &InboundRequest) -> Self {
        let open = OpenRequest::of(server, invite);
        let mut state = SessionState::new(beginning, Phase::Ringing, Turn::Theirs(Box::new(open.clone())));
        if let Body::Sdp(offer) = open.offer {
            state.exchange.remote = offer;
        }
        state.allowed(&invite.request.headers);
        state.out.put(SessionOutput::Trying(server));
        Self { state }
    }

    /// We call: the INVITE is sent.
    pub(super) fn outgoing(beginning: Beginning, hop: Hop, sdp: String, replaces: Option<String>) -> Self {
        let mut state = SessionState::new(beginning, Phase::Calling, Turn::Idle);
        state.replaces = replaces;
        let invite = state.dialog.request(Method::Invite);
        state.send_invite(RequestPurpose::Invite, invite, Reoffer { sdp, is_refresh: false }, hop);
        Self { state }
    }

    pub(in crate::sip) const fn phase(&self) -> Phase {
        self.state.phase
    }

    pub(in crate::sip) const fn peer(&self) -> &DialogPeer {
        &self.state.peer
    }

    pub(in crate::sip) const fn dialog(&self) -> &Dialog {
        &self.state.dialog
    }

    /// A request of another usage of the dialog.
    pub(in crate::sip) fn request(&mut self, method: Method) -> Request {
        self.state.dialog.request(method)
    }

    /// All keys by which its dialogs may be known.
    pub(super) fn keys(&self) -> Vec<DialogKey> {
        [self.state.key.clone()].into_iter().chain(self.state.early.keys()).collect()
    }

    /// Whether the ACK of this number is waited for.
    pub(super) fn awaits_ack(&self, cseq: u32) -> bool {
        self.state.acceptance.as_ref().is_some_and(|acceptance| acceptance.cseq == cseq)
    }

    /// Whether it is over, and no request of ours needs its dialog.
    pub(super) fn is_settled(&self) -> bool {
        self.state.phase == Phase::Over && self.state.out.is_empty()
    }

    /// Other session timers from now on (O-2).
    pub(super) const fn reconfigure(&mut self, timers: SessionTimers) {
        self.state.timing.ours = timers;
    }

    /// Early dialogs of our INVITE.
    #[cfg(test)]
    pub(in crate::sip) fn branches(&self) -> usize {
        self.state.early.0.len()
    }

    const fn server(&mut self) -> ServerSide<'_> {
        ServerSide { session: &mut self.state }
    }

    const fn client(&mut self) -> ClientSide<'_> {
        ClientSide { session: &mut self.state }
    }

    /// What the call's owner wants; what no longer fits does nothing.
    fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Ring { .. } => self.server().provisional(now, StatusCode::Ringing, None),
            Command::Progress { sdp, .. } => self.server().provisional(now, StatusCode::SessionProgress, Some(sdp)),
            Command::Answer { sdp, .. } => self.server().answer(now, sdp),
            Command::Reject { cause, warning, .. } => self.server().reject(cause, warning),
            Command::Reoffer { sdp, .. } => self.state.reoffer(sdp),
            Command::Text { text, .. } => self.state.send_text(text.into_inner()),
            Command::Probe { .. } => self.state.probe(),
            Command::TextAnswered { message, refusal, .. } => {
                if let Some((server, reply)) = self.state.texts.answer(message, refusal) {
                    self.state.out.respond(server, reply);
                }
            }
            Command::Bye { cause, .. } => self.give_up(cause),
            Command::ReferAnswered { accepted, .. } => {
                if let Some((server, reply)) = self.state.transfer.answer(accepted) {
                    self.state.out.respond(server, reply);
                    if accepted {
                        self.state.report_transfer(100);
                    }
                }
            }
            Command::ReferProgress { status, .. } => self.state.report_transfer(status),
            Command::Cancel { .. } => self.state.cancel(),
            _ => {}
        }
    }

    fn give_up(&mut self, cause: Cause) {
        match self.state.phase {
            Phase::Ringing => self.server().reject(cause, None),
            Phase::Calling => {
                self.state.bye = Some(cause);
                self.state.cancel();
            }
            // Section 15: not before the ACK.
            Phase::Live if self.state.acceptance.is_some() => {
                self.state.bye.get_or_insert(cause);
            }
            Phase::Live => self.state.hang_up(cause),
            Phase::Over => {}
        }
    }

    /// A request of ours went out by a flow: that of the first INVITE is the session's.
    fn went(&mut self, part: u32, request: &Request, flow: Flow) {
        if request.method == Method::Ack {
            let cseq = request.headers.get(header_names::CSEQ).and_then(CSeq::parse).map_or(0, |cseq| cseq.number);
            let to = request.headers.get(header_names::TO).and_then(NameAddr::parse);
            // That of another branch of a fork is of no more use.
            if to.is_some_and(|to| to.tag().unwrap_or_default() == self.state.key.remote) {
                self.state.ack = Some(SentAck { cseq, bytes: request.to_bytes(), flow });
            }
            return;
        }
        if request.method == Method::Cancel {
            return;
        }
        self.state.out.went(part, flow);
        if self.state.out.get(part).is_some_and(|sent| sent.purpose == RequestPurpose::Invite) {
            (self.state.peer.flow, self.state.peer.class) = (flow, flow.transport);
        }
    }
}

impl Machine for InviteSession {
    type Input = SessionInput;
    type Output = SessionOutput;

    fn handle(&mut self, now: Instant, input: SessionInput) {
        match input {
            SessionInput::Request { server, inbound, referee } => self.server().request(now, server, inbound, referee),
            SessionInput::Text { server, request } => self.server().their_text(server, &request),
            SessionInput::Ack { cseq, body } => self.server().their_ack(cseq, body),
            SessionInput::Cancelled { server } => self.server().their_cancel(server),
            SessionInput::Response { part, answer } => self.client().response(now, part, &answer),
            SessionInput::Timeout { part } => self.client().timeout(part),
            SessionInput::Closed { part } => self.client().closed(part),
            SessionInput::Went { part, request, flow } => self.went(part, &request, flow),
            SessionInput::Command(command) => self.command(now, command),
        }
    }

    fn wake(&mut self, now: Instant) {
        let state = &mut self.state;
        if state.acceptance.is_some() || state.provisionals.waiting.is_some() {
            self.server().wake(now);
        } else if state.exchange.reoffer_at.is_some_and(|at| now >= at) {
            state.exchange.reoffer_at = None;
            state.offer_if_possible();
        } else if state.is_timed() {
            self.client().wake_timer(now);
        }
    }

    fn poll(&mut self) -> Option<SessionOutput> {
        self.state.out.take()
    }

    fn deadline(&self) -> Option<Instant> {
        let state = &self.state;
        let acceptance = state.acceptance.as_ref().map(Acceptance::deadline);
        let glare = state.exchange.reoffer_at.filter(|_| state.may_offer());
        let timer = state.timing.timer.filter(|_| state.is_timed()).and_then(|timer| timer.deadline());
        acceptance.into_iter().chain(state.provisionals.deadline()).chain(glare).chain(timer).min()
    }
}
