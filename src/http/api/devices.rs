//! Devices: calling them into meetings (S-9), where they are registered (S-3), and having them fetch their configuration.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::{InBody, InPath, InQuery};
use super::paging::{Window, lines};
use crate::common::ids::MeetingName;
use crate::http::administration::{CallableDevice, Contact};
use crate::http::problem_details::ProblemDetails;
use crate::http::state::AppState;
use crate::meeting::MeetingRefusal;
use crate::meeting::messages::Standing;

/// Whether the caller may have devices called into a meeting, and stop such a call (S-9).
pub(super) async fn may_invite(app: &AppState, caller: &ApiCaller, name: &MeetingName) -> Result<(), ProblemDetails> {
    let Some(who) = caller.presence(app, name)? else { return Ok(()) };
    let Some(handle) = app.running_meeting(name).await else { return Err(MeetingRefusal::NotInside.into()) };
    let view = handle.snapshot(Some(who)).await.filter(|view| view.standing == Standing::In);
    if view.ok_or(MeetingRefusal::NotInside)?.may_call_rooms { Ok(()) } else { Err(MeetingRefusal::NotAllowed.into()) }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Rooms {
    devices: Vec<CallableDevice>,
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
    Ok(Json(Rooms { devices: app.administration().callable_devices().await }).into_response())
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
    let call = app.administration().invite(name, device, by)?;
    Ok((StatusCode::ACCEPTED, Json(Called { call: call.to_string() })).into_response())
}

#[derive(Serialize, ToSchema)]
pub(super) struct Devices {
    devices: Vec<Contact>,
}

/// Where registered devices are to be found (S-3). A device gets its own contacts.
#[utoipa::path(get, path = "/devices", tag = "operator", params(Window), responses(
    (status = 200, description = "One line a contact.", body = Devices),
))]
pub(super) async fn devices(State(app): State<Arc<AppState>>, caller: ApiCaller, InQuery(window): InQuery<Window>) -> Answer {
    if !matches!(caller, ApiCaller::Device { .. }) {
        caller.operator_only()?;
    }
    let limit = lines(window.limit)?;
    let mut devices = app.administration().contacts().await;
    devices.retain(|contact| matches!(caller, ApiCaller::Operator) || caller.is_device(Some(&contact.device)));
    devices.truncate(limit);
    Ok(Json(Devices { devices }).into_response())
}

/// Has a device fetch its configuration anew.
#[utoipa::path(post, path = "/devices/{device}/check-sync", tag = "operator", params(
    ("device" = String, Path, description = "Its label."),
), responses(
    (status = 202, description = "It is told to."),
    (status = 409, description = "`not-reachable`."),
))]
pub(super) async fn check_sync(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(device): InPath<String>) -> Answer {
    caller.operator_only()?;
    app.administration().check_sync(&device).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
