//! Links into meetings, and the sessions that they have opened (U-4): made, listed, and taken back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::caller::ApiCaller;
use super::extract::{InBody, InPath, InQuery};
use super::operator::{Window, lines};
use crate::common::ids::MeetingName;
use crate::common::units::{rfc3339, unix_millis};
use crate::http::AppState;
use crate::http::browser::SessionEnd;
use crate::http::problem_details::ProblemDetails;
use crate::http::session::{
    LINK_VALID, LONGEST_LINK, Link, LinkRole, MOST_USES, NewLink, PageSession, SessionId, id_of, text_of,
};

/// What a link makes of who opens it.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LinkRole)]
enum Role {
    /// An external who is not asked for the meeting's passcode, and waits in its lobby like any other.
    Guest,
    /// A member of the organisation.
    Member,
    /// A member who organises this meeting.
    Organiser,
}

impl From<Role> for LinkRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Guest => Self::Guest,
            Role::Member => Self::Member,
            Role::Organiser => Self::Organiser,
        }
    }
}

impl From<LinkRole> for Role {
    fn from(role: LinkRole) -> Self {
        match role {
            LinkRole::Guest => Self::Guest,
            LinkRole::Member => Self::Member,
            LinkRole::Organiser => Self::Organiser,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLink)]
pub(super) struct Wanted {
    /// What it makes of who opens it.
    role: Role,
    /// How often it may be used; once unless said.
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    uses: Option<u32>,
    /// For how long, in seconds; ten minutes unless said.
    #[schema(minimum = 1, maximum = 31_622_400, default = 600)]
    valid_seconds: Option<u64>,
}

/// One link.
#[derive(Serialize, ToSchema)]
#[schema(as = Link)]
struct LinkLine {
    /// Its name, by which it is taken back. It opens nothing.
    id: String,
    role: Role,
    /// How often it may still be used.
    uses: u32,
    /// When it was made (RFC 3339).
    #[schema(format = DateTime)]
    made_at: String,
    /// From when on it opens nothing (RFC 3339).
    #[schema(format = DateTime)]
    expires_at: String,
}

/// A link that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeLink {
    #[serde(flatten)]
    line: LinkLine,
    /// Its path at this server. It is told here only.
    link: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Links {
    links: Vec<LinkLine>,
}

fn time(at: SystemTime) -> String {
    rfc3339(unix_millis(at))
}

fn line(link: &Link) -> LinkLine {
    let (made_at, expires_at) = (time(link.since), time(link.expires));
    LinkLine { id: text_of(&link.id), role: link.role.into(), uses: link.uses, made_at, expires_at }
}

/// Members may bring guests; who is a member of a meeting is its organiser's and the operator's to say.
fn may_make(caller: &ApiCaller, meeting: &MeetingName, role: LinkRole) -> Result<(), ProblemDetails> {
    if role == LinkRole::Guest { Ok(()) } else { caller.organiser_only(meeting) }
}

/// Makes a link into a meeting. A member may make links for guests, the organiser and the operator for anybody.
#[utoipa::path(post, path = "/meetings/{meeting}/links", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), request_body = Wanted, responses(
    (status = 201, description = "It is there.", body = MadeLink),
    (status = 403, description = "`not-allowed`."),
    (status = 409, description = "`full`: 200 links of this member open something; the operator may make more."),
    (status = 422, description = "`bad-link`."),
))]
pub(super) async fn make_link(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath(meeting): InPath<String>,
    body: Result<InBody<Wanted>, ProblemDetails>,
) -> Answer {
    let (meeting, _) = caller.named(&app, &meeting)?;
    if !caller.belongs_to(&meeting) {
        return Err(ProblemDetails::for_organisers());
    }
    let Wanted { role, uses, valid_seconds } = body?.0;
    let role = LinkRole::from(role);
    may_make(&caller, &meeting, role)?;
    let (uses, valid) = (uses.unwrap_or(1), valid_seconds.map_or(LINK_VALID, Duration::from_secs));
    let bad = |text: String| Err(ProblemDetails::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-link", text));
    if !(1..=MOST_USES).contains(&uses) {
        return bad(format!("`uses` is a number from 1 to {MOST_USES}."));
    }
    if valid.is_zero() || valid > LONGEST_LINK {
        return bad(format!("`valid_seconds` is a number from 1 to {}.", LONGEST_LINK.as_secs()));
    }
    let made_at = app.settings.admin.meetings.made_at(&meeting);
    let maker = caller.session_in(&meeting).map(|session| session.id);
    let wanted = NewLink { meeting, made_at, role, uses, valid, maker };
    let (link, token) = app.settings.sessions.make_link(wanted, SystemTime::now()).await?;
    let made = MadeLink { line: line(&link), link: format!("/enter?token={token}") };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// The links of a meeting that open something, for its organiser and the operator; what they carry is not told again.
#[utoipa::path(get, path = "/meetings/{meeting}/links", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The newest first.", body = Links),
    (status = 403, description = "`not-allowed`."),
))]
pub(super) async fn links(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(meeting): InPath<String>) -> Answer {
    let (meeting, _) = caller.named(&app, &meeting)?;
    caller.organiser_only(&meeting)?;
    let made_at = app.settings.admin.meetings.made_at(&meeting);
    let links = app.settings.sessions.links(&meeting, made_at, SystemTime::now());
    Ok(Json(Links { links: links.iter().map(line).collect() }).into_response())
}

