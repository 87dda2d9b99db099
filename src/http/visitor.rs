//! The [`Visitor`] of a meeting that a browser's session makes of it (M-3).

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::session::PageSession;
use super::state::AppState;
use crate::common::ids::MeetingName;
use crate::meeting::PasscodeProof;
use crate::meeting::messages::Role;
use crate::service::embedded::signalling::Visitor;

/// Whether a browser may knock at this meeting: it has a session there, or no passcode is set (K-1).
pub(super) fn may_knock(app: &AppState, session: Option<&PageSession>, meeting: &MeetingName) -> bool {
    session.is_some() || app.administration().passcode(meeting).is_none()
}

/// The proof of the passcode that a session carries.
fn proof(app: &AppState, meeting: &MeetingName, session: Option<&PageSession>) -> PasscodeProof {
    match session {
        None => PasscodeProof::Nothing,
        Some(session) if session.link.is_some() => PasscodeProof::Link,
        // The passcode may have been changed since the session was looked up.
        Some(session) => app
            .administration()
            .passcode(meeting)
            .filter(|passcode| app.handles.sessions.still_opens(session, Some(passcode)))
            .map_or(PasscodeProof::Nothing, PasscodeProof::Given),
    }
}

/// Who the bearer of this session, or a browser without one, is to the meeting's signalling.
pub(super) fn visitor(app: &AppState, meeting: MeetingName, session: Option<&PageSession>) -> Visitor {
    let member = session.is_some_and(PageSession::is_member);
    let now = SystemTime::now();
    Visitor {
        proof: proof(app, &meeting, session),
        meeting,
        role: if member { Role::Member } else { Role::External },
        organiser: session.is_some_and(PageSession::organises),
        identity: session.map(|session| format!("session/{}", URL_SAFE_NO_PAD.encode(session.id))),
        from: None,
        fallback_name: if member { "Member" } else { "Guest" },
        ice_servers: app.web().ice_servers.iter().map(|server| server.made_for(now)).collect(),
    }
}
