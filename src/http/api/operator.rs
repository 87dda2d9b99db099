//! What only the operator may see: it names devices and addresses of all meetings.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::caller::ApiCaller;
use super::extract::{InPath, InQuery, bad_query};
use crate::http::problem_details::ProblemDetails;
use crate::http::{AppState, Contact, Query};
use crate::relay;
use crate::store::ChatCopyLine;

/// Lines of a list, unless asked otherwise.
const LINES: usize = 100;
/// The most that may be asked for.
const MOST_LINES: usize = 1000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Window {
    /// How many at most; 100 unless said.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<usize>,
}

/// The number of lines that are asked for.
pub(super) fn lines(limit: Option<usize>) -> Result<usize, ProblemDetails> {
    let limit = limit.unwrap_or(LINES);
    if (1..=MOST_LINES).contains(&limit) {
        Ok(limit)
    } else {
        Err(bad_query(format!("`limit` is a number from 1 to {MOST_LINES}.")))
    }
}

/// The log says why; the client is not told.
pub(super) fn store_fault(what: &str, error: &crate::http::QueryError) -> ProblemDetails {
    tracing::error!(%error, what, "the store did not answer the API");
    ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "store", "This cannot be read at the moment.")
}

async fn list(query: &Query, what: &'static str, window: &Window) -> Answer {
    match query(lines(window.limit)?).await {
        Ok(lines) => Ok(Json(json!({ what: lines })).into_response()),
        Err(error) => Err(store_fault(what, &error)),
    }
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "what the document says of an answer")]
pub(super) struct Chats {
    chats: Vec<ChatCopyLine>,
}

/// Stored copies of the chat with the day of their deletion, without what was said (C-8).
#[utoipa::path(get, path = "/chats", tag = "operator", params(Window), responses(
    (status = 200, description = "At most one a device.", body = Chats),
))]
pub(super) async fn chats(State(app): State<Arc<AppState>>, caller: ApiCaller, InQuery(window): InQuery<Window>) -> Answer {
    caller.operator_only()?;
    list(&app.settings.chats, "chats", &window).await
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "what the document says of an answer")]
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
    list(&app.settings.subscriptions, "subscriptions", &window).await
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "what the document says of an answer")]
pub(super) struct Devices {
    devices: Vec<Contact>,
}

/// Where registered devices are to be found (S-3). A device gets its own contacts.
#[utoipa::path(get, path = "/devices", tag = "operator", params(Window), responses(
    (status = 200, description = "One line a contact.", body = Devices),
))]
pub(super) async fn devices(State(app): State<Arc<AppState>>, caller: ApiCaller, InQuery(window): InQuery<Window>) -> Answer {
    let query: Query = match &caller {
        ApiCaller::Device { .. } => own_contacts(&app.settings.devices, &caller),
        ApiCaller::Operator | ApiCaller::Member(_) => {
            caller.operator_only()?;
            Arc::clone(&app.settings.devices)
        }
    };
    list(&query, "devices", &window).await
}

fn own_contacts(all: &Query, caller: &ApiCaller) -> Query {
    let (all, caller) = (Arc::clone(all), caller.clone());
    Arc::new(move |limit| {
        let (all, caller) = (all(MOST_LINES), caller.clone());
        Box::pin(async move {
            let own = all.await?.into_iter().filter(|line| caller.is_device(line["device"].as_str()));
            Ok(own.take(limit).collect())
        })
    })
}

/// How the daemon is: all calls, meetings and sources (U-1).
#[utoipa::path(get, path = "/status", tag = "operator", responses(
    (status = 200, description = "As `roomgate status` shows it.", body = ref("#/components/schemas/Status")),
))]
pub(super) async fn status(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    caller.operator_only()?;
    Ok(Json((app.settings.status)().await).into_response())
}

/// What is on its way by SMS, and what has become of it (C-7).
#[utoipa::path(get, path = "/relay/outbox", tag = "operator", responses(
    (status = 200, description = "Now.", body = relay::driver::OutboxSurvey),
))]
pub(super) async fn outbox(State(app): State<Arc<AppState>>, caller: ApiCaller) -> Answer {
    caller.operator_only()?;
    Ok(Json((app.settings.outbox)().await).into_response())
}

/// Lifts a block that `status` lists.
#[utoipa::path(delete, path = "/blocks/{name}", tag = "operator", params(
    ("name" = String, Path, description = "As `status` shows it."),
), responses(
    (status = 204, description = "It is lifted."),
))]
pub(super) async fn lift(State(app): State<Arc<AppState>>, caller: ApiCaller, InPath(name): InPath<String>) -> Answer {
    caller.operator_only()?;
    match (app.settings.lift)(name.clone()).await {
        true => {
            tracing::info!(name, "block lifted by the operator");
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        false => Err(ProblemDetails::not_found("block")),
    }
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
    (app.settings.check_sync)(device).await?;
    Ok(StatusCode::ACCEPTED.into_response())
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
    match (app.settings.admin.reload)().await {
        Ok(changed) => Ok(Json(Reloaded { changed }).into_response()),
        Err(problems) => Err(ProblemDetails::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-configuration", problems.join("\n"))),
    }
}
