//! The middleware before every route that needs a caller: its budget of requests, and the audit.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::InQuery;
use super::paging::{Window, lines};
use crate::common::machine;
use crate::common::units::unix_millis;
use crate::http::audit_log::AuditLine;
use crate::http::client_source::ClientSource;
use crate::http::peer::HttpPeer;
use crate::http::problem_details::ProblemDetails;
use crate::http::request_budgets::BudgetOwner;
use crate::http::state::AppState;

/// Whether a request is audited: it may change something, or fetches the recording of a meeting.
fn is_audited(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    !reads || route.is_some_and(|route| route.ends_with("/recordings/{recording}"))
}

/// Takes a request from the budget of its caller, and audits it.
pub(super) async fn guard(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    Extension(caller): Extension<ApiCaller>,
    request: Request,
    next: Next,
) -> Response {
    let address = peer.client(request.headers(), &app.web().trusted_proxies);
    let (owner, name) = match &caller {
        ApiCaller::Operator if peer.is_operator() => (BudgetOwner::Command, "operator".to_owned()),
        ApiCaller::Operator => (BudgetOwner::Operator(ClientSource::from(address)), "operator".to_owned()),
        ApiCaller::Member(sessions) => {
            let names = sessions.iter().map(|session| format!("{} of {}", session.role.as_str(), session.meeting));
            let name = names.collect::<Vec<_>>().join(", ");
            (BudgetOwner::Member(sessions.first().map(|session| session.id).unwrap_or_default()), name)
        }
        ApiCaller::Device { label, .. } => (BudgetOwner::Device(label.clone()), format!("device {label}")),
    };
    if let Err(problem) = app.request_budgets.take(machine::now(), owner) {
        return problem.into_response();
    }
    if !is_audited(&request) {
        return next.run(request).await;
    }
    let (method, path) = (request.method().to_string(), request.uri().path().chars().take(256).collect());
    // A client that is gone before the answer has asked all the same: its request is finished in a task of its own, and audited.
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        let (at, status) = (unix_millis(SystemTime::now()), response.status().as_u16());
        app.audit_log.note(AuditLine { at, who: name, address: address.to_string(), method, path, status });
        response
    });
    done.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request of the API was not answered");
        ProblemDetails::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", "Something went wrong on our side.").into_response()
    })
}

#[derive(Serialize, ToSchema)]
pub(super) struct AuditLines {
    audit: Vec<AuditLine>,
}

/// Who has changed what by the API, or fetched a recording: the newest first, of the last 1000 since the start. The log has them all
/// (target `roomgate::audit`).
#[utoipa::path(get, path = "/audit", tag = "operator", params(Window), responses(
    (status = 200, description = "Never a body.", body = AuditLines),
))]
pub(super) async fn audit(State(app): State<Arc<AppState>>, caller: ApiCaller, InQuery(window): InQuery<Window>) -> Answer {
    caller.operator_only()?;
    let limit = lines(window.limit)?;
    Ok(Json(AuditLines { audit: app.audit_log.newest(limit) }).into_response())
}