/// Takes a link back: nobody enters by it any more. Who has entered stays; see `/sessions`.
#[utoipa::path(delete, path = "/meetings/{meeting}/links/{link}", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
    ("link" = String, Path, description = "The link's id."),
), responses(
    (status = 204, description = "It opens nothing any more."),
    (status = 403, description = "`not-allowed`."),
))]
pub(super) async fn revoke_link(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath((meeting, link)): InPath<(String, String)>,
) -> Answer {
    let (meeting, _) = caller.named(&app, &meeting)?;
    caller.organiser_only(&meeting)?;
    let id = id_of(&link).ok_or_else(|| ProblemDetails::not_found("link"))?;
    match app.settings.sessions.revoke_link(&meeting, &id, SystemTime::now()).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(ProblemDetails::not_found("link")),
    }
}

/// One session. Of a configured meeting it lasts over the meeting's runs, of one that the API has made it ends with that meeting.
#[derive(Serialize, ToSchema)]
#[schema(as = PageSession)]
struct SessionLine {
    /// Its name, by which it is ended. It opens nothing.
    id: String,
    /// The one meeting it is for.
    meeting: String,
    role: Role,
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
    caller.organises(&session.meeting) && app.is_current(session)
}

/// Sessions of browsers: all of them for the operator, those of the own meeting for its organiser.
#[utoipa::path(get, path = "/sessions", tag = "meetings", params(Window), responses(
    (status = 200, description = "The newest first.", body = SessionLines),
    (status = 403, description = "`not-allowed`."),
))]
pub(super) async fn sessions(State(app): State<Arc<AppState>>, caller: ApiCaller, InQuery(window): InQuery<Window>) -> Answer {
    may_look_after(&caller)?;
    let limit = lines(window.limit)?;
    let mut found = app.settings.sessions.all(SystemTime::now());
    found.retain(|session| looks_after(&app, &caller, session));
    found.truncate(limit);
    let presences = app.presences();
    let line = |session: PageSession| SessionLine {
        id: text_of(&session.id),
        meeting: session.meeting.to_string(),
        role: session.role.into(),
        link: session.link.as_ref().map(text_of),
        opened_at: time(session.since),
        expires_at: time(session.expires),
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
    let known = app.settings.sessions.all(SystemTime::now()).into_iter().find(|session| session.id == id);
    known.filter(|session| looks_after(&app, &caller, session)).ok_or_else(nothing)?;
    app.end_session(&id, SessionEnd::Removed).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
