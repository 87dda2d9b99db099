//! A peer's INVITE that begins a call, and what the call's owner says to an open INVITE or re-INVITE (RFC 3261 section 13.3, 14.2).

use std::net::IpAddr;
use std::time::Instant;

use super::capabilities::{ACCEPT, ALLOW, SUPPORTED, allows, requires};
use super::counters::count;
use super::dialog::Dialog;
use super::endpoint::{Endpoint, Owner};
use super::invite::{Accepted, Call, Phase, Turn};
use super::ladder;
use super::message::{Body, Essentials, Request, session_description};
use super::method::Method;
use super::session_timer::{SessionTimer, Wish};
use super::uas::{Header, reasons, shortened};
use super::uri::Uri;
use super::{Event, Flow, Identity, Incoming, Limits, Proof};
use crate::cause::Cause;
use crate::ids::CallId;

/// Whether the caller takes other bodies than session descriptions only (RFC 3261 section 20.1). An empty list is taken for none.
pub(super) fn takes_no_answer(request: &Request) -> bool {
    let takes = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or(kind).trim().to_ascii_lowercase();
        ["application/sdp", "application/*", "*/*"].contains(&kind.as_str())
    };
    let mut kinds = request.headers.values("Accept").filter(|kind| !kind.trim().is_empty()).peekable();
    kinds.peek().is_some() && !kinds.any(takes)
}

/// Whether somebody is no device, trunk or account of ours.
const fn is_stranger(identity: Option<&Identity>) -> bool {
    matches!(identity, None | Some(Identity::Unlisted))
}

impl Endpoint {
    pub(super) fn invite(
        &mut self,
        now: Instant,
        id: u64,
        (flow, admitted): (Flow, Option<(Identity, Proof)>),
        request: &Request,
        essentials: Essentials,
    ) {
        let (source, (identity, proof)) = (flow.peer.ip(), admitted.unzip());
        let trying = request.response(100, None);
        let Some(uri) = Uri::parse(&request.uri) else { return self.respond(now, id, 400, &[], None) };
        if takes_no_answer(request) {
            return self.respond(now, id, 406, &[], None);
        }
        // A call for help has passed all that may stand in the way of an answer, and is never more than told something (S-10).
        let for_help = self.is_for_help(request, &essentials);
        if !for_help && self.refused_too_short(now, id, request) {
            return;
        }
        let offer = match session_description(&request.headers, &request.body) {
            Body::Sdp(sdp) => Some(sdp),
            Body::Nothing => None,
            Body::Foreign => return self.respond(now, id, 415, &[("Accept", ACCEPT.to_owned())], None),
        };
        if self.draining {
            count(&self.counters.turned_away_draining);
            return self.respond(now, id, 503, &reasons(Cause::Draining), None);
        }
        let replaces = match self.replaced(request, identity.as_ref(), proof.unwrap_or_default()) {
            _ if for_help => None,
            Ok(replaces) => replaces,
            Err(403) => return self.forbid(now, id),
            Err(status) => return self.respond(now, id, status, &[], None),
        };
        if self.is_full(source, identity.as_ref()) {
            self.turn_away_full(now, source);
            return self.respond(now, id, 503, &reasons(Cause::Busy), None);
        }
        let Some(tx) = self.servers.get_mut(&id) else { return };
        let call_id = self.settings.ids.call();
        tx.call = Some(call_id);
        let (tag, reply) = (tx.tag.clone(), tx.reply);
        tx.last = trying.to_bytes();
        let bytes = tx.last.clone();
        let dialog = Dialog::of_invite(request, &essentials, &tag, flow.peer);
        let mut call = Call::new(now, dialog, flow, Phase::Ringing, Turn::Theirs { server: id });
        call.identity.clone_from(&identity);
        call.proof = proof.unwrap_or_default();
        call.for_help = for_help;
        call.remote = offer.clone().unwrap_or_default();
        call.takes_update = allows(&request.headers, &Method::Update).unwrap_or(false);
        call.takes_text = allows(&request.headers, &Method::Message).unwrap_or(false);
        call.nat = essentials.via.host.ip() != Some(source);
        self.dialogs.insert(call.key.clone(), call_id);
        self.calls.insert(call_id, call);
        *self.sources.entry(source).or_insert(0) += 1;
        count(&self.counters.calls);
        self.note(now, call_id, true, format!("INVITE ({})", essentials.cseq.number), ladder::request(request));
        self.send_response(reply, bytes);
        let caller = self.caller(&flow, identity.as_ref(), request);
        let user_agent = request.headers.get("User-Agent").map(shortened).filter(|agent| !agent.is_empty());
        let Essentials { from, to, call_id: call_id_header, .. } = essentials;
        self.tell(Event::Incoming(Box::new(Incoming {
            call: call_id,
            source: flow.peer,
            identity,
            proof: proof.unwrap_or_default(),
            caller,
            local: flow.local,
            transport: flow.transport,
            request_uri: uri,
            emergency: for_help,
            from,
            to,
            user_agent,
            offer,
            requires_100rel: requires(&request.headers, "100rel"),
            call_id_header,
            replaces,
        })));
    }

