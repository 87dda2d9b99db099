//! What stands before every route that needs somebody: how much one may ask, and what is written down of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use super::caller::ApiCaller;
use super::extract::InQuery;
use super::operator::{Window, lines};
use crate::common::rate_limit::{RateLimit, RateLimiter};
use crate::common::units::unix_millis;
use crate::http::AppState;
use crate::http::peer::{ClientSource, HttpPeer};
use crate::http::problem_details::ProblemDetails;
use crate::http::session::SessionId;

/// Callers that are told apart; beyond, they share one allowance.
const CALLERS: usize = 4096;
/// Lines of the audit that are remembered; the log has them all.
const KEPT: usize = 1000;
/// Requests at once, after a rest: those of so many seconds.
const BURST_SECONDS: u32 = 10;
/// Who has a budget of requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    /// The token, at one address.
    Operator(ClientSource),
    /// Commands on this machine.
    Command,
    /// A member's session, wherever it is.
    Member(SessionId),
    /// A device's token, wherever it is.
    Device(String),
}

/// Counts requests.
#[derive(Debug)]
pub(in crate::http) struct Limiter(Mutex<RateLimiter<Who>>);

impl Limiter {
    /// `per_second`: of each caller, at least 1.
    pub(in crate::http) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = per_second.max(1);
        let allowance =
            RateLimit { burst: per_second.saturating_mul(BURST_SECONDS), every: std::time::Duration::from_secs(1) / per_second };
        Self(Mutex::new(RateLimiter::new(allowance, CALLERS, now)))
    }

    fn take(&self, now: Instant, who: Who) -> Result<(), ProblemDetails> {
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if budgets.take(now, who.clone()) {
            return Ok(());
        }
        Err(ProblemDetails::too_many("Too many requests.", budgets.wait(now, &who)))
    }
}

/// A line of the audit: a request that may have changed something, or has fetched a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct AuditLine {
    /// When it was answered.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    at: u64,
    /// `operator`, `organiser of MEETING`, `member of MEETING` or `device DEVICE`.
    who: String,
    /// From where.
    address: String,
    /// The HTTP method.
    method: String,
    /// The path, without its query.
    path: String,
    /// The HTTP status of the answer.
    status: u16,
}

/// The last lines.
#[derive(Debug, Default)]
pub(in crate::http) struct Audit(Mutex<VecDeque<AuditLine>>);

impl Audit {
    fn note(&self, line: AuditLine) {
        let AuditLine { who, address, method, path, status, .. } = &line;
        tracing::info!(target: "roomgate::audit", who, address, method, path, status, "API");
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }
}

/// Whether a request is written down: it may change something, or hands out what was said in a meeting.
fn is_audited(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    !reads || route.is_some_and(|route| route.ends_with("/recordings/{recording}"))
}

/// Counts a request of somebody who is known, and writes it down.
pub(super) async fn guard(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    Extension(caller): Extension<ApiCaller>,
    request: Request,
    next: Next,
) -> Response {
    let address = peer.client(request.headers(), &app.web().trusted_proxies);
    let (who, name) = match &caller {
        ApiCaller::Operator if peer.is_operator() => (Who::Command, "operator".to_owned()),
        ApiCaller::Operator => (Who::Operator(ClientSource::from(address)), "operator".to_owned()),
        ApiCaller::Member(sessions) => {
            let names = sessions.iter().map(|session| format!("{} of {}", session.role.word(), session.meeting));
            let name = names.collect::<Vec<_>>().join(", ");
            (Who::Member(sessions.first().map(|session| session.id).unwrap_or_default()), name)
        }
        ApiCaller::Device { label, .. } => (Who::Device(label.clone()), format!("device {label}")),
    };
    if let Err(problem) = app.limiter.take(crate::common::machine::now(), who) {
        return problem.into_response();
    }
    if !is_audited(&request) {
        return next.run(request).await;
    }
    let (method, path) = (request.method().to_string(), request.uri().path().chars().take(256).collect());
    // Whoever hangs up before the answer has asked all the same: it is done to its end, and written down.
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        let (at, status) = (unix_millis(SystemTime::now()), response.status().as_u16());
        app.audit.note(AuditLine { at, who: name, address: address.to_string(), method, path, status });
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
    let kept = app.audit.0.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Json(AuditLines { audit: kept.iter().rev().take(limit).cloned().collect() }).into_response())
}
