//! Requests of a peer inside a dialog (RFC 3261 section 12.2.2, 14.2, 15.1.2).

use std::time::Instant;

use super::capabilities::ACCEPT;
use super::endpoint::{Endpoint, Owner};
use super::info::{self, Info};
use super::invite::{Phase, Turn};
use super::ladder;
use super::message::{Body, Essentials, Request, session_description};
use super::method::Method;
use super::{Event, Flow};
use crate::cause::Cause;
use crate::ids::CallId;

impl Endpoint {
    pub(super) fn in_dialog(
        &mut self,
        now: Instant,
        server: u64,
        id: CallId,
        flow: Flow,
        request: &Request,
        essentials: &Essentials,
    ) {
        if let Some(tx) = self.servers.get_mut(&server) {
            tx.call = Some(id);
        }
        self.note(now, id, true, format!("{} ({})", request.method, essentials.cseq.number), ladder::request(request));
        let wait = self.draw() % 10;
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase == Phase::Calling {
            return self.early_request(now, server, id, request, essentials);
        }
        if !call.dialog.accepts(essentials.cseq.number) {
            // Section 12.2.2; the hint is for a re-INVITE that overtook another (section 14.2).
            return self.respond(now, server, 500, &[("Retry-After", wait.to_string())], None);
        }
        if request.method == Method::Bye {
            call.flow = flow;
            return self.bye(now, server, id);
        }
        if call.phase == Phase::Over {
            return self.respond(now, server, 481, &[], None);
        }
        call.flow = flow;
        call.nat = essentials.via.host.ip() != Some(flow.peer.ip());
        if self.refused_early(now, server, request) {
            return;
        }
        let records = request.headers.get("Record").is_some_and(|value| value.trim().to_ascii_lowercase().starts_with("on"));
        match &request.method {
            Method::Refer => self.refer(now, server, id, request),
            Method::Invite | Method::Update | Method::Info if records => {
                self.forbid(now, server);
                self.tell(Event::Refused { call: id, method: request.method.clone() });
            }
            Method::Invite => self.reinvite(now, server, id, request),
            Method::Prack => self.prack(now, server, id, request),
            Method::Update => self.update(now, server, id, request),
            Method::Info => self.info(now, server, id, request),
            Method::Message => self.text(now, server, id, request),
            Method::Subscribe => self.subscribe_in_call(now, server, id, request),
            Method::Options => self.options(now, server),
            method => self.refuse_method(now, server, method.clone()),
        }
    }

    fn bye(&mut self, now: Instant, server: u64, id: CallId) {
        self.respond(now, server, 200, &[], None);
        let Some(call) = self.calls.get(&id).filter(|call| call.phase != Phase::Over) else { return };
        let told = call.bye.is_none();
        self.end(now, id);
        if told {
            self.tell(Event::Ended { call: id, cause: Cause::HungUp });
        }
    }

    /// Section 14.2.
    fn reinvite(&mut self, now: Instant, server: u64, id: CallId, request: &Request) {
        let sdp = match session_description(&request.headers, &request.body) {
            Body::Sdp(sdp) => Some(sdp),
            Body::Nothing => None,
            Body::Foreign => return self.respond(now, server, 415, &[("Accept", ACCEPT.to_owned())], None),
        };
        if self.refused_too_short(now, server, request) {
            return;
        }
        let wait = self.draw() % 10;
        let Some(call) = self.calls.get_mut(&id) else { return };
        match (&call.turn, &call.accepted) {
            (Turn::Theirs { .. }, _) => return self.respond(now, server, 500, &[("Retry-After", wait.to_string())], None),
            (Turn::Ours { .. }, _) => return self.respond(now, server, 491, &[], None),
            // Our offer in the 2xx has no answer yet.
            (Turn::Idle, Some(accepted)) if accepted.offered => return self.respond(now, server, 491, &[], None),
            (Turn::Idle, _) => {}
        }
        if call.bye.is_some() {
            return self.respond(now, server, 487, &[], None);
        }
        call.turn = Turn::Theirs { server };
        call.refresh_target(&request.headers);
        // A new INVITE shows that the 2xx of the one before arrived; only its ACK was lost.
        let implied = call.accepted.take().is_some();
        if let Some(tx) = self.servers.get_mut(&server) {
            let (trying, reply) = (request.response(100, None).to_bytes(), tx.reply);
            tx.last.clone_from(&trying);
            self.send_response(reply, trying);
        }
        self.schedule(Owner::Call(id));
        if implied {
            self.tell(Event::Acked { call: id, sdp: None });
        }
        self.tell(Event::Offer { call: id, sdp });
    }

    fn info(&mut self, now: Instant, server: u64, id: CallId, request: &Request) {
        // RFC 6086 section 4.2.2: a package we never said we take.
        if request.headers.get("Info-Package").is_some() {
            return self.respond(now, server, 469, &[("Recv-Info", String::new())], None);
        }
        match info::read(request) {
            Info::Digit(digit, duration) => {
                self.respond(now, server, 200, &[], None);
                self.tell(Event::Digit { call: id, digit, duration });
            }
            Info::Nothing => self.respond(now, server, 200, &[], None),
            Info::Unreadable => self.respond(now, server, 400, &[], None),
            Info::Foreign => {
                self.respond(now, server, 415, &[("Accept", "application/dtmf-relay, application/dtmf".to_owned())], None)
            }
        }
    }
}
