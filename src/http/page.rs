//! What browsers load: the front page, meeting pages and their files (U-6).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::json;

use super::meeting_path::{NameInPath, known_meeting};
use super::page_socket::connect;
use super::peer::HttpPeer;
use super::plain_page::{no_such_meeting, not_found, plain, wrong_method};
use super::problem_details::ProblemDetails;
use super::session::PageSession;
use super::state::AppState;
use super::visitor::{may_knock, visitor};
use super::{assets, browser_sessions};
use crate::meeting::messages::Role;
use crate::service::embedded::signalling::Visitor;

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/", get(front))
        .route("/assets/{file}", get(asset))
        .route("/m/{meeting}", get(meeting))
        .route("/m/{meeting}/info", get(info))
        .route("/m/{meeting}/ws", get(connect))
        .method_not_allowed_fallback(wrong_method)
}

async fn front() -> Response {
    let text = format!("<p>Version {}. To join a meeting, open the address you were sent.</p>", env!("CARGO_PKG_VERSION"));
    plain(StatusCode::OK, "Roomgate", &text)
}

async fn asset(NameInPath(file): NameInPath, headers: HeaderMap) -> Response {
    match assets::asset(&file, &headers) {
        Some(response) => response,
        None => not_found().await,
    }
}

async fn meeting(State(app): State<Arc<AppState>>, NameInPath(name): NameInPath, headers: HeaderMap) -> Response {
    match known_meeting(&app, &name) {
        Some(_) => assets::meeting_page(&headers),
        None => no_such_meeting(),
    }
}

/// Carries the token of the seat that the page had before it was loaded anew.
const RELOADED: &str = "x-roomgate-resume";

/// What the page has to know before it joins.
async fn info(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    NameInPath(name): NameInPath,
    headers: HeaderMap,
) -> Response {
    let Some((name, title)) = known_meeting(&app, &name) else {
        return ProblemDetails::not_found("meeting").into_response();
    };
    let session = browser_sessions::session_in(&app, &peer, &headers, &name);
    let member = session.as_ref().is_some_and(PageSession::is_member);
    if let Some(token) = headers.get(RELOADED).and_then(|value| value.to_str().ok()) {
        reloaded(&app, &visitor(&app, name.clone(), session.as_ref()), token).await;
    }
    let (settings, web) = (&app.settings, app.web());
    Json(json!({
        "meeting": name.as_str(),
        "title": title,
        "role": match member {
            true => json!(Role::Member),
            false if app.handles.registry.admits_anonymous(&name) => json!(Role::External),
            // M-11: the page tells a visitor before a name is typed.
            false => json!("none"),
        },
        "organiser": session.as_ref().is_some_and(PageSession::organises),
        "organisation": web.organisation,
        // Asked before anybody may knock (K-1).
        "passcode": !may_knock(&app, session.as_ref(), &name),
        "media": { "candidates": settings.media_candidates },
        "transcription": settings.transcription,
        "sms": settings.sms,
        // Links name nobody; the page offers the name it was given last time.
        "suggested_name": "",
    }))
    .into_response()
}

/// The page had a seat before it was loaded anew: the meeting is told that it was not closed (M-5).
async fn reloaded(app: &AppState, visitor: &Visitor, token: &str) {
    let Some(who) = app.handles.resume_key.unseal(token, visitor) else { return };
    if let Some(meeting) = app.running_meeting(&visitor.meeting).await {
        meeting.page_reloaded(who).await;
    }
}
