//! `/healthz`, `/readyz` and `/metrics` (U-5), for load balancers, supervisors and those who watch over many machines.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};

use super::api::is_operator;
use super::peer::HttpPeer;
use super::state::AppState;

/// OpenMetrics, which Prometheus asks for first.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/healthz", get(async || "alive\n")).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

async fn ready(State(app): State<Arc<AppState>>) -> (StatusCode, &'static str) {
    if *app.handles.ready.borrow() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "draining\n") }
}

/// For who is on this machine, or has the operator's token: how many meetings there are, and how well they are, is nobody else's business.
async fn metrics(State(app): State<Arc<AppState>>, Extension(peer): Extension<HttpPeer>, headers: HeaderMap) -> Response {
    let allowed = if peer.is_local(&headers) { Ok(()) } else { is_operator(&app, &peer, &headers) };
    match allowed {
        Ok(()) => ([(header::CONTENT_TYPE, TEXT)], app.administration().metrics().await).into_response(),
        Err(problem) => problem.into_response(),
    }
}
