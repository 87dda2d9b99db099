//! Links into meetings (U-4): made, listed, and revoked.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::{InBody, InPath};
use super::query_time::rfc3339_of;
use crate::common::ids::MeetingName;
use crate::http::page_address::link_path;
use crate::http::problem_details::ProblemDetails;
use crate::http::session::{LINK_VALID, LONGEST_LINK, Link, LinkRole, MOST_USES, NewLink, id_of, text_of};
use crate::http::state::AppState;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewLink)]
pub(super) struct Wanted {
    /// What it makes of who opens it.
    role: LinkRole,
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
    role: LinkRole,
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
    /// The same as a whole, as browsers reach this server.
    url: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Links {
    links: Vec<LinkLine>,
}

fn line(link: &Link) -> LinkLine {
    let (made_at, expires_at) = (rfc3339_of(link.since), rfc3339_of(link.expires));
    LinkLine { id: text_of(&link.id), role: link.role, uses: link.uses, made_at, expires_at }
}

/// Members may invite guests; new members of a meeting are up to its organiser and the operator.
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
    may_make(&caller, &meeting, role)?;
    let (uses, valid) = (uses.unwrap_or(1), valid_seconds.map_or(LINK_VALID, Duration::from_secs));
    let bad = |text: String| Err(ProblemDetails::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-link", text));
    if !(1..=MOST_USES).contains(&uses) {
        return bad(format!("`uses` is a number from 1 to {MOST_USES}."));
    }
    if valid.is_zero() || valid > LONGEST_LINK {
        return bad(format!("`valid_seconds` is a number from 1 to {}.", LONGEST_LINK.as_secs()));
    }
    let made_at = app.administration().meeting_made_at(&meeting);
    let maker = caller.session_in(&meeting).map(|session| session.id);
    let wanted = NewLink { meeting, made_at, role, uses, valid, maker };
    let (link, token) = app.handles.sessions.make_link(wanted, SystemTime::now()).await?;
    let made = MadeLink { line: line(&link), link: link_path(&token), url: app.link_url(&token) };
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
    let made_at = app.administration().meeting_made_at(&meeting);
    let links = app.handles.sessions.links(&meeting, made_at, SystemTime::now());
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
    match app.handles.sessions.revoke_link(&meeting, &id, SystemTime::now()).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(ProblemDetails::not_found("link")),
    }
}
