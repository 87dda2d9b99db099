//! The routes of the API, each with the part of the document that describes it.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::authorise;
use super::{
    calls, created_meetings, devices, events, guard, links, meetings, notices, openapi, operator, participants, recordings,
    records, sessions,
};
use crate::http::problem_details::ProblemDetails;
use crate::http::state::AppState;

pub(in crate::http) fn routes(app: &Arc<AppState>) -> Router<Arc<AppState>> {
    let (open, document) = OpenApiRouter::new().routes(routes!(openapi::document::document)).split_for_parts();
    let (known, frame) = OpenApiRouter::with_openapi(openapi::frame(&app.settings.schemas))
        .routes(routes!(meetings::meetings, created_meetings::make))
        .routes(routes!(meetings::meeting, created_meetings::unmake))
        .routes(routes!(participants::participants))
        .routes(routes!(participants::act))
        .routes(routes!(participants::confirm_reader))
        .routes(routes!(participants::remove_reader))
        .routes(routes!(meetings::recording))
        .routes(routes!(meetings::transcription))
        .routes(routes!(meetings::chat, meetings::say))
        .routes(routes!(devices::rooms))
        .routes(routes!(devices::invite))
        .routes(routes!(meetings::end))
        .routes(routes!(links::links, links::make_link))
        .routes(routes!(links::revoke_link))
        .routes(routes!(sessions::sessions))
        .routes(routes!(sessions::end_session))
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
        .routes(routes!(devices::devices))
        .routes(routes!(devices::check_sync))
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
