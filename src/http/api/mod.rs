//! `/api/v1` (U-4): the same asks that pages have, for programs with the operator's token and for members by their session.
//!
//! The operator speaks for the organisation. A member's session speaks for that member's open page: what it may do is what
//! the page may do, decided by the meeting (M-7), and it sees no other meeting. Each route is written down where it is served, and
//! [`openapi`] makes the document of that: what is not in the document is not served.

mod caller;
mod calls;
mod created_meetings;
pub(super) mod events;
mod extract;
pub(super) mod guard;
mod links;
mod meetings;
mod notices;
mod openapi;
mod operator;
mod recordings;
mod records;

use std::sync::Arc;

use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::{Extension, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::AppState;
use super::peer::HttpPeer;
use super::problem_details::ProblemDetails;
use caller::authorise;

/// Where the API is.
pub(super) const ROOT: &str = "/api/v1";

/// Whether a request to read comes from the operator; otherwise why it gets nothing.
pub(super) fn is_operator(app: &AppState, peer: &HttpPeer, headers: &HeaderMap) -> Result<(), ProblemDetails> {
    caller::caller(app, peer, &Method::GET, headers)?.operator_only()
}

type Answer = Result<Response, ProblemDetails>;

pub(super) fn routes(app: &Arc<AppState>) -> Router<Arc<AppState>> {
    let (open, document) = OpenApiRouter::new().routes(routes!(openapi::document::document)).split_for_parts();
    let (known, frame) = OpenApiRouter::with_openapi(openapi::frame(&app.settings.schemas))
        .routes(routes!(meetings::meetings, created_meetings::make))
        .routes(routes!(meetings::meeting, created_meetings::unmake))
        .routes(routes!(meetings::participants))
        .routes(routes!(meetings::act))
        .routes(routes!(meetings::confirm_reader))
        .routes(routes!(meetings::remove_reader))
        .routes(routes!(meetings::recording))
        .routes(routes!(meetings::transcription))
        .routes(routes!(meetings::chat, meetings::say))
        .routes(routes!(meetings::rooms))
        .routes(routes!(meetings::invite))
        .routes(routes!(meetings::end))
        .routes(routes!(links::links, links::make_link))
        .routes(routes!(links::revoke_link))
        .routes(routes!(links::sessions))
        .routes(routes!(links::end_session))
        .routes(routes!(calls::calls))
        .routes(routes!(calls::call, calls::hang_up))
        .routes(routes!(events::events))
        .routes(routes!(records::records))
        .routes(routes!(records::host_export))
        .routes(routes!(recordings::recordings))
        .routes(routes!(recordings::recording, recordings::forget))
        .routes(routes!(notices::notices))
        .routes(routes!(notices::verification))
        .routes(routes!(guard::audit))
        .routes(routes!(operator::status))
        .routes(routes!(operator::lift))
        .routes(routes!(operator::subscriptions))
        .routes(routes!(operator::chats))
        .routes(routes!(operator::outbox))
        .routes(routes!(operator::devices))
        .routes(routes!(operator::check_sync))
        .routes(routes!(operator::reload))
        .split_for_parts();
    let text = openapi::text(frame.merge_from(document));
    let known = known
        .fallback(async || ProblemDetails::not_found("resource"))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::clone(app), guard::guard))
        .layer(from_fn_with_state(Arc::clone(app), authorise));
    known.merge(open.method_not_allowed_fallback(wrong_method).layer(Extension(text)))
}

async fn wrong_method() -> ProblemDetails {
    ProblemDetails::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This method is not known here.")
}
