//! UPDATE (RFC 3311) and session timers (RFC 4028) at the endpoint: a peer's UPDATE with or without an offer, the refreshes of
//! ours, and the end of a session that nobody refreshes.

use std::time::{Duration, Instant};

use super::Event;
use super::capabilities::ACCEPT;
use super::endpoint::{Endpoint, Owner, Purpose};
use super::header::retry_after;
use super::invite::{Phase, Reoffer, Turn};
use super::message::{Body, Request, Response, session_description};
use super::method::Method;
use super::session_timer::{self, Due, SessionTimer, Wish};
use crate::cause::Cause;
use crate::ids::CallId;

impl Endpoint {
    // === theirs ===

    /// Answers 422 to a session interval that is too short (RFC 4028 section 9). `true`: it did.
    pub(super) fn refused_too_short(&mut self, now: Instant, server: u64, request: &Request) -> bool {
        let ours = self.settings.session_timers;
        let too_short = Wish::of(&request.headers).is_too_short(&ours);
        if too_short {
            self.respond(now, server, 422, &[("Min-SE", ours.min.as_secs().to_string())], None);
        }
        too_short
    }

    /// RFC 3311 section 5.2.
    pub(super) fn update(&mut self, now: Instant, server: u64, id: CallId, request: &Request) {
        let offer = match session_description(&request.headers, &request.body) {
            Body::Sdp(sdp) => Some(sdp),
            Body::Nothing => None,
            Body::Foreign => return self.respond(now, server, 415, &[("Accept", ACCEPT.to_owned())], None),
        };
        if self.refused_too_short(now, server, request) {
            return;
        }
        let wait = self.draw() % 10;
        let Some(call) = self.calls.get_mut(&id) else { return };
        let waits = |server: &u64| self.servers.get(server).and_then(|tx| tx.request.as_ref()).map(|open| open.method.clone());
        let refusal = match (&call.turn, &call.accepted) {
            (Turn::Theirs { server }, _) if offer.is_some() || waits(server) == Some(Method::Update) => Some(500),
            (Turn::Ours { .. }, _) if offer.is_some() => Some(491),
            // Our offer in the 2xx has no answer yet.
            (Turn::Idle, Some(accepted)) if offer.is_some() && accepted.offered => Some(491),
            _ if offer.is_some() && call.bye.is_some() => Some(487),
            _ => None,
        };
        match refusal {
            Some(500) => return self.respond(now, server, 500, &[("Retry-After", wait.to_string())], None),
            Some(status) => return self.respond(now, server, status, &[], None),
            None => call.refresh_target(&request.headers),
        }
        if let Some(sdp) = offer {
            call.turn = Turn::Theirs { server };
            self.schedule(Owner::Call(id));
            return self.tell(Event::Offer { call: id, sdp: Some(sdp) });
        }
        let wish = Wish::of(&request.headers);
        let agreement = wish.granted(&self.settings.session_timers, call.refresher()).filter(|_| call.phase == Phase::Live);
        if call.phase == Phase::Live {
            call.timer = agreement.map(|agreement| SessionTimer::start(now, agreement));
        }
        let flow = call.flow;
        let headers = [self.abilities(id, &flow), wish.answered(agreement)].concat();
        self.respond(now, server, 200, &headers, None);
        self.schedule(Owner::Call(id));
    }

    // === ours ===

    /// The session's clock strikes: refresh it, or give it up (RFC 4028 section 10).
    pub(super) fn wake_session(&mut self, now: Instant, id: CallId) {
        let Some(timer) = self.calls.get_mut(&id).and_then(|call| call.timer.as_mut()) else { return };
        match timer.due(now) {
            Some(Due::Refresh) => self.refresh(now, id),
            Some(Due::End) => {
                self.hang_up(now, id, Cause::SessionExpired);
                self.tell(Event::Ended { call: id, cause: Cause::SessionExpired });
            }
            None => {}
        }
    }

    /// By UPDATE where the peer takes it; else by a re-INVITE that changes nothing: same description, same version.
    fn refresh(&mut self, now: Instant, id: CallId) {
        let ours = self.settings.session_timers;
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live && call.bye.is_none()) else { return };
        if call.takes_update {
            let mut update = call.dialog.request(Method::Update);
            for (name, value) in session_timer::ask(&ours, call.agreement(), call.min_se) {
                update.headers.push(name, value);
            }
            self.send_request(now, id, update, Purpose::Refresh);
        } else {
            // An offer that waits for its turn refreshes as well.
            let sdp = call.local.clone();
            call.reoffer.get_or_insert(Reoffer { sdp, refresh: true });
            self.offer_if_possible(now, id);
        }
    }

    /// A 2xx to an INVITE, re-INVITE or UPDATE of ours: the session is fresh, on these terms.
    pub(super) fn refreshed(&mut self, now: Instant, id: CallId, response: &Response) {
        let ours = self.settings.session_timers;
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live) else { return };
        call.refresh_target(&response.headers);
        let asked = session_timer::asked(&ours, call.agreement(), call.min_se);
        let agreement = Wish::of(&response.headers).settled(&ours, asked);
        call.timer = agreement.map(|agreement| SessionTimer::start(now, agreement));
        self.schedule(Owner::Call(id));
    }

    /// Whether a 422 wants a longer interval than we asked for; then that is what we ask for from now on (RFC 4028 section 7.3).
    pub(super) fn lengthened(&mut self, id: CallId, response: &Response) -> bool {
        let ours = self.settings.session_timers;
        let Some(call) = self.calls.get_mut(&id).filter(|_| response.status == 422) else { return false };
        let asked = session_timer::asked(&ours, call.agreement(), call.min_se);
        let longer = asked.and_then(|asked| Wish::of(&response.headers).longer_than(asked));
        call.min_se = longer.unwrap_or(call.min_se);
        longer.is_some()
    }

    /// Our UPDATE was refused. The peer is there all the same, unless it says that the dialog is not (RFC 4028 section 10).
    pub(super) fn refresh_refused(&mut self, now: Instant, id: CallId, response: &Response) {
        if matches!(response.status, 408 | 481) {
            return self.lost(now, id);
        }
        if self.lengthened(id, response) {
            return self.refresh(now, id);
        }
        let glare = self.draw() % 201 * 10;
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.phase == Phase::Live) else { return };
        let later =
            response.headers.get("Retry-After").and_then(retry_after).map(|seconds| Duration::from_secs(u64::from(seconds)));
        let wait = if response.status == 491 { Some(Duration::from_millis(glare)) } else { later };
        if let (Some(wait), Some(timer)) = (wait, &mut call.timer) {
            timer.again(now, Some(wait));
            return self.schedule(Owner::Call(id));
        }
        // It said that it takes UPDATE, and does not.
        call.takes_update = false;
        self.refresh(now, id);
    }
}
