//! An INVITE of a peer that would begin a call: checked, counted, and told to the call's owner (RFC 3261 section 13.3).

use std::net::SocketAddr;
use std::time::Instant;

use super::capacity::{CallCapacity, is_overloaded, log_full};
use super::session_timer::{Wish, too_short};
use super::sessions::{IncomingCall, InviteSessions};
use crate::common::cause::Cause;
use crate::sip::access::source::Source;
use crate::sip::capabilities::{foreign_body, requires, takes_no_description};
use crate::sip::core::Core;
use crate::sip::counters::count;
use crate::sip::events::{Event, Incoming};
use crate::sip::message::uri::Uri;
use crate::sip::message::{Body, Request, StatusCode, header_names, session_description};
use crate::sip::reason::{self, shortened};
use crate::sip::transaction::Reply;
use crate::sip::usage::Admitted;

/// An INVITE of somebody who was let in.
pub(in crate::sip) struct Invitation<'a> {
    pub(in crate::sip) admitted: Admitted,
    /// Whose tries of codes its are (K-1).
    pub(in crate::sip) caller: Source,
    /// It is told that calls for help are not answered here, and that is all (S-10).
    pub(in crate::sip) is_for_help: bool,
    /// Whether a place has answered of late (M-1).
    pub(in crate::sip) has_answered: &'a dyn Fn(SocketAddr) -> bool,
}

/// Begins a call, or refuses it.
pub(in crate::sip) fn invite(now: Instant, core: &mut Core, sessions: &mut InviteSessions, invitation: Invitation<'_>) {
    let Invitation { admitted, caller, is_for_help, has_answered } = invitation;
    let Admitted { server, inbound, identity, proof } = admitted;
    let (flow, request) = (inbound.flow, &inbound.request);
    let Some(request_uri) = Uri::parse(&request.uri) else { return core.refuse(now, server, StatusCode::BadRequest) };
    let offer = match offer_of(core, request, is_for_help) {
        Ok(offer) => offer,
        Err(refusal) => return core.respond(now, server, refusal),
    };
    if core.is_draining {
        count(&core.counters.turned_away_draining);
        return core.respond(now, server, reason::refusal(StatusCode::ServiceUnavailable, Cause::Draining));
    }
    let replaces = match sessions.replaced(request, identity.as_ref(), proof) {
        _ if is_for_help => None,
        Ok(replaces) => replaces,
        Err(StatusCode::Forbidden) => return core.forbid(now, server),
        Err(status) => return core.respond(now, server, Reply::new(status)),
    };
    if !is_for_help && is_overloaded(now, core, sessions, identity.as_ref()) {
        count(&core.counters.turned_away_overload);
        return core.respond(now, server, reason::refusal(StatusCode::ServiceUnavailable, Cause::Busy));
    }
    let capacity = CallCapacity { core, sessions, has_answered };
    if !is_for_help && capacity.is_full(&flow, identity.as_ref(), proof) {
        count(&core.counters.turned_away_full);
        log_full(now, core, sessions, flow.peer.ip());
        return core.respond(now, server, reason::refusal(StatusCode::ServiceUnavailable, Cause::Busy));
    }
    count(&core.counters.calls);
    let user_agent = request.headers.get(header_names::USER_AGENT).map(shortened).filter(|agent| !agent.is_empty());
    let requires_100rel = requires(&request.headers, "100rel");
    let call = sessions.incoming(now, core, IncomingCall { server, identity: identity.clone(), proof, is_for_help }, &inbound);
    let essentials = inbound.essentials;
    core.tell(Event::Incoming(Box::new(Incoming {
        call,
        source: flow.peer,
        identity,
        proof,
        caller,
        local: flow.local,
        transport: flow.transport,
        request_uri,
        emergency: is_for_help,
        from: essentials.from,
        to: essentials.to,
        user_agent,
        offer,
        requires_100rel,
        call_id_header: essentials.call_id,
        replaces,
    })));
}

/// The offer of an INVITE that can be answered at all; or what refuses it.
fn offer_of(core: &Core, request: &Request, is_for_help: bool) -> Result<Option<Vec<u8>>, Reply> {
    if takes_no_description(request) {
        return Err(Reply::new(StatusCode::NotAcceptable));
    }
    // A call for help has passed all that may stand in the way of an answer, and is never more than told something (S-10).
    let timers = core.settings.session_timers;
    if !is_for_help && Wish::of(&request.headers).is_too_short(&timers) {
        return Err(too_short(&timers));
    }
    match session_description(&request.headers, &request.body) {
        Body::Sdp(sdp) => Ok(Some(sdp)),
        Body::Nothing => Ok(None),
        Body::Foreign => Err(foreign_body()),
    }
}
