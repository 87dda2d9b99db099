//! `/webhooks/sms/…` (C-10): where providers of short messages call us. Nobody signs in here; what is not signed as its provider signs is
//! refused, and whoever goes on with it has to wait.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};

use super::peer::HttpPeer;
use super::problem_details::ProblemDetails;
use super::state::AppState;
use crate::common::machine;
use crate::relay::provider::WebhookCall;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new().route("/webhooks/sms/{provider}", post(called).options(called))
}

async fn called(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    Path(provider): Path<String>,
    parts: Parts,
    body: Bytes,
) -> Result<Response, ProblemDetails> {
    let Parts { method, uri, headers, .. } = parts;
    let source = app.source(&peer, &headers);
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let url = format!("{}{path}", origin(&app, &peer, &headers));
    let answer = app.administration().webhook(&provider, &WebhookCall { method, url, headers, body }).await;
    if answer.status == StatusCode::NOT_FOUND {
        return Err(ProblemDetails::not_found("provider of short messages with a webhook"));
    }
    if answer.status == StatusCode::FORBIDDEN {
        // Only wrong signatures are counted: right ones are served, whatever others send from the same address.
        app.entry_limits.wrong_token(source, machine::now())?;
        let detail = "This is not signed as the provider signs: compare its keys and http.public_url.";
        return Err(ProblemDetails::new(answer.status, "wrong-signature", detail));
    }
    let mut response = (answer.status, answer.body).into_response();
    if let Some(kind) = answer.content_type {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    if let Some(origin) = answer.allowed_origin.and_then(|origin| HeaderValue::from_str(&origin).ok()) {
        response.headers_mut().insert("webhook-allowed-origin", origin);
        response.headers_mut().insert("webhook-allowed-rate", HeaderValue::from_static("*"));
    }
    Ok(response)
}

/// The origin of the webhook: as configured, otherwise as the request has it.
fn origin(app: &AppState, peer: &HttpPeer, headers: &HeaderMap) -> String {
    if let Some(public) = &app.web().public_url {
        return public.trim_end_matches('/').to_owned();
    }
    let forwarded = headers.get("x-forwarded-host").filter(|_| peer.proxy);
    let host = forwarded.or_else(|| headers.get(header::HOST)).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("{}://{host}", if app.is_secure(peer, headers) { "https" } else { "http" })
}
