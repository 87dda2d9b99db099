//! Participants of a meeting: who they are, and what is done with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::InPath;
use super::meeting_request::{ask, snapshot};
use crate::common::ids::ParticipantId;
use crate::http::problem_details::ProblemDetails;
use crate::http::state::AppState;
use crate::meeting::messages::ParticipantView;
use crate::meeting::{MeetingRefusal, MeetingRequest};
use crate::relay::ReaderId;

#[derive(Serialize, ToSchema)]
pub(super) struct Participants {
    participants: Vec<ParticipantView>,
}

/// Who is in a meeting and before its door.
#[utoipa::path(get, path = "/meetings/{meeting}/participants", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "Everybody the caller may see.", body = Participants),
    (status = 409, description = "`not-inside`: the member's page is not open."),
))]
pub(super) async fn participants(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(meeting): InPath<String>) -> Answer {
    let (name, _) = caller.named(&app, &meeting)?;
    let participants = snapshot(&app, &caller, &name).await?.map(|snapshot| snapshot.participants).unwrap_or_default();
    Ok(Json(Participants { participants }).into_response())
}

/// What is done with a participant.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Act {
    /// Let in (M-7).
    Admit,
    /// Refuse at the door.
    Deny,
    /// Close the microphone (K-4).
    Mute,
    /// Open a microphone that a host has closed; whoever has closed their own is asked to open it.
    Unmute,
    /// Take out.
    Remove,
}

/// Does something with a participant.
#[utoipa::path(post, path = "/meetings/{meeting}/participants/{participant}/{act}", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
    ("participant" = String, Path, description = "The participant's id."),
    ("act" = Act, Path, description = "What is done."),
), responses(
    (status = 204, description = "Done."),
    (status = 202, description = "`unmute` of a microphone that its owner has closed: the owner has been asked."),
    (status = 409, description = "`not-running`, `not-inside`, `no-member` (nobody is let in while no member is there), `meeting-full`, `mute-locked` or `ended`."),
))]
pub(super) async fn act(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath((meeting, participant, act)): InPath<(String, String, Act)>,
) -> Answer {
    let id: Result<ParticipantId, _> = participant.parse();
    let id = id.map_err(|_| ProblemDetails::from(MeetingRefusal::NoSuchParticipant))?;
    let wanted = match act {
        Act::Admit => MeetingRequest::Admit(id),
        Act::Deny => MeetingRequest::Deny(id),
        Act::Mute => MeetingRequest::Mute(id, true),
        Act::Unmute => MeetingRequest::Mute(id, false),
        Act::Remove => MeetingRequest::Remove(id),
    };
    ask(&app, &caller, &meeting, wanted).await
}

async fn ask_of_reader(
    app: &AppState,
    caller: &ApiCaller,
    (meeting, participant, reader): (String, String, String),
    wanted: fn(ParticipantId, ReaderId) -> MeetingRequest,
) -> Answer {
    let nobody = || ProblemDetails::from(MeetingRefusal::NoSuchParticipant);
    let device: ParticipantId = participant.parse().map_err(|_| nobody())?;
    let reader: ReaderId = reader.parse().map_err(|_| nobody())?;
    ask(app, caller, &meeting, wanted(device, reader)).await
}

/// Lets somebody read the chat by SMS who has texted a device's join code (M-7).
#[utoipa::path(
    post,
    path = "/meetings/{meeting}/participants/{participant}/readers/{reader}/confirm",
    tag = "meetings",
    params(
        ("meeting" = String, Path, description = "Its id."),
        ("participant" = String, Path, description = "The device's id as a participant."),
        ("reader" = String, Path, description = "The reader's id, as `join` of the device has it."),
    ),
    responses(
        (status = 204, description = "Done."),
        (status = 409, description = "`not-running`, `not-inside` or `ended`."),
    ),
)]
pub(super) async fn confirm_reader(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath(whose): InPath<(String, String, String)>,
) -> Answer {
    ask_of_reader(&app, &caller, whose, MeetingRequest::ConfirmReader).await
}

/// Has somebody read the chat by SMS no longer; the device has another join code then (C-2).
#[utoipa::path(
    delete,
    path = "/meetings/{meeting}/participants/{participant}/readers/{reader}",
    tag = "meetings",
    params(
        ("meeting" = String, Path, description = "Its id."),
        ("participant" = String, Path, description = "The device's id as a participant."),
        ("reader" = String, Path, description = "The reader's id, as `join` of the device has it."),
    ),
    responses(
        (status = 204, description = "They read no more."),
        (status = 409, description = "`not-running`, `not-inside` or `ended`."),
    ),
)]
pub(super) async fn remove_reader(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath(whose): InPath<(String, String, String)>,
) -> Answer {
    ask_of_reader(&app, &caller, whose, MeetingRequest::RemoveReader).await
}
