//! Calls for help (S-10): no limit may keep them from an answer. They are sent to where they are answered, or told that they are not answered here;
//! without a transaction, so that nothing is kept.

use std::time::Instant;

use crate::common::cause::Cause;
use crate::sip::core::Core;
use crate::sip::message::method::Method;
use crate::sip::message::{Essentials, Request, StatusCode, header_names};
use crate::sip::reason;
use crate::sip::transport::Flow;

/// Whether a request calls for help. One inside a dialog goes to a Contact of ours and is none.
pub(in crate::sip) fn is_for_help(core: &Core, request: &Request, essentials: &Essentials) -> bool {
    essentials.to.tag().is_none() && would_be_for_help(core, request)
}

/// The same of a request that cannot be read as a whole.
pub(in crate::sip) fn would_be_for_help(core: &Core, request: &Request) -> bool {
    request.method == Method::Invite && core.settings.emergency.is_meant(&request.uri)
}

/// Sends a call for help to where it is answered, or says that it is not answered here.
pub(in crate::sip) fn answer(now: Instant, core: &mut Core, flow: Flow, request: Request) {
    log(now, core, &flow);
    match core.settings.emergency.target.clone() {
        Some(target) => core.answer_statelessly(
            flow,
            request,
            (StatusCode::MovedTemporarily, ""),
            &[(header_names::CONTACT, format!("<{target}>"))],
        ),
        None => core.answer_statelessly(flow, request, (StatusCode::Forbidden, ""), &reason::headers(Cause::NoEmergencyCalls)),
    }
}

pub(in crate::sip) fn log(now: Instant, core: &mut Core, flow: &Flow) {
    let Some(unlogged) = core.log.help.admit(now) else { return };
    let source = flow.peer;
    match core.settings.emergency.target {
        Some(_) => tracing::warn!(%source, unlogged, "emergency call redirected"),
        None => tracing::warn!(%source, unlogged, "emergency call refused: emergency.target is not set"),
    }
}
