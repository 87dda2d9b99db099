//! Requests to a running meeting, in the name of the caller's own participant or of the operator.

use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::answer::Answer;
use super::caller::ApiCaller;
use crate::common::ids::MeetingName;
use crate::http::browser_sessions;
use crate::http::problem_details::ProblemDetails;
use crate::http::state::AppState;
use crate::meeting::{Granted, MeetingRefusal, MeetingRequest, Snapshot};

/// Has the meeting decide on a request.
pub(super) async fn ask(app: &AppState, caller: &ApiCaller, meeting: &str, request: MeetingRequest) -> Answer {
    let (name, _) = caller.named(app, meeting)?;
    let who = caller.presence(app, &name)?;
    match app.running_meeting(&name).await {
        Some(handle) => {
            let removed = if let MeetingRequest::Remove(other) = &request { Some(*other) } else { None };
            let granted = handle.ask(who, request).await?;
            if let Some(removed) = removed {
                browser_sessions::removed(app, removed).await;
            }
            Ok(match granted {
                Granted::Done => StatusCode::NO_CONTENT,
                // The microphone's owner has been asked to open it (K-4).
                Granted::Asked => StatusCode::ACCEPTED,
            }
            .into_response())
        }
        // The refusal that no running meeting would change comes first (N-11).
        None if matches!(request, MeetingRequest::Transcription(_)) && !app.settings.transcription => {
            Err(MeetingRefusal::NotConfigured.into())
        }
        None => Err(ProblemDetails::new(StatusCode::CONFLICT, "not-running", "Nobody is in this meeting.")),
    }
}

/// What the caller sees of a meeting; `None`: it does not run.
pub(super) async fn snapshot(app: &AppState, caller: &ApiCaller, name: &MeetingName) -> Result<Option<Snapshot>, ProblemDetails> {
    let Some(handle) = app.running_meeting(name).await else { return Ok(None) };
    Ok(handle.snapshot(caller.presence(app, name)?).await)
}
