//! `/healthz`, `/readyz` and `/metrics` (U-5), for load balancers, supervisors and those who watch over many machines.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};

use super::Site;
use super::api::is_operator;
use super::peer::HttpPeer;

/// OpenMetrics, which Prometheus asks for first.
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/healthz", get(async || "alive\n")).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

async fn ready(State(site): State<Arc<Site>>) -> (StatusCode, &'static str) {
    if *site.settings.ready.borrow() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "draining\n") }
}

/// For who is on this machine, or has the operator's token: how many meetings there are, and how well they are, is nobody else's business.
async fn metrics(State(site): State<Arc<Site>>, Extension(peer): Extension<HttpPeer>, headers: HeaderMap) -> Response {
    let allowed = if peer.is_here(&headers) { Ok(()) } else { is_operator(&site, &peer, &headers) };
    match allowed {
        Ok(()) => ([(header::CONTENT_TYPE, TEXT)], (site.settings.metrics)().await).into_response(),
        Err(problem) => problem.into_response(),
    }
}
