//! Sessions of a browser: read from its cookies, one a meeting, and ended with everything that they have in their meetings.

use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderValue, header};

use super::peer::HttpPeer;
use super::session::{self, LinkError, PageSession, SESSION_VALID, SessionEnd, SessionId};
use super::state::AppState;
use crate::common::ids::{MeetingName, ParticipantId};
use crate::common::machine;
use crate::meeting::MeetingRequest;

/// Meetings that one browser is in at once; one more ends the oldest session it has.
const MEETINGS_OF_A_BROWSER: usize = 16;
/// Cookies of ours that are looked at; a browser sends fewer.
const COOKIES: usize = 32;
/// Sessions whose presences are known before those that are over are looked for.
const SWEEP_AT: usize = 1024;

/// The header line that sets the cookie of a session, or, without a value, takes it away.
pub(super) fn set_cookie(meeting: &MeetingName, value: Option<&str>, secure: bool) -> HeaderValue {
    let (name, value, lasts) = (session::cookie_name(meeting, secure), value.unwrap_or_default(), SESSION_VALID.as_secs());
    let (lasts, secure) = (if value.is_empty() { 0 } else { lasts }, if secure { "; Secure" } else { "" });
    // Lax: a link that was used leads on from wherever it is clicked. What changes anything looks at Origin as well.
    let line = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={lasts}{secure}");
    HeaderValue::from_str(&line).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The sessions of a request: those of its cookies that are valid, each for the meeting that has its name now.
pub(super) fn sessions(app: &AppState, peer: &HttpPeer, headers: &HeaderMap) -> Vec<PageSession> {
    let (now, secure) = (SystemTime::now(), app.is_secure(peer, headers));
    // A cookie that is kept to https is valid on any connection: a proxy that does not say how it was reached has got it by https.
    let meeting = |name: &str| {
        let plain = || name.strip_prefix(session::cookie_prefix(false)).filter(|_| !secure);
        name.strip_prefix(session::cookie_prefix(true)).or_else(plain).map(ToOwned::to_owned)
    };
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let ours = cookies.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        Some((meeting(name)?, value))
    });
    let read = |(meeting, value): (String, &str)| {
        let session = app.handles.sessions.session(value, now)?;
        (session.meeting.as_str() == meeting && is_current(app, &session)).then_some(session)
    };
    let mut found: Vec<PageSession> = ours.take(COOKIES).filter_map(read).collect();
    if found.iter().any(PageSession::is_member) {
        peer.slot.mark_member();
    }
    // A cookie that comes twice is one.
    found.sort_by(|one, other| one.meeting.cmp(&other.meeting));
    found.dedup_by(|one, other| one.meeting == other.meeting);
    found
}

/// The request's session in this meeting: one meeting's is nothing in another.
pub(super) fn session_in(app: &AppState, peer: &HttpPeer, headers: &HeaderMap, meeting: &MeetingName) -> Option<PageSession> {
    sessions(app, peer, headers).into_iter().find(|session| session.meeting == *meeting)
}

/// Whether a session is for the meeting that has its name now, and would be opened again by what has opened it.
pub(super) fn is_current(app: &AppState, session: &PageSession) -> bool {
    let administration = app.administration();
    administration.meeting_made_at(&session.meeting) == session.made_at
        && app.handles.sessions.still_opens(session, administration.passcode(&session.meeting).as_ref())
}

/// Ends the oldest session of a browser that is in as many meetings as one may be in, and gives it.
pub(super) async fn end_oldest_beyond_limit(
    app: &AppState,
    mut others: Vec<PageSession>,
    meeting: &MeetingName,
) -> Option<PageSession> {
    others.retain(|session| session.meeting != *meeting);
    if others.len() < MEETINGS_OF_A_BROWSER {
        return None;
    }
    // Who is a guest somewhere gives the passcode there once more.
    let oldest = others.into_iter().min_by_key(|session| (session.is_member(), session.since))?;
    end_session(app, &oldest.id, SessionEnd::SignedOut).await.ok().flatten()
}

/// A member's page has joined.
pub(super) fn joined(app: &AppState, session: &SessionId, who: ParticipantId) {
    let mut presences = app.presences();
    presences.joined(*session, who);
    if presences.len() > SWEEP_AT {
        let now = SystemTime::now();
        presences.sweep(|session| app.handles.sessions.lives(session, now));
    }
}

/// Ends a session at once, and every presence that it has in its meeting, connected or not. What it was; `None`: there is none.
pub(super) async fn end_session(app: &AppState, id: &SessionId, ending: SessionEnd) -> Result<Option<PageSession>, LinkError> {
    let (sessions, now) = (&app.handles.sessions, SystemTime::now());
    let ended = sessions.end(id, ending, now).await;
    let presences = app.presences().all_of(id);
    if !presences.is_empty() {
        for meeting in app.handles.registry.running().await {
            for who in &presences {
                // Participant ids are never reused: a meeting without this one refuses.
                let _ = match ending {
                    SessionEnd::SignedOut => meeting.ask(Some(*who), MeetingRequest::Leave).await,
                    SessionEnd::Removed => meeting.ask(None, MeetingRequest::Remove(*who)).await,
                };
            }
        }
    }
    if let Ok(Some(session)) = &ended
        && let Some(unsaid) = app.log_limits.sessions_ended.permits_for(session, machine::now())
    {
        let how = if ending == SessionEnd::Removed { "removed" } else { "signed out" };
        tracing::info!(meeting = %session.meeting, role = session.role.as_str(), how, unsaid, "session ended");
    }
    ended
}

/// Whoever was removed from a meeting loses the session as well (U-4).
pub(super) async fn removed(app: &AppState, who: ParticipantId) {
    let session = app.presences().session_of(who);
    if let Some(session) = session {
        // What could not be written down is in the log; here it is over.
        let _ = end_session(app, &session, SessionEnd::Removed).await;
    }
}
