//! What a handler gives, and refusals that many of them have in common.

use axum::http::StatusCode;
use axum::response::Response;

use crate::http::administration::QueryError;
use crate::http::problem_details::ProblemDetails;

/// The answer of a handler, or why there is none.
pub(super) type Answer = Result<Response, ProblemDetails>;

/// The query is not understood.
pub(super) fn bad_query(text: impl Into<String>) -> ProblemDetails {
    ProblemDetails::new(StatusCode::BAD_REQUEST, "bad-query", text)
}

/// The store did not answer: the log says why, and the client is not told.
pub(super) fn store_fault(what: &str, error: &QueryError) -> ProblemDetails {
    tracing::error!(%error, what, "the store did not answer the API");
    ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "store", "This cannot be read at the moment.")
}
