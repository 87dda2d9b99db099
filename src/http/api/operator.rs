//! What is for the operator alone: it names devices and addresses of all meetings.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Answer, store_fault};
use super::caller::ApiCaller;
use super::extract::{InPath, InQuery};
use super::paging::{Window, lines};
use crate::http::problem_details::ProblemDetails;
use crate::http::state::AppState;
use crate::relay;
use crate::store::ChatCopyLine;

#[derive(Serialize, ToSchema)]
pub(super) struct Chats {
    chats: Vec<ChatCopyLine>,
}

/// Stored copies of the chat with the day of their deletion, without what was said (C-8).
#[utoipa::path(get, path = "/chats", tag = "operator", params(Window), responses(
    (status = 200, description = "At most one a device.", body = Chats),
))]
pub(super) async fn chats(State(app): State<Arc<AppState>>, caller: ApiCaller, InQuery(window): InQuery<Window>) -> Answer {
    caller.operator_only()?;
    let limit = lines(window.limit)?;
    let mut chats = app.administration().chat_copies().await.map_err(|error| store_fault("chats", &error))?;
    chats.truncate(limit);
    Ok(Json(Chats { chats }).into_response())
}

#[derive(Serialize, ToSchema)]
pub(super) struct Subscriptions {
    subscriptions: Vec<relay::SubscriptionLine>,
}

/// Who has the chat sent by SMS (C-2); numbers are masked.
#[utoipa::path(get, path = "/relay/subscriptions", tag = "operator", params(Window), responses(
    (status = 200, description = "Now.", body = Subscriptions),
))]
pub(super) async fn subscriptions(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    InQuery(window): InQuery<Window>,
) -> Answer {
    caller.operator_only()?;
    let limit = lines(window.limit)?;
    let mut subscriptions = app.administration().subscriptions().await;
    subscriptions.truncate(limit);
    Ok(Json(Subscriptions { subscriptions }).into_response())
}

/// How the daemon is: all calls, meetings and sources (U-1).
#[utoipa::path(get, path = "/status", tag = "operator", responses(
    (status = 200, description = "As `roomgate status` shows it.", body = ref("#/components/schemas/Status")),
))]
pub(super) async fn status(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    caller.operator_only()?;
    Ok(Json(app.administration().status().await).into_response())
}

/// What is on its way by SMS, and what has become of it (C-7).
#[utoipa::path(get, path = "/relay/outbox", tag = "operator", responses(
    (status = 200, description = "Now.", body = relay::driver::OutboxSurvey),
))]
pub(super) async fn outbox(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    caller.operator_only()?;
    Ok(Json(app.administration().outbox().await).into_response())
}

/// Lifts a block that `status` lists.
#[utoipa::path(delete, path = "/blocks/{name}", tag = "operator", params(
    ("name" = String, Path, description = "As `status` shows it."),
), responses(
    (status = 204, description = "It is lifted."),
))]
pub(super) async fn lift(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(name): InPath<String>) -> Answer {
    caller.operator_only()?;
    match app.administration().lift_block(&name).await {
        true => {
            tracing::info!(name, "block lifted by the operator");
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        false => Err(ProblemDetails::not_found("block")),
    }
}

/// What a reload has changed.
#[derive(Serialize, ToSchema)]
pub(super) struct Reloaded {
    /// The keys, or named tables, whose meaning has changed.
    changed: Vec<String>,
}

/// Has the configuration read anew (O-2): it is taken as a whole, or, where anything is wrong with it, not at all.
#[utoipa::path(post, path = "/reload", tag = "operator", responses(
    (status = 200, description = "It is in force.", body = Reloaded),
    (status = 422, description = "`bad-configuration`: what is wrong with it, a line each; the one before stays in force."),
))]
pub(super) async fn reload(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    caller.operator_only()?;
    match app.administration().reload().await {
        Ok(changed) => Ok(Json(Reloaded { changed }).into_response()),
        Err(problems) => Err(ProblemDetails::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-configuration", problems.join("\n"))),
    }
}