    /// Whether as many calls are up as there may be: altogether, of one address, or of strangers, who leave a part to those who are known.
    pub(super) fn is_full(&self, source: IpAddr, identity: Option<&Identity>) -> bool {
        let limits = &self.settings.limits;
        let mine = self.sources.get(&source).copied().unwrap_or(0);
        let live = || self.calls.values().filter(|call| call.phase != Phase::Over);
        let strangers = || live().filter(|call| is_stranger(call.identity.as_ref())).count();
        let is_reserved = is_stranger(identity) && self.settings.known.is_anybody();
        (mine >= limits.calls_per_source && !self.settings.trusted.trusts(source))
            || live().count() >= limits.max_calls
            || (is_reserved && strangers() >= limits.of_strangers(limits.max_calls))
    }

    /// Counts it, and says so once in a while.
    fn turn_away_full(&mut self, now: Instant, source: IpAddr) {
        count(&self.counters.turned_away_full);
        if let Some(unlogged) = self.lines.full.say(now) {
            let Limits { max_calls, calls_per_source, .. } = self.settings.limits;
            let calls = self.live_calls();
            tracing::warn!(calls, %source, max_calls, calls_per_source, unlogged, "calls are turned away: as many are up as there may be");
        }
    }

    // === what the call's owner says to an open INVITE ===

    pub(super) fn answer(&mut self, now: Instant, id: CallId, sdp: &str) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Some(waiting) = &mut call.reliable {
            waiting.then = Some(sdp.to_owned());
            return;
        }
        let (&Turn::Theirs { server }, flow, refresher) = (&call.turn, call.flow, call.refresher()) else { return };
        let Some(request) = self.servers.get(&server).and_then(|tx| tx.request.as_ref()) else { return };
        let (offer, by_invite) = (session_description(&request.headers, &request.body), request.method == Method::Invite);
        let wish = Wish::of(&request.headers);
        let agreement = wish.granted(&self.settings.session_timers, refresher);
        let headers = [self.abilities(id, &flow), wish.answered(agreement)].concat();
        self.respond(now, server, 200, &headers, Some(sdp));
        let timers = self.timers;
        if let (Some(tx), Some(call)) = (self.servers.get(&server), self.calls.get_mut(&id)) {
            let offered = offer == Body::Nothing;
            call.accepted = by_invite.then(|| Accepted::new(now, &timers, tx.reply, tx.cseq, offered, tx.last.clone()));
            call.phase = Phase::Live;
            call.turn = Turn::Idle;
            sdp.clone_into(&mut call.local);
            if let Body::Sdp(theirs) = offer {
                call.remote = theirs;
            }
            call.timer = agreement.map(|agreement| SessionTimer::start(now, agreement));
        }
        self.schedule(Owner::Call(id));
        if !by_invite {
            self.offer_if_possible(now, id);
        }
    }

    /// What goes with a 2xx that carries or confirms a session (RFC 3261 section 13.3.1.4).
    pub(super) fn abilities(&self, id: CallId, flow: &Flow) -> Vec<Header> {
        vec![
            // RFC 4579 section 5.2: whoever sees that may ask who is in the conference.
            ("Contact", format!("{};isfocus", self.contact_in(id, flow))),
            ("Allow", ALLOW.to_owned()),
            ("Accept", ACCEPT.to_owned()),
            ("Supported", SUPPORTED.to_owned()),
        ]
    }

    pub(super) fn reject(&mut self, now: Instant, id: CallId, cause: Cause) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Turn::Theirs { server } = call.turn else { return };
        call.turn = Turn::Idle;
        let first = call.phase == Phase::Ringing;
        self.respond(now, server, cause.verdict().status.clamp(300, 699), &reasons(cause), None);
        if first {
            self.end(now, id);
        } else {
            self.offer_if_possible(now, id);
        }
    }
}
