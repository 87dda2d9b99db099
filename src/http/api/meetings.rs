//! Meetings: who is in them, what they are asked, and calling devices into them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use super::caller::ApiCaller;
use super::extract::{InBody, InPath};
use crate::common::ids::{MeetingName, ParticipantId};
use crate::http::problem_details::ProblemDetails;
use crate::http::{AppState, Room};
use crate::meeting::messages::{Capture, ChatLine, ParticipantView, Standing};
use crate::meeting::{Granted, MeetingHandle, MeetingRefusal, MeetingRequest, Snapshot};
use crate::relay::ReaderId;

pub(super) async fn live(app: &AppState, name: &MeetingName) -> Option<MeetingHandle> {
    app.registry.running().await.into_iter().find(|handle| handle.name() == name)
}

pub(super) async fn ask(app: &AppState, caller: &ApiCaller, meeting: &str, ask: MeetingRequest) -> Answer {
    let (name, _) = caller.named(app, meeting)?;
    let who = caller.presence(app, &name)?;
    match live(app, &name).await {
        Some(handle) => {
            let removed = if let MeetingRequest::Remove(other) = &ask { Some(*other) } else { None };
            let granted = handle.ask(who, ask).await?;
            if let Some(removed) = removed {
                app.removed(removed).await;
            }
            Ok(match granted {
                Granted::Done => StatusCode::NO_CONTENT,
                // What was asked for is somebody else's to do, who has been asked (K-4).
                Granted::Asked => StatusCode::ACCEPTED,
            }
            .into_response())
        }
        // Told first what no running meeting would change (N-11).
        None if matches!(ask, MeetingRequest::Transcription(_)) && !app.settings.transcription => {
            Err(MeetingRefusal::NotConfigured.into())
        }
        None => Err(ProblemDetails::new(StatusCode::CONFLICT, "not-running", "Nobody is in this meeting.")),
    }
}

async fn snapshot(app: &AppState, caller: &ApiCaller, name: &MeetingName) -> Result<Option<Snapshot>, ProblemDetails> {
    let Some(handle) = live(app, name).await else { return Ok(None) };
    Ok(handle.snapshot(caller.presence(app, name)?).await)
}

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
    let running = app.registry.running().await;
    let known = app.registry.titles().into_iter().filter(|(name, _)| caller.knows(&app, name));
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
    let Some(handle) = live(&app, &name).await else { return Ok(Json(Chat { chat: Vec::new() }).into_response()) };
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

/// Who may call devices into a meeting: the operator, and whom the meeting lets, while inside (S-9).
/// Whether the caller may have devices called into a meeting, and stop such a call (S-9).
pub(super) async fn may_invite(app: &AppState, caller: &ApiCaller, name: &MeetingName) -> Result<(), ProblemDetails> {
    let Some(who) = caller.presence(app, name)? else { return Ok(()) };
    let Some(handle) = live(app, name).await else { return Err(MeetingRefusal::NotInside.into()) };
    let view = handle.snapshot(Some(who)).await.filter(|view| view.standing == Standing::In);
    if view.ok_or(MeetingRefusal::NotInside)?.may_call_rooms { Ok(()) } else { Err(MeetingRefusal::NotAllowed.into()) }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Rooms {
    devices: Vec<Room>,
}

/// The devices that can be called into a meeting (S-9).
#[utoipa::path(get, path = "/meetings/{meeting}/devices", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The configured devices.", body = Rooms),
    (status = 409, description = "`not-inside`: the member's page is not open."),
))]
pub(super) async fn rooms(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(meeting): InPath<String>) -> Answer {
    let (name, _) = caller.named(&app, &meeting)?;
    may_invite(&app, &caller, &name).await?;
    Ok(Json(Rooms { devices: (app.settings.rooms)().await }).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Invited {
    /// The device's label.
    device: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Called {
    /// The call's name in the log.
    call: String,
}

/// Calls a device into a meeting (S-9): whoever answers presses 1, then knocks.
#[utoipa::path(post, path = "/meetings/{meeting}/invite", tag = "meetings", params(
    ("meeting" = String, Path, description = "Its id."),
), request_body = Invited, responses(
    (status = 202, description = "It is being called.", body = Called),
    (status = 403, description = "`not-allowed`: the meeting does not let this caller."),
    (status = 409, description = "`not-reachable`, or `not-inside`: the member's page is not open."),
    (status = 429, description = "`too-often`: this device was called less than 20 s ago, or this caller has called too many."),
))]
pub(super) async fn invite(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InPath(meeting): InPath<String>,
    InBody(Invited { device }): InBody<Invited>,
) -> Answer {
    let (name, _) = caller.named(&app, &meeting)?;
    may_invite(&app, &caller, &name).await?;
    let by = caller.inviter(&name);
    let call = (app.settings.invite)(name, device, by)?;
    Ok((StatusCode::ACCEPTED, Json(Called { call: call.to_string() })).into_response())
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
