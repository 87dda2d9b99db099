//! [`AdmissionControl`]: what a request has to pass before it costs us a transaction (M-1, S-7, S-10, X-2): budgets, who sent it, whether it may act in the
//! dialog that it names, and whether its sender's place is known to be real. What does not pass is answered without a transaction, or not
//! at all.

use std::time::Instant;

use super::address_verification::{AddressProof, AddressVerification};
use super::authentication::{Authentication, wants_proof};
use super::directory::{PeerDirectory, Sender};
use super::emergency::SPOKEN;
use super::emergency_calls;
use super::guard::{Price, is_scanner};
use super::identity::Proof;
use super::origin::{self, RequestOrigin, is_from_there};
use super::source::Source;
use crate::common::ids::CallId;
use crate::sip::auth::DigestVerdict;
use crate::sip::capabilities::{refused_target, takes_no_description};
use crate::sip::core::Core;
use crate::sip::counters::count;
use crate::sip::dialog_peer::DialogPeer;
use crate::sip::invite::{CallCapacity, InviteSession, InviteSessions};
use crate::sip::message::method::Method;
use crate::sip::message::wire::WireError;
use crate::sip::message::{Body, Message, Request, StatusCode, header_names, session_description};
use crate::sip::token::Token;
use crate::sip::transaction::{InboundRequest, Reply};
use crate::sip::transport::Flow;

/// What a request is about, as its To tag says.
#[derive(Debug, Clone)]
pub(in crate::sip) enum Subject {
    /// It begins something.
    Outside,
    /// The dialog of this call.
    Call(CallId),
    /// A dialog of another usage, with whoever is at its other end.
    OtherUsage(Box<DialogPeer>),
    /// A dialog that is not ours.
    Unknown,
}

/// A request that has passed.
#[derive(Debug)]
pub(in crate::sip) struct Passed {
    pub(in crate::sip) sender: Sender,
    pub(in crate::sip) verification: AddressProof,
    pub(in crate::sip) is_for_help: bool,
    /// What it is answered all the same, once it has a transaction.
    pub(in crate::sip) refusal: Option<Reply>,
}

/// See the file's paragraph.
pub(in crate::sip) struct AdmissionControl<'a> {
    pub(in crate::sip) now: Instant,
    pub(in crate::sip) core: &'a mut Core,
    pub(in crate::sip) sessions: &'a InviteSessions,
    pub(in crate::sip) authentication: &'a mut Authentication,
    pub(in crate::sip) verification: &'a AddressVerification,
    pub(in crate::sip) directory: PeerDirectory<'a>,
}

