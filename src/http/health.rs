//! `/healthz` and `/readyz` (U-5), for load balancers and supervisors. They tell nothing else.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use super::Site;

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/healthz", get(async || "alive\n")).route("/readyz", get(ready))
}

async fn ready(State(site): State<Arc<Site>>) -> (StatusCode, &'static str) {
    if *site.settings.ready.borrow() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "draining\n") }
}
