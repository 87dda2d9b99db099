//! Calls: who is up, how it sounds, and hanging up.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use super::caller::ApiCaller;
use super::extract::InPath;
use super::meetings;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::http::AppState;
use crate::http::admin::{CallDetails, CallView};
use crate::http::problem_details::ProblemDetails;
use crate::meeting::MeetingRequest;

#[derive(Serialize, ToSchema)]
pub(super) struct Calls {
    calls: Vec<CallView>,
}

/// Whether the caller may know of this call: a member of those that have come to the own meeting, a device of its own.
fn is_theirs(caller: &ApiCaller, call: &CallView) -> bool {
    let meeting = call.meeting.as_deref().and_then(|name| MeetingName::new(name).ok());
    match caller {
        ApiCaller::Operator => true,
        ApiCaller::Member(_) => meeting.is_some_and(|meeting| caller.belongs_to(&meeting)),
        ApiCaller::Device { .. } => caller.is_device(call.device.as_deref()),
    }
}

/// What the caller may see of it: where a device is, and which it is, is the operator's. How it speaks is a member's once it was let in (M-8).
fn shown(caller: &ApiCaller, call: CallView) -> CallView {
    match caller {
        ApiCaller::Operator | ApiCaller::Device { .. } => call,
        ApiCaller::Member(_) => {
            let (transport, codec) = if call.admitted { (call.transport, call.codec) } else { (None, None) };
            CallView { device: None, source: None, transport, codec, ..call }
        }
    }
}

/// The calls that are up.
#[utoipa::path(get, path = "/calls", tag = "calls", responses(
    (status = 200, description = "The oldest first; for a member those in the own meeting and before its door, for a device its own.", body = Calls),
))]
pub(super) async fn calls(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    let theirs = app.settings.admin.calls.calls().into_iter().filter(|call| is_theirs(&caller, call));
    Ok(Json(Calls { calls: theirs.map(|call| shown(&caller, call)).collect() }).into_response())
}

async fn find(app: &AppState, caller: &ApiCaller, call: &str) -> Result<(CallId, CallDetails), ProblemDetails> {
    let nothing = || ProblemDetails::not_found("call");
    let id: CallId = call.parse().map_err(|_| nothing())?;
    let found = app.settings.admin.calls.call(id).await.filter(|found| is_theirs(caller, &found.call));
    found.map(|found| (id, found)).ok_or_else(nothing)
}

/// One call with its media's figures, while it is up and for some time after.
#[utoipa::path(get, path = "/calls/{call}", tag = "calls", params(
    ("call" = String, Path, description = "Its name."),
), responses(
    (status = 200, description = "How it goes, or how it went.", body = CallDetails),
))]
pub(super) async fn call(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(call): InPath<String>) -> Answer {
    let (_, found) = find(&app, &caller, &call).await?;
    let ladder = found.ladder.filter(|_| matches!(caller, ApiCaller::Operator));
    let media = found.media.filter(|_| found.call.admitted || !matches!(caller, ApiCaller::Member(_)));
    Ok(Json(CallDetails { call: shown(&caller, found.call), media, ladder, ..found }).into_response())
}

/// Hangs up. A member may do so where it may remove the device from the own meeting, or may have devices called into it while nobody there
/// has pressed 1 yet; a device its own calls.
#[utoipa::path(delete, path = "/calls/{call}", tag = "calls", params(
    ("call" = String, Path, description = "Its name."),
), responses(
    (status = 202, description = "The device is told so and hung up."),
    (status = 403, description = "`not-allowed`: the meeting does not let this caller."),
    (status = 409, description = "`not-running`, `not-inside` or `ended`."),
))]
pub(super) async fn hang_up(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(call): InPath<String>) -> Answer {
    let (id, found) = find(&app, &caller, &call).await?;
    let gone = || ProblemDetails::not_found("call that is up");
    let end = |cause| if app.settings.admin.calls.hang_up(id, cause) { Ok(()) } else { Err(gone()) };
    match &caller {
        ApiCaller::Operator => end(Cause::EndedByOperator)?,
        ApiCaller::Device { .. } => end(Cause::Left)?,
        ApiCaller::Member(_) => {
            let CallView { meeting, participant, .. } = found.call;
            let participant: Option<ParticipantId> = participant.and_then(|who| who.parse().ok());
            let meeting = meeting.filter(|_| found.end_reason.is_none()).ok_or_else(gone)?;
            match participant {
                Some(participant) => drop(meetings::ask(&app, &caller, &meeting, MeetingRequest::Remove(participant)).await?),
                // It is being called, and has not come to the door.
                None => {
                    let name = MeetingName::new(meeting).map_err(|_| gone())?;
                    meetings::may_invite(&app, &caller, &name).await?;
                    end(Cause::Cancelled)?;
                }
            }
        }
    }
    Ok(StatusCode::ACCEPTED.into_response())
}