impl AdmissionControl<'_> {
    /// Whether a request may go on; `None`: it was answered, or dropped.
    pub(in crate::sip) fn admit(&mut self, inbound: &InboundRequest, subject: &Subject) -> Option<Passed> {
        let InboundRequest { flow, request, essentials } = inbound;
        let (now, is_for_help) = (self.now, emergency_calls::is_for_help(self.core, request, essentials));
        let mut voiced_to = None;
        if is_for_help {
            voiced_to = self.voice_refusal_for(inbound);
            if voiced_to.is_none() {
                emergency_calls::answer(now, self.core, *flow, request.clone());
                return None;
            }
            emergency_calls::log(now, self.core, flow);
        }
        let (is_ours, begins) = (matches!(subject, Subject::Call(_)) || voiced_to.is_some(), matches!(subject, Subject::Outside));
        if !is_ours && !self.is_within_budget(flow, request, begins) {
            self.authentication.decline_stranger(now, self.core, self.directory, *flow, request);
            return None;
        }
        if !self.may_act(inbound, subject) {
            return None;
        }
        let sender = match voiced_to {
            Some(sender) => sender,
            None => self.authentication.admitted(now, self.core, self.directory, (*flow, request, essentials))?,
        };
        let verification = match begins {
            true => self.verification.wanted(now, &self.core.settings.limits, flow, request, &sender),
            false => AddressProof::Done,
        };
        if verification == AddressProof::Later {
            let later = AddressVerification::retry_later();
            self.core.answer_statelessly(*flow, request.clone(), (later.status, ""), &later.headers);
            return None;
        }
        let has_dialog = matches!(subject, Subject::Call(_) | Subject::OtherUsage(_));
        if !self.has_room(has_dialog || sender.is_known() || self.is_known_place(flow, request)) {
            count(&self.core.counters.dropped);
            return None;
        }
        if sender.is_known() && flow.connection.is_some() {
            self.core.layer.flows_mut().recognized(flow);
        }
        let refusal = if begins { self.refused(inbound) } else { None };
        Some(Passed { sender, verification, is_for_help, refusal })
    }

    /// Why a request that begins something is refused: it has come before by another way (section 8.2.2.2), or for where it goes.
    fn refused(&self, inbound: &InboundRequest) -> Option<Reply> {
        let InboundRequest { request, essentials, .. } = inbound;
        match request.method != Method::Cancel && self.core.layer.is_merged(essentials) {
            true => Some(Reply::new(StatusCode::LoopDetected)),
            false => refused_target(request),
        }
    }

    /// Whether an ACK may act in the dialog that it names.
    pub(in crate::sip) fn may_acknowledge(&self, ack: &InboundRequest, call: Option<CallId>) -> bool {
        let session = call.and_then(|call| self.sessions.get(call));
        session.is_none_or(|session| origin::may_acknowledge(self.core, session.peer(), session.dialog(), &ack.flow))
    }

    /// A request that lacks a header which every message must have is told so.
    pub(in crate::sip) fn incomplete(&mut self, flow: Flow, request: Request, header: &str) {
        count(&self.core.counters.malformed);
        if emergency_calls::would_be_for_help(self.core, &request) {
            return emergency_calls::answer(self.now, self.core, flow, request);
        }
        if self.charge(&flow, &request, Price::Request) {
            self.core.answer_statelessly(
                flow,
                request,
                (StatusCode::BadRequest, &format!("Missing or Unreadable {header}")),
                &[],
            );
        }
    }

    /// A request that cannot be read, but at least be answered, is (RFC 3261 section 8.2, 21.4.1); anything else is dropped.
    pub(in crate::sip) fn malformed(&mut self, flow: Flow, bytes: &[u8], error: WireError) {
        count(&self.core.counters.malformed);
        tracing::debug!(source = %flow.peer, %error, "message cannot be read");
        let broken = Message::parse_broken(bytes, &self.core.settings.limits.wire);
        if let Some(request) = broken.as_ref().filter(|request| emergency_calls::would_be_for_help(self.core, request)) {
            return emergency_calls::answer(self.now, self.core, flow, request.clone());
        }
        let charge = |guard: &mut Authentication| guard.guard.charge(self.now, &Source::of(flow.peer.ip()), Price::Request);
        if !self.core.is_trusted(&flow) && !charge(self.authentication) {
            return count(&self.core.counters.dropped);
        }
        let status = match error {
            WireError::BodyTooLarge | WireError::HeadTooLarge => StatusCode::MessageTooLarge,
            WireError::Version => StatusCode::VersionNotSupported,
            _ => StatusCode::BadRequest,
        };
        if let Some(request) = broken {
            self.core.answer_statelessly(flow, request, (status, ""), &[]);
        }
    }

    /// The budget of a request that belongs to no call of ours. Where it `begins` something and a password may be asked for, it is charged
    /// after that.
    fn is_within_budget(&mut self, flow: &Flow, request: &Request, begins: bool) -> bool {
        let is_scan = request.headers.get(header_names::USER_AGENT).is_some_and(is_scanner);
        if is_scan && !self.core.is_trusted(flow) {
            return false;
        }
        if begins && wants_proof(self.core, request) {
            return true;
        }
        self.charge(flow, request, Price::of(&request.method))
    }

    fn charge(&mut self, flow: &Flow, request: &Request, price: Price) -> bool {
        self.authentication.charge(self.now, self.core, self.directory, (flow, request), price)
    }

    /// Whose a request is for the dialog that it names, or a CANCEL for its INVITE. What names neither is its sender's own.
    fn origin(&self, inbound: &InboundRequest, subject: &Subject) -> RequestOrigin {
        let InboundRequest { flow, request, .. } = inbound;
        let is_cancel = request.method == Method::Cancel;
        let in_call = |session: &InviteSession| origin::origin(self.core, session.peer(), Some(session.dialog()), flow);
        if is_cancel && let Some(invite) = self.core.layer.cancelled(inbound) {
            let session = invite.token.and_then(Token::call).and_then(|call| self.sessions.get(call));
            // It cannot be asked for a password (RFC 3261 section 22.1).
            let is_theirs = match session {
                Some(session) => in_call(session) == RequestOrigin::Peer,
                None => is_from_there(&invite.reply, flow),
            };
            return if is_theirs { RequestOrigin::Peer } else { RequestOrigin::Foreign };
        }
        match subject {
            Subject::Call(call) => self.sessions.get(*call).map_or(RequestOrigin::Foreign, in_call),
            Subject::OtherUsage(peer) if !is_cancel => origin::origin(self.core, peer, None, flow),
            // A CANCEL that belongs to no INVITE is answered like any other request.
            _ => RequestOrigin::Peer,
        }
    }

    /// Whether a request may act in the dialog that it names, or a CANCEL on its INVITE. `false`: it was refused.
    fn may_act(&mut self, inbound: &InboundRequest, subject: &Subject) -> bool {
        let InboundRequest { flow, request, .. } = inbound;
        match self.origin(inbound, subject) {
            RequestOrigin::Peer => return true,
            RequestOrigin::Foreign => self.refuse_foreign(*flow, request),
            RequestOrigin::ByPassword(device) => {
                let stale = match self.authentication.judge(self.now, self.core, self.directory, (flow, request)) {
                    DigestVerdict::Proven { label } if label == device => return true,
                    DigestVerdict::Proven { .. } => {
                        self.refuse_foreign(*flow, request);
                        return false;
                    }
                    verdict => verdict == DigestVerdict::Stale,
                };
                self.authentication.challenge(self.now, self.core, self.directory, (*flow, request), stale);
            }
        }
        false
    }

    /// As if there were no such dialog; kept nowhere, so that it is not in the way of what its peer sends.
    fn refuse_foreign(&mut self, flow: Flow, request: &Request) {
        match self.charge(&flow, request, Price::Request) {
            true => self.core.answer_statelessly(flow, request.clone(), (StatusCode::CallTransactionDoesNotExist, ""), &[]),
            false => self.authentication.decline_stranger(self.now, self.core, self.directory, flow, request),
        }
    }

    /// Whether there is room for one more server transaction: of who is known or in a call, or of a stranger.
    fn has_room(&self, is_ours: bool) -> bool {
        let limits = &self.core.settings.limits;
        let most = if is_ours { limits.transactions } else { limits.of_strangers(limits.transactions) };
        self.core.layer.accepted() < most
    }

    fn is_known_place(&self, flow: &Flow, request: &Request) -> bool {
        self.directory.at(self.core, flow, request).is_some_and(|sender| sender.is_known())
    }

    /// Who sent a call for help that is told by voice that nobody answers it here: somebody known, while there is room for such a call
    /// and nothing in the request stands in its way. `None`: it gets its status alone, at once.
    fn voice_refusal_for(&self, inbound: &InboundRequest) -> Option<Sender> {
        let InboundRequest { flow, request, essentials } = inbound;
        let has_answered = |peer| self.verification.is_proven(self.now, peer);
        let capacity = CallCapacity { core: &*self.core, sessions: self.sessions, has_answered: &has_answered };
        let has_room = self.sessions.count_for_help() < SPOKEN
            && !self.core.is_draining
            && self.has_room(false)
            && !capacity.is_full(flow, None, Proof::None)
            && !self.core.layer.is_merged(essentials);
        let is_plain = matches!(session_description(&request.headers, &request.body), Body::Sdp(_))
            && [header_names::REQUIRE, header_names::CONTENT_ENCODING].iter().all(|name| request.headers.get(name).is_none())
            && !takes_no_description(request);
        let is_told = self.core.settings.emergency.target.is_none() && has_room && is_plain;
        if is_told { self.directory.at(self.core, flow, request) } else { None }
    }
}
