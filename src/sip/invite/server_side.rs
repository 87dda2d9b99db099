//! [`ServerSide`]: a session as user agent server: what the peer asks in its dialog (RFC 3261 section 12.2.2, 13.3, 14.2, 15.1.2), and what the call's
//! owner says to an INVITE or UPDATE that is open.

use std::sync::Arc;
use std::time::Instant;

use super::acceptance::Acceptance;
use super::info::{self, Info};
use super::offer_answer::{OpenRequest, Turn};
use super::outbox::SessionOutput;
use super::reliable::Repeat;
use super::state::{Phase, SessionState};
use super::text::{not_inside, text_of};
use super::transfer::refer_target;
use crate::common::cause::Cause;
use crate::common::redact::Redacted;
use crate::sip::access::identity::Identity;
use crate::sip::capabilities;
use crate::sip::events::Event;
use crate::sip::message::header::RAck;
use crate::sip::message::method::Method;
use crate::sip::message::{Body, Request, StatusCode, header_names, session_description};
use crate::sip::reason;
use crate::sip::transaction::{InboundRequest, Reply, ServerId, Warning};

/// See the file's paragraph.
pub(super) struct ServerSide<'a> {
    pub(super) session: &'a mut SessionState,
}

impl ServerSide<'_> {
    pub(super) fn request(&mut self, now: Instant, server: ServerId, inbound: Box<InboundRequest>, referee: Option<Arc<str>>) {
        let wait = self.session.out.draw() % 10;
        let (flow, cseq) = (inbound.flow, inbound.essentials.cseq.number);
        if self.session.phase == Phase::Calling {
            return self.early_request(server, &inbound);
        }
        if !self.session.dialog.accepts(cseq) {
            // The hint is for a re-INVITE that overtook another (section 14.2).
            return self.session.out.respond(server, reason::retry_after(StatusCode::ServerInternalError, wait));
        }
        if inbound.request.method == Method::Bye {
            self.session.peer.flow = flow;
            return self.their_bye(server);
        }
        if self.session.phase == Phase::Over {
            return self.session.out.refuse(server, StatusCode::CallTransactionDoesNotExist);
        }
        self.session.peer.flow = flow;
        self.session.peer.is_behind_nat = inbound.essentials.via.host.ip() != Some(flow.peer.ip());
        if let Some(refusal) = capabilities::refusal(&inbound.request) {
            return self.session.out.respond(server, refusal);
        }
        let request = &inbound.request;
        let records =
            request.headers.get(header_names::RECORD).is_some_and(|value| value.trim().to_ascii_lowercase().starts_with("on"));
        match &request.method {
            Method::Refer => self.their_refer(server, &inbound, referee),
            Method::Invite | Method::Update | Method::Info if records => self.forbid(server, request.method.clone()),
            Method::Invite => self.their_reinvite(server, &inbound, wait),
            Method::Prack => self.their_prack(now, server, request),
            Method::Update => self.their_update(now, server, &inbound, wait),
            Method::Info => self.their_info(server, request),
            Method::Message => self.their_text(server, request),
            Method::Subscribe => self.session.out.put(SessionOutput::Foreign(server, inbound)),
            Method::Options => self.session.out.put(SessionOutput::Options(server)),
            method => self.session.out.respond(server, reason::unknown_method(method)),
        }
    }

    fn forbid(&mut self, server: ServerId, method: Method) {
        self.session.out.respond(server, reason::forbidden());
        self.session.tell(Event::Refused { call: self.session.id, method });
    }

    /// A request of somebody we are calling. What the session will be is not open for change before the answer (RFC 3311 section 5.2).
    fn early_request(&mut self, server: ServerId, inbound: &InboundRequest) {
        let InboundRequest { request, essentials, .. } = inbound;
        let tag = essentials.from.tag().unwrap_or_default();
        let Some(early) = self.session.early.get_mut(Some(tag)) else {
            return self.session.out.refuse(server, StatusCode::CallTransactionDoesNotExist);
        };
        if !early.dialog.accepts(essentials.cseq.number) {
            return self.session.out.respond(server, reason::retry_after(StatusCode::ServerInternalError, 1));
        }
        let is_answered = early.is_answered;
        match (&request.method, session_description(&request.headers, &request.body)) {
            (Method::Update, Body::Nothing) => {
                early.dialog.refresh(request.headers.values(header_names::CONTACT));
                let reply = self.session.abilities(StatusCode::OK);
                self.session.out.respond(server, reply);
            }
            (Method::Update, _) if is_answered => {
                self.session.out.respond(server, reason::not_acceptable("No offer is taken before the final response"));
            }
            (Method::Update, _) => self.session.out.refuse(server, StatusCode::RequestPending),
            (Method::Options, _) => self.session.out.put(SessionOutput::Options(server)),
            _ => self.session.out.refuse(server, StatusCode::CallTransactionDoesNotExist),
        }
    }

    fn their_bye(&mut self, server: ServerId) {
        self.session.out.refuse(server, StatusCode::OK);
        if self.session.phase == Phase::Over {
            return;
        }
        let is_told = self.session.bye.is_none();
        self.session.end();
        if is_told {
            self.session.tell(Event::Ended { call: self.session.id, cause: Cause::HungUp });
        }
    }

    /// Section 14.2.
    fn their_reinvite(&mut self, server: ServerId, inbound: &InboundRequest, wait: u64) {
        let open = OpenRequest::of(server, inbound);
        let sdp = match &open.offer {
            Body::Sdp(sdp) => Some(sdp.clone()),
            Body::Nothing => None,
            Body::Foreign => return self.session.out.respond(server, capabilities::foreign_body()),
        };
        if let Some(refusal) = self.session.timing.refusal(&open.wish) {
            return self.session.out.respond(server, refusal);
        }
        match (&self.session.exchange.turn, &self.session.acceptance) {
            (Turn::Theirs(_), _) => {
                return self.session.out.respond(server, reason::retry_after(StatusCode::ServerInternalError, wait));
            }
            (Turn::Ours { .. }, _) => return self.session.out.refuse(server, StatusCode::RequestPending),
            // Our offer in the 2xx has no answer yet.
            (Turn::Idle, Some(acceptance)) if acceptance.is_offer => {
                return self.session.out.refuse(server, StatusCode::RequestPending);
            }
            (Turn::Idle, _) => {}
        }
        if self.session.bye.is_some() {
            return self.session.out.refuse(server, StatusCode::RequestTerminated);
        }
        self.session.exchange.turn = Turn::Theirs(Box::new(open));
        self.session.refresh_target(&inbound.request.headers);
        // A new INVITE shows that the 2xx of the one before arrived; only its ACK was lost.
        let is_implied = self.session.acceptance.take().is_some();
        self.session.out.put(SessionOutput::Trying(server));
        if is_implied {
            self.session.tell(Event::Acked { call: self.session.id, sdp: None });
        }
        self.session.tell(Event::Offer { call: self.session.id, sdp });
    }

    /// RFC 3311 section 5.2.
    fn their_update(&mut self, now: Instant, server: ServerId, inbound: &InboundRequest, wait: u64) {
        let open = OpenRequest::of(server, inbound);
        let offer = match &open.offer {
            Body::Sdp(sdp) => Some(sdp.clone()),
            Body::Nothing => None,
            Body::Foreign => return self.session.out.respond(server, capabilities::foreign_body()),
        };
        if let Some(refusal) = self.session.timing.refusal(&open.wish) {
            return self.session.out.respond(server, refusal);
        }
        match (&self.session.exchange.turn, &self.session.acceptance) {
            (Turn::Theirs(theirs), _) if offer.is_some() || !theirs.is_invite => {
                return self.session.out.respond(server, reason::retry_after(StatusCode::ServerInternalError, wait));
            }
            (Turn::Ours { .. }, _) if offer.is_some() => return self.session.out.refuse(server, StatusCode::RequestPending),
            // Our offer in the 2xx has no answer yet.
            (Turn::Idle, Some(acceptance)) if offer.is_some() && acceptance.is_offer => {
                return self.session.out.refuse(server, StatusCode::RequestPending);
            }
            _ if offer.is_some() && self.session.bye.is_some() => {
                return self.session.out.refuse(server, StatusCode::RequestTerminated);
            }
            _ => self.session.refresh_target(&inbound.request.headers),
        }
        if let Some(sdp) = offer {
            self.session.exchange.turn = Turn::Theirs(Box::new(open));
            return self.session.tell(Event::Offer { call: self.session.id, sdp: Some(sdp) });
        }
        let agreement = self.session.timing.granted(&open.wish).filter(|_| self.session.phase == Phase::Live);
        if self.session.phase == Phase::Live {
            self.session.timing.start(now, agreement);
        }
        let reply = self.session.abilities(StatusCode::OK).with(open.wish.answered(agreement));
        self.session.out.respond(server, reply);
    }

    /// RFC 3262 section 3: a PRACK that fits nothing is answered 481.
    fn their_prack(&mut self, now: Instant, server: ServerId, request: &Request) {
        let rack = request.headers.get(header_names::RACK).and_then(RAck::parse);
        let Some(taken) = self.session.provisionals.acknowledged(rack.as_ref()) else {
            return self.session.out.refuse(server, StatusCode::CallTransactionDoesNotExist);
        };
        // Their offer in the INVITE has no answer yet: another one has no place here (section 5).
        let offers = session_description(&request.headers, &request.body) != Body::Nothing;
        let reply = if offers { reason::not_acceptable("No offer is taken in a PRACK") } else { Reply::new(StatusCode::OK) };
        self.session.out.respond(server, reply);
        if let Some(sdp) = taken.then {
            self.answer(now, sdp);
        }
    }

    fn their_info(&mut self, server: ServerId, request: &Request) {
        // RFC 6086 section 4.2.2: a package we never said we take.
        if request.headers.get(header_names::INFO_PACKAGE).is_some() {
            return self
                .session
                .out
                .respond(server, Reply::new(StatusCode::BadInfoPackage).with([(header_names::RECV_INFO, String::new())]));
        }
        let info = info::read(request);
        self.session.out.respond(server, info::answer(info));
        if let Info::Digit(digit, duration) = info {
            self.session.tell(Event::Digit { call: self.session.id, digit, duration });
        }
    }

    /// C-1: what somebody at the phone writes goes to the meeting that the phone is in.
    pub(super) fn their_text(&mut self, server: ServerId, request: &Request) {
        let text = match text_of(request) {
            Ok(text) => text,
            Err(refusal) => return self.session.out.respond(server, refusal),
        };
        if self.session.phase != Phase::Live {
            return self.session.out.respond(server, not_inside());
        }
        match self.session.texts.take(server) {
            Ok(()) => self.session.tell(Event::Text { call: self.session.id, message: server.0, text: Redacted::new(text) }),
            Err(refusal) => self.session.out.respond(server, refusal),
        }
    }

    fn their_refer(&mut self, server: ServerId, inbound: &InboundRequest, referee: Option<Arc<str>>) {
        let Some(target) = refer_target(&inbound.request) else { return self.session.out.refuse(server, StatusCode::BadRequest) };
        let may = self.session.phase == Phase::Live && matches!(self.session.peer.identity, Some(Identity::Device(_)));
        let Some(device) = referee.filter(|_| may && target.is_call()) else { return self.forbid(server, Method::Refer) };
        if !self.session.transfer.begin(server, inbound.essentials.cseq.number, &inbound.request) {
            return self.session.out.refuse(server, StatusCode::RequestPending);
        }
        self.session.tell(Event::Refer { call: self.session.id, device, replaces: target.replaces });
    }

    /// Their INVITE was taken back (section 9.2).
    pub(super) fn their_cancel(&mut self, server: ServerId) {
        self.session.out.respond(server, reason::refusal(StatusCode::RequestTerminated, Cause::Cancelled));
        self.session.exchange.turn = Turn::Idle;
        if self.session.phase == Phase::Ringing {
            self.session.end();
            self.session.tell(Event::Cancelled { call: self.session.id });
        } else {
            self.session.tell(Event::OfferWithdrawn { call: self.session.id });
            self.session.offer_if_possible();
        }
    }

    /// Our 2xx has arrived: a BYE or an offer that waited for that may go.
    pub(super) fn their_ack(&mut self, cseq: u32, body: Body) {
        let Some(acceptance) = self.session.acceptance.take_if(|acceptance| acceptance.cseq == cseq) else { return };
        self.session.peer.is_reached = true;
        if let Some(cause) = self.session.bye {
            return self.session.hang_up(cause);
        }
        let sdp = match body {
            Body::Sdp(sdp) if acceptance.is_offer => Some(sdp),
            _ => None,
        };
        self.session.tell(Event::Acked { call: self.session.id, sdp });
        self.session.offer_if_possible();
    }

    // === what the call's owner says to an open request ===

    /// 180 or 183, reliably where the caller requires that. Without an offer of theirs ours would have to be in it: then only our 200
    /// speaks.
    pub(super) fn provisional(&mut self, now: Instant, status: StatusCode, sdp: Option<String>) {
        if self.session.phase != Phase::Ringing {
            return;
        }
        let Some(open) = self.session.exchange.open_request() else { return };
        let (server, cseq, has_offer) = (open.server, open.cseq, open.offer != Body::Nothing);
        let reply = self.session.abilities(status).sdp(sdp);
        if !open.requires_100rel {
            return self.session.out.respond(server, reply);
        }
        if self.session.provisionals.waiting.is_some() || !has_offer {
            return;
        }
        let drawn = self.session.out.draw();
        let rseq = self.session.provisionals.next(drawn);
        self.session
            .out
            .respond(server, reply.with([(header_names::REQUIRE, "100rel".to_owned()), (header_names::RSEQ, rseq.to_string())]));
        let timers = self.session.timers;
        self.session.provisionals.sent(now, &timers, server, rseq, cseq);
    }

    /// 200 to the open INVITE, re-INVITE or UPDATE.
    pub(super) fn answer(&mut self, now: Instant, sdp: String) {
        if let Some(waiting) = &mut self.session.provisionals.waiting {
            waiting.then = Some(sdp);
            return;
        }
        let Some(open) = self.session.exchange.open_request().cloned() else { return };
        let agreement = self.session.timing.granted(&open.wish);
        let reply = self.session.abilities(StatusCode::OK).with(open.wish.answered(agreement)).sdp(Some(sdp.clone()));
        self.session.out.respond(open.server, reply);
        let is_offer = open.offer == Body::Nothing;
        let acceptance = || Acceptance::new(now, &self.session.timers, open.server, open.cseq, is_offer);
        self.session.acceptance = open.is_invite.then(acceptance);
        self.session.phase = Phase::Live;
        self.session.exchange.turn = Turn::Idle;
        self.session.exchange.local = sdp;
        if let Body::Sdp(theirs) = open.offer {
            self.session.exchange.remote = theirs;
        }
        self.session.timing.start(now, agreement);
        if !open.is_invite {
            self.session.offer_if_possible();
        }
    }

    /// Refuses the open request.
    pub(super) fn reject(&mut self, cause: Cause, warning: Option<Warning>) {
        let Some(server) = self.session.exchange.close_request() else { return };
        let refusal = reason::refusal(cause.verdict().status.clamp(300, 699), cause);
        self.session.out.respond(server, refusal.warning(warning.or_else(|| reason::warning(cause))));
        if self.session.phase == Phase::Ringing {
            self.session.end();
        } else {
            self.session.offer_if_possible();
        }
    }

    /// Our 2xx or reliable provisional response is due again, or nobody has taken it.
    pub(super) fn wake(&mut self, now: Instant) {
        let timers = self.session.timers;
        if let Some(acceptance) = &mut self.session.acceptance {
            if acceptance.is_lost(now) {
                self.session.acceptance = None;
                let cause = self.session.bye;
                self.session.hang_up(cause.unwrap_or(Cause::NoAck));
                if cause.is_none() {
                    self.session.tell(Event::Ended { call: self.session.id, cause: Cause::NoAck });
                }
            } else if acceptance.wake(now, &timers) {
                let server = acceptance.server;
                self.session.out.put(SessionOutput::Repeat(server));
            }
            return;
        }
        match self.session.provisionals.wake(now) {
            Repeat::Nothing => {}
            Repeat::Again(server) => self.session.out.put(SessionOutput::Repeat(server)),
            Repeat::GiveUp(server) => {
                self.session.exchange.turn = Turn::Idle;
                self.session.out.respond(server, reason::refusal(StatusCode::ServerTimeOut, Cause::NoAck));
                self.session.end();
                self.session.tell(Event::Ended { call: self.session.id, cause: Cause::NoAck });
            }
        }
    }
}
