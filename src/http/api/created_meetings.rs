//! Meetings beside the configured ones.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::{InBody, InPath};
use crate::common::ids::MeetingName;
use crate::common::redact::Redacted;
use crate::http::administration::{NewMeeting, NewMeetingError};
use crate::http::page_address::link_path;
use crate::http::problem_details::ProblemDetails;
use crate::http::session::{LINK_VALID, LinkRole, NewLink};
use crate::http::state::AppState;

/// The longest title.
const LONGEST_TITLE: usize = 128;
/// The most digits of a conference ID or passcode.
const MOST_DIGITS: usize = 20;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    /// Its name, part of its page's address.
    #[schema(pattern = "^[a-z0-9_-]{1,64}$")]
    id: String,
    /// For people; unless said, the name.
    #[schema(min_length = 1, max_length = 128)]
    title: Option<String>,
    /// Digits to key in or dial; without them it is reached by its name only.
    #[schema(pattern = "^[0-9]{1,20}$")]
    conference_id: Option<String>,
    /// Digits asked of callers.
    #[schema(pattern = "^[0-9]{4,20}$")]
    passcode: Option<String>,
}

/// A meeting that was made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeMeeting {
    id: String,
    title: String,
    conference_id: Option<String>,
    /// Path of a link that makes who opens it its organiser: once, within 10 minutes.
    link: String,
    /// The same link as a whole, as browsers reach this server.
    url: String,
}

fn unfit(unfit: NewMeetingError) -> ProblemDetails {
    let conflict = |code, text: &str| ProblemDetails::new(StatusCode::CONFLICT, code, text);
    match unfit {
        NewMeetingError::Taken(what) => conflict("taken", &what),
        NewMeetingError::Full => conflict("full", "There are too many meetings that were made like this."),
        NewMeetingError::Configured => conflict("configured", "This meeting is part of the configuration and stays."),
        NewMeetingError::Unknown => ProblemDetails::not_found("meeting"),
    }
}

fn checked(mut made: Made) -> Result<NewMeeting, ProblemDetails> {
    // Overwritten also where the rest is refused.
    let passcode = made.passcode.take().map(Redacted::new);
    let bad = |text: &str| ProblemDetails::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-meeting", text);
    let digits =
        |text: &str, least| (least..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let id = MeetingName::new(made.id).map_err(|_| bad("`id` has 1 to 64 characters of a-z, 0-9, - and _."))?;
    let is_title = |title: &str| {
        (1..=LONGEST_TITLE).contains(&title.chars().count()) && !title.trim().is_empty() && !title.chars().any(char::is_control)
    };
    if made.title.as_deref().is_some_and(|title| !is_title(title)) {
        return Err(bad("`title` has 1 to 128 characters, and not only blanks."));
    }
    if made.conference_id.as_deref().is_some_and(|id| !digits(id, 1)) {
        return Err(bad("`conference_id` has 1 to 20 digits."));
    }
    if passcode.as_ref().is_some_and(|code| !digits(code.expose(), 4)) {
        return Err(bad("`passcode` has 4 to 20 digits."));
    }
    Ok(NewMeeting { id, title: made.title, conference_id: made.conference_id, passcode })
}

/// Makes a meeting beside the configured ones. It has a lobby, and lives until it is deleted or the daemon ends: what shall outlive that
/// belongs into the configuration.
#[utoipa::path(post, path = "/meetings", tag = "meetings", request_body = Made, responses(
    (status = 201, description = "It is there.", body = MadeMeeting),
    (status = 409, description = "`taken`: name or number mean something already. `full`: 1000 were made."),
    (status = 422, description = "`bad-meeting`."),
))]
pub(super) async fn make(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    body: Result<InBody<Made>, ProblemDetails>,
) -> Answer {
    caller.operator_only()?;
    let wanted = checked(body?.0)?;
    let (id, title, conference_id) = (wanted.id.clone(), wanted.title.clone(), wanted.conference_id.clone());
    let made_at = app.administration().create_meeting(wanted).await.map_err(unfit)?;
    let (meeting, role) = (id.clone(), LinkRole::Organiser);
    let link = NewLink { meeting, made_at, role, uses: 1, valid: LINK_VALID, maker: None };
    let (_, token) = app.handles.sessions.make_link(link, SystemTime::now()).await.map_err(|error| {
        tracing::error!(%error, "no link for a meeting that was made");
        ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "no-link", "The meeting is there, but has no link.")
    })?;
    let title = title.unwrap_or_else(|| id.to_string());
    let (link, url) = (link_path(&token), app.link_url(&token));
    let made = MadeMeeting { id: id.to_string(), title, conference_id, link, url };
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Removes a meeting that was made by the API, and ends it if it runs.
#[utoipa::path(delete, path = "/meetings/{meeting}", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is gone."),
    (status = 409, description = "`configured`: it is part of the configuration."),
))]
pub(super) async fn unmake(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(meeting): InPath<String>) -> Answer {
    let (name, _) = caller.named(&app, &meeting)?;
    caller.operator_only()?;
    app.administration().remove_meeting(name).await.map_err(unfit)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
