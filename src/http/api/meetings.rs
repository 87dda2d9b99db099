//! Meetings: which there are, their captures, their chat and their end.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::{InBody, InPath};
use super::meeting_request::{ask, snapshot};
use crate::common::ids::MeetingName;
use crate::http::state::AppState;
use crate::meeting::messages::{Capture, ChatLine, Standing};
use crate::meeting::{MeetingRefusal, MeetingRequest};

#[derive(Serialize, ToSchema)]
pub(super) struct Meetings {
    meetings: Vec<MeetingLine>,
}

/// One meeting of many.
#[derive(Serialize, ToSchema)]
struct MeetingLine {
    /// The X of `[meeting.X]`.
    id: String,
    /// For people.
    title: String,
    /// Somebody is in it or before its door.
    running: bool,
}

/// The meetings that there are.
#[utoipa::path(get, path = "/meetings", tag = "meetings", responses(
    (status = 200, description = "All of them; for a member its own, for a device the one it is in.", body = Meetings),
))]
pub(super) async fn meetings(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    let running = app.handles.registry.running().await;
    let known = app.handles.registry.titles().into_iter().filter(|(name, _)| caller.knows(&app, name));
    let line = |(name, title): (MeetingName, String)| MeetingLine {
        running: running.iter().any(|handle| *handle.name() == name),
        id: name.to_string(),
        title,
    };
    Ok(Json(Meetings { meetings: known.map(line).collect() }).into_response())
}

/// One meeting.
#[derive(Serialize, ToSchema)]
pub(super) struct MeetingView {
    /// The X of `[meeting.X]`.
    id: String,
    /// For people.
    title: String,
    /// Somebody is in it or before its door.
    running: bool,
    recording: Capture,
    transcription: Capture,
    /// How many the caller may see.
    participants: usize,
}

/// One meeting.
#[utoipa::path(get, path = "/meetings/{meeting}", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "How it is.", body = MeetingView),
    (status = 409, description = "`not-inside`: the member's page is not open."),
))]
pub(super) async fn meeting(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(meeting): InPath<String>) -> Answer {
    let (name, title) = caller.named(&app, &meeting)?;
    let snapshot = snapshot(&app, &caller, &name).await?;
    let (recording, transcription) =
        snapshot.as_ref().map_or((Capture::Off, Capture::Off), |snapshot| (snapshot.recording, snapshot.transcription));
    Ok(Json(MeetingView {
        id: name.to_string(),
        title,
        running: snapshot.is_some(),
        recording,
        transcription,
        participants: snapshot.map_or(0, |snapshot| snapshot.participants.len()),
    })
    .into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Capture,
}

/// Switches recording (N-1).
#[utoipa::path(put, path = "/meetings/{meeting}/recording", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), request_body = Wanted, responses(
    (status = 204, description = "It is as wanted, and everybody is told."),
    (status = 409, description = "`not-running`, `not-inside`, `not-recording` (a pause of what is off) or `ended`."),
))]
pub(super) async fn recording(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath(meeting): InPath<String>,
    InBody(Wanted { state }): InBody<Wanted>,
) -> Answer {
    ask(&app, &caller, &meeting, MeetingRequest::Recording(state)).await
}

/// Switches transcription (N-11).
#[utoipa::path(put, path = "/meetings/{meeting}/transcription", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), request_body = Wanted, responses(
    (status = 204, description = "It is as wanted, and everybody is told."),
    (status = 409, description = "`not-configured`, `not-running`, `not-inside` or `ended`."),
))]
pub(super) async fn transcription(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath(meeting): InPath<String>,
    InBody(Wanted { state }): InBody<Wanted>,
) -> Answer {
    ask(&app, &caller, &meeting, MeetingRequest::Transcription(state)).await
}

#[derive(Serialize, ToSchema)]
pub(super) struct Chat {
    chat: Vec<ChatLine>,
}

/// The chat so far.
#[utoipa::path(get, path = "/meetings/{meeting}/chat", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The oldest line first.", body = Chat),
    (status = 409, description = "`not-inside`: chat is for those inside (C-1)."),
))]
pub(super) async fn chat(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(meeting): InPath<String>) -> Answer {
    let (name, _) = caller.named(&app, &meeting)?;
    let who = caller.presence(&app, &name)?;
    let Some(handle) = app.running_meeting(&name).await else { return Ok(Json(Chat { chat: Vec::new() }).into_response()) };
    // Chat is for those inside (C-1).
    if who.is_some() && handle.snapshot(who).await.is_none_or(|snapshot| snapshot.standing != Standing::In) {
        return Err(MeetingRefusal::NotInside.into());
    }
    Ok(Json(Chat { chat: handle.chat().await }).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    /// What is said.
    #[schema(min_length = 1, max_length = 4000)]
    text: String,
}

/// Says something in the chat.
#[utoipa::path(post, path = "/meetings/{meeting}/chat", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), request_body = Line, responses(
    (status = 204, description = "It is said."),
    (status = 409, description = "`not-running`, `not-inside`, `chat-full` (too many people for a chat) or `ended`."),
    (status = 422, description = "`bad-text`: empty, too long, or too much in a short time."),
))]
pub(super) async fn say(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath(meeting): InPath<String>,
    InBody(Line { text }): InBody<Line>,
) -> Answer {
    ask(&app, &caller, &meeting, MeetingRequest::Chat(text)).await
}

/// Ends a meeting for all: the operator, and its organiser.
#[utoipa::path(post, path = "/meetings/{meeting}/end", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), responses(
    (status = 204, description = "It is over."),
    (status = 403, description = "`not-allowed`: a member who is not the organiser ends nothing."),
    (status = 409, description = "`not-running`, `not-inside` or `ended`."),
))]
pub(super) async fn end(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(meeting): InPath<String>) -> Answer {
    let (name, _) = caller.named(&app, &meeting)?;
    caller.organiser_only(&name)?;
    ask(&app, &caller, &meeting, MeetingRequest::End).await
}
