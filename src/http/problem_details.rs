//! [`ProblemDetails`]: refusals of the API (RFC 9457).

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::session::LinkError;
use crate::meeting::{BETWEEN_RINGS, MeetingRefusal};

/// An error of the API: `application/problem+json` with a stable `code` for programs and a `detail` for people.
#[derive(Debug, Clone)]
pub(super) struct ProblemDetails {
    status: StatusCode,
    code: &'static str,
    detail: String,
    retry_after: Option<Duration>,
}

/// Why a request was refused (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Problem<'a> {
    /// `about:blank`: `title` says no more than `status`.
    r#type: &'static str,
    /// Of the status.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// For programs; stays as it is.
    code: &'static str,
    /// For people.
    detail: &'a str,
}

impl ProblemDetails {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: None }
    }

    /// There is no such thing, or none that the caller may see.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("There is no such {what}."))
    }

    /// A page of another site asks.
    pub(super) fn foreign() -> Self {
        Self::new(StatusCode::FORBIDDEN, "foreign-origin", "This request comes from another site.")
    }

    /// It is for the operator and the meeting's organiser.
    pub(super) fn for_organisers() -> Self {
        let text = "Only the operator and the meeting's organiser may do this.";
        Self::new(StatusCode::FORBIDDEN, "not-allowed", text)
    }

    /// The caller has to wait.
    pub(super) fn too_many(detail: &str, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail) }
    }
}

impl From<MeetingRefusal> for ProblemDetails {
    fn from(refusal: MeetingRefusal) -> Self {
        let status = match refusal {
            MeetingRefusal::TooOften => {
                return Self { code: refusal.code(), ..Self::too_many(&refusal.to_string(), BETWEEN_RINGS) };
            }
            MeetingRefusal::NotAllowed | MeetingRefusal::AnonymousOff | MeetingRefusal::PasscodeWanted => StatusCode::FORBIDDEN,
            MeetingRefusal::NoSuchParticipant | MeetingRefusal::NoSuchDevice => StatusCode::NOT_FOUND,
            MeetingRefusal::NotConfigured
            | MeetingRefusal::NotCaptured
            | MeetingRefusal::NoMember
            | MeetingRefusal::NotReachable
            | MeetingRefusal::NotInside
            | MeetingRefusal::MuteLocked
            | MeetingRefusal::MeetingFull
            | MeetingRefusal::ChatFull
            | MeetingRefusal::Ended => StatusCode::CONFLICT,
            MeetingRefusal::TooFast | MeetingRefusal::TooManyKnocks | MeetingRefusal::DeniedJustNow => {
                StatusCode::TOO_MANY_REQUESTS
            }
            MeetingRefusal::RecorderFailed | MeetingRefusal::Busy | MeetingRefusal::Restarting => StatusCode::SERVICE_UNAVAILABLE,
            MeetingRefusal::BadText => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, refusal.code(), refusal.to_string())
    }
}

impl From<LinkError> for ProblemDetails {
    fn from(error: LinkError) -> Self {
        let (status, code) = match error {
            LinkError::Forged | LinkError::Expired | LinkError::Used => (StatusCode::NOT_FOUND, "not-found"),
            LinkError::Busy => (StatusCode::CONFLICT, "full"),
            LinkError::Fault => (StatusCode::SERVICE_UNAVAILABLE, "store"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl IntoResponse for ProblemDetails {
    fn into_response(self) -> Response {
        // RFC 9457 section 4.2.1: with `about:blank` the title is that of the status.
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body = Problem { r#type: "about:blank", title, status: self.status.as_u16(), code: self.code, detail: &self.detail };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs().max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
