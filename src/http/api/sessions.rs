//! Sessions of browsers (U-4): listed, and ended.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::{InPath, InQuery};
use super::paging::{Window, lines};
use super::query_time::rfc3339_of;
use crate::http::browser_sessions;
use crate::http::problem_details::ProblemDetails;
use crate::http::session::{LinkRole, PageSession, SessionEnd, SessionId, id_of, text_of};
use crate::http::state::AppState;

/// One session. Of a configured meeting it lasts over the meeting's runs, of one that the API has made it ends with that meeting.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
struct SessionLine {
    /// Its name, by which it is ended. It opens nothing.
    id: String,
    /// The one meeting it is for.
    meeting: String,
    role: LinkRole,
    /// The link that has opened it; `null`: the meeting's passcode has.
    link: Option<String>,
    /// When it was opened (RFC 3339).
    #[schema(format = DateTime)]
    opened_at: String,
    /// When it ends, twelve hours later (RFC 3339).
    #[schema(format = DateTime)]
    expires_at: String,
    /// A page of it is open.
    present: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SessionLines {
    sessions: Vec<SessionLine>,
}

/// Whose sessions the caller looks after.
fn looks_after(app: &AppState, caller: &ApiCaller, session: &PageSession) -> bool {
    caller.organises(&session.meeting) && browser_sessions::is_current(app, session)
}

/// Sessions of browsers: all of them for the operator, those of the own meeting for its organiser.
#[utoipa::path(get, path = "/sessions", tag = "meetings", params(Window), responses(
    (status = 200, description = "The newest first.", body = SessionLines),
    (status = 403, description = "`not-allowed`."),
))]
pub(super) async fn sessions(State(app): State<Arc<AppState>>, caller: ApiCaller, InQuery(window): InQuery<Window>) -> Answer {
    may_look_after(&caller)?;
    let limit = lines(window.limit)?;
    let mut found = app.handles.sessions.all(SystemTime::now());
    found.retain(|session| looks_after(&app, &caller, session));
    found.truncate(limit);
    let presences = app.presences();
    let line = |session: PageSession| SessionLine {
        id: text_of(&session.id),
        meeting: session.meeting.to_string(),
        role: session.role,
        link: session.link.as_ref().map(text_of),
        opened_at: rfc3339_of(session.since),
        expires_at: rfc3339_of(session.expires),
        present: presences.newest(&session.id).is_some(),
    };
    Ok(Json(SessionLines { sessions: found.into_iter().map(line).collect() }).into_response())
}

fn may_look_after(caller: &ApiCaller) -> Result<(), ProblemDetails> {
    match caller {
        ApiCaller::Operator => Ok(()),
        ApiCaller::Member(sessions) if sessions.iter().any(PageSession::organises) => Ok(()),
        ApiCaller::Member(_) | ApiCaller::Device { .. } => Err(ProblemDetails::for_organisers()),
    }
}

/// Ends a session at once: its pages and event streams are closed, its seats given up, its cookie worth nothing.
#[utoipa::path(delete, path = "/sessions/{session}", tag = "meetings", params(
    ("session" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is over."),
    (status = 403, description = "`not-allowed`."),
))]
pub(super) async fn end_session(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(session): InPath<String>) -> Answer {
    may_look_after(&caller)?;
    let nothing = || ProblemDetails::not_found("session");
    let id: SessionId = id_of(&session).ok_or_else(nothing)?;
    let known = app.handles.sessions.all(SystemTime::now()).into_iter().find(|session| session.id == id);
    known.filter(|session| looks_after(&app, &caller, session)).ok_or_else(nothing)?;
    browser_sessions::end_session(&app, &id, SessionEnd::Removed).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
