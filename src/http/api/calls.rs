//! Calls: who is up, how it sounds, and hanging up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::devices::may_invite;
use super::extract::InPath;
use super::meeting_request::ask;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::http::administration::{CallDetails, CallView};
use crate::http::problem_details::ProblemDetails;
use crate::http::state::AppState;
use crate::meeting::MeetingRequest;
use crate::meeting::messages::ParticipantView;

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

/// What the caller may see of them: where a device is, is the operator's. A member sees it as the meeting shows it, so that nobody who takes
/// a name is known by it here (M-1), and how it speaks once it was let in (M-8).
async fn shown(app: &AppState, caller: &ApiCaller, calls: Vec<CallView>) -> Vec<CallView> {
    if !matches!(caller, ApiCaller::Member(_)) {
        return calls;
    }
    let rows = rows(app, &calls).await;
    let row = |call: &CallView| rows.get(&(call.meeting.clone()?, call.participant.clone()?));
    let nameless = calls.iter().any(|call| call.participant.is_some() && row(call).is_none());
    // Without a participant the name is the caller's own claim, unless the call is one of a configured device.
    let rooms = if nameless { app.administration().callable_devices().await } else { Vec::new() };
    let ours =
        |call: &CallView| call.participant.is_none() || rooms.iter().any(|room| call.device.as_deref() == Some(room.id.as_str()));
    let seen = |call: CallView| {
        let (name, device, from) = match row(&call) {
            Some(row) => (row.name.clone(), row.device.as_ref().map(|device| device.label.clone()), row.from.clone()),
            None if ours(&call) => (call.name.clone(), None, None),
            None => (format!("{} (caller)", call.name), None, None),
        };
        let (transport, codec, encryption) =
            if call.admitted { (call.transport, call.codec, call.encryption) } else { (None, None, None) };
        CallView { name, device, from, source: None, transport, codec, encryption, ..call }
    };
    calls.into_iter().map(seen).collect()
}

/// The rows of these calls, by meeting and name.
async fn rows(app: &AppState, calls: &[CallView]) -> BTreeMap<(String, String), ParticipantView> {
    let mut rows = BTreeMap::new();
    for meeting in calls.iter().filter_map(|call| call.meeting.as_deref()).collect::<BTreeSet<_>>() {
        let Ok(name) = MeetingName::new(meeting) else { continue };
        let Some(live) = app.running_meeting(&name).await else { continue };
        let seen = live.snapshot(None).await.map(|snapshot| snapshot.participants).unwrap_or_default();
        rows.extend(seen.into_iter().map(|row| ((meeting.to_owned(), row.id.clone()), row)));
    }
    rows
}

/// The calls that are up.
#[utoipa::path(get, path = "/calls", tag = "calls", responses(
    (status = 200, description = "The oldest first; for a member those in the own meeting and before its door, for a device its own.", body = Calls),
))]
pub(super) async fn calls(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    let theirs = app.administration().calls().into_iter().filter(|call| is_theirs(&caller, call)).collect();
    Ok(Json(Calls { calls: shown(&app, &caller, theirs).await }).into_response())
}

async fn find(app: &AppState, caller: &ApiCaller, call: &str) -> Result<(CallId, CallDetails), ProblemDetails> {
    let nothing = || ProblemDetails::not_found("call");
    let id: CallId = call.parse().map_err(|_| nothing())?;
    let found = app.administration().call(id).await.filter(|found| is_theirs(caller, &found.call));
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
    let call = shown(&app, &caller, vec![found.call]).await.pop().ok_or_else(|| ProblemDetails::not_found("call"))?;
    Ok(Json(CallDetails { call, media, ladder, end_reason: found.end_reason }).into_response())
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
    let end = |cause| if app.administration().hang_up(id, cause) { Ok(()) } else { Err(gone()) };
    match &caller {
        ApiCaller::Operator => end(Cause::EndedByOperator)?,
        ApiCaller::Device { .. } => end(Cause::Left)?,
        ApiCaller::Member(_) => {
            let CallView { meeting, participant, .. } = found.call;
            let participant: Option<ParticipantId> = participant.and_then(|who| who.parse().ok());
            let meeting = meeting.filter(|_| found.end_reason.is_none()).ok_or_else(gone)?;
            match participant {
                Some(participant) => drop(ask(&app, &caller, &meeting, MeetingRequest::Remove(participant)).await?),
                // The device rings or has not knocked: there is no participant yet.
                None => {
                    let name = MeetingName::new(meeting).map_err(|_| gone())?;
                    may_invite(&app, &caller, &name).await?;
                    end(Cause::Cancelled)?;
                }
            }
        }
    }
    Ok(StatusCode::ACCEPTED.into_response())
}
