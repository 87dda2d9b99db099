//! Extractors of path, query and body, which refuse with problem details what cannot be parsed.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::answer::bad_query;
use crate::http::problem_details::ProblemDetails;

/// Of the path. What cannot be one of ours does not exist.
pub(super) struct InPath<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemDetails> {
        let found = Path::from_request_parts(parts, state).await;
        found.map(|Path(found)| Self(found)).map_err(|_| ProblemDetails::not_found("resource"))
    }
}

/// Of the query.
pub(super) struct InQuery<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for InQuery<T> {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemDetails> {
        let found = Query::from_request_parts(parts, state).await;
        found.map(|Query(found)| Self(found)).map_err(|rejection| bad_query(rejection.body_text()))
    }
}

/// Of the body: JSON.
pub(super) struct InBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for InBody<T> {
    type Rejection = ProblemDetails;

    async fn from_request(request: Request, state: &S) -> Result<Self, ProblemDetails> {
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|rejection| ProblemDetails::new(rejection.status(), "bad-body", rejection.body_text()))?;
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            ProblemDetails::new(StatusCode::BAD_REQUEST, "bad-body", format!("This body is not understood: {error}."))
        })
    }
}
