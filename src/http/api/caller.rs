//! [`ApiCaller`]: authentication of a request to the API, before anything else of it is read, and what its caller may see.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Extension;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::common::ids::{MeetingName, ParticipantId};
use crate::common::machine;
use crate::http::administration::CallView;
use crate::http::browser_sessions;
use crate::http::peer::HttpPeer;
use crate::http::problem_details::ProblemDetails;
use crate::http::secret::ApiToken;
use crate::http::session::PageSession;
use crate::http::state::AppState;
use crate::meeting::{By, MeetingRefusal};

/// The [`CallView::state`] of a device that is in a meeting.
const INSIDE: &str = "in";

/// Who calls.
#[derive(Debug, Clone)]
pub(super) enum ApiCaller {
    /// With the operator's token, or by the socket in the state directory.
    Operator,
    /// With the cookies of sessions, one a meeting; at least one.
    Member(Vec<PageSession>),
    /// With the token of a device.
    Device {
        /// Of its table in the configuration.
        label: String,
        /// What it has shown.
        token: ApiToken,
    },
}

/// The middleware that authenticates a request, and refuses one without credentials.
pub(super) async fn authorise(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    mut request: Request,
    next: Next,
) -> Response {
    match caller(&app, &peer, request.method(), request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// Whether a request to read comes from the operator.
///
/// # Errors
/// Why it is refused.
pub(in crate::http) fn is_operator(app: &AppState, peer: &HttpPeer, headers: &HeaderMap) -> Result<(), ProblemDetails> {
    caller(app, peer, &Method::GET, headers)?.operator_only()
}

fn caller(app: &AppState, peer: &HttpPeer, method: &Method, headers: &HeaderMap) -> Result<ApiCaller, ProblemDetails> {
    if peer.is_operator() {
        return Ok(ApiCaller::Operator);
    }
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let offered = authorization.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        if offered.is_some_and(|token| app.handles.api_token.is(token)) {
            return Ok(ApiCaller::Operator);
        }
        let web = app.web();
        if let Some((label, token)) = web.device_tokens.iter().find(|(_, token)| offered.is_some_and(|offered| token.is(offered)))
        {
            return Ok(ApiCaller::Device { label: label.clone(), token: token.clone() });
        }
        // Right tokens have returned by now: only wrong ones are counted, and held up.
        app.entry_limits.wrong_token(app.source(peer, headers), machine::now())?;
        return Err(ProblemDetails::new(StatusCode::UNAUTHORIZED, "wrong-token", "This token is not valid."));
    }
    let mut sessions = browser_sessions::sessions(app, peer, headers);
    // A guest is an external, whichever link or passcode opened the session (M-3).
    sessions.retain(PageSession::is_member);
    if sessions.is_empty() {
        let text = "Send a bearer token, the operator's or a device's, or enter by a member link.";
        return Err(ProblemDetails::new(StatusCode::UNAUTHORIZED, "not-signed-in", text));
    }
    // Browsers add the cookie to whatever page asks; `Origin` says which one did, and comes with every such request.
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match app.same_origin(peer, headers) {
        Some(true) => Ok(ApiCaller::Member(sessions)),
        None if reads => Ok(ApiCaller::Member(sessions)),
        _ => Err(ProblemDetails::foreign()),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ApiCaller {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ProblemDetails> {
        let nobody = || ProblemDetails::new(StatusCode::UNAUTHORIZED, "not-signed-in", "Nobody is signed in.");
        parts.extensions.get().cloned().ok_or_else(nobody)
    }
}

impl ApiCaller {
    /// Whether the caller may know of this meeting as it is now: a device does while it is inside.
    pub(super) fn knows(&self, app: &AppState, meeting: &MeetingName) -> bool {
        self.belongs_to(meeting) || self.call_in(app, meeting).is_some()
    }

    /// Whether the caller may know also of what was in this meeting.
    pub(super) fn belongs_to(&self, meeting: &MeetingName) -> bool {
        match self {
            Self::Operator => true,
            Self::Member(_) => self.session_in(meeting).is_some(),
            Self::Device { .. } => false,
        }
    }

    /// The name of the caller's role in a meeting, for the ledger.
    pub(super) fn ledger_name(&self, meeting: &MeetingName) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Member(_) => self.session_in(meeting).map_or("member", |session| session.role.as_str()),
            Self::Device { .. } => "device",
        }
    }

    /// The caller's session in this meeting.
    pub(super) fn session_in(&self, meeting: &MeetingName) -> Option<&PageSession> {
        let Self::Member(sessions) = self else { return None };
        sessions.iter().find(|session| session.meeting == *meeting)
    }

    /// Whether the caller may do what is the organiser's and the operator's alone.
    pub(super) fn organises(&self, meeting: &MeetingName) -> bool {
        matches!(self, Self::Operator) || self.session_in(meeting).is_some_and(PageSession::organises)
    }

    /// For what is the organiser's and the operator's alone.
    pub(super) fn organiser_only(&self, meeting: &MeetingName) -> Result<(), ProblemDetails> {
        if self.organises(meeting) { Ok(()) } else { Err(ProblemDetails::for_organisers()) }
    }

    /// Whether this is the caller's own device.
    pub(super) fn is_device(&self, device: Option<&str>) -> bool {
        matches!(self, Self::Device { label, .. } if device == Some(label))
    }

    /// Of what is older in this meeting, in milliseconds since 1970, the caller knows nothing: it belongs to a namesake of the meeting.
    pub(super) fn since(&self, meeting: &MeetingName) -> u64 {
        self.session_in(meeting).map_or(0, |session| session.made_at)
    }

    /// For how long what the caller has shown is still good; [`Duration::MAX`]: until it is taken away.
    pub(super) fn remaining(&self) -> Duration {
        match self {
            Self::Member(sessions) => {
                let now = SystemTime::now();
                sessions.iter().map(|session| session.remaining(now)).min().unwrap_or_default()
            }
            Self::Operator | Self::Device { .. } => Duration::MAX,
        }
    }

    /// Whether what the caller has shown would still be taken.
    pub(super) fn is_still_known(&self, app: &AppState) -> bool {
        match self {
            Self::Operator => true,
            Self::Member(sessions) => {
                let now = SystemTime::now();
                sessions
                    .iter()
                    .all(|session| app.handles.sessions.lives(&session.id, now) && browser_sessions::is_current(app, session))
            }
            Self::Device { label, token } => app.web().device_tokens.iter().any(|(device, own)| device == label && own == token),
        }
    }

    /// The device's own call inside this meeting.
    fn call_in(&self, app: &AppState, meeting: &MeetingName) -> Option<CallView> {
        let Self::Device { .. } = self else { return None };
        let inside = |call: &CallView| call.state == INSIDE && call.meeting.as_deref() == Some(meeting.as_str());
        app.administration().calls().into_iter().find(|call| self.is_device(call.device.as_deref()) && inside(call))
    }

    /// Whose calls to devices those of the caller are: as many sessions, as many budgets (S-9).
    pub(super) fn inviter(&self, meeting: &MeetingName) -> By {
        match self {
            Self::Operator => By::Operator,
            Self::Member(_) => {
                let mut hasher = DefaultHasher::new();
                self.session_in(meeting).map(|session| session.id).hash(&mut hasher);
                By::Session(hasher.finish())
            }
            Self::Device { label, .. } => By::Device(label.clone()),
        }
    }

    /// For what names devices and addresses of all meetings.
    pub(super) fn operator_only(&self) -> Result<(), ProblemDetails> {
        match self {
            Self::Operator => Ok(()),
            Self::Member(_) | Self::Device { .. } => {
                Err(ProblemDetails::new(StatusCode::FORBIDDEN, "not-allowed", "Only the operator may do this."))
            }
        }
    }

    /// The meeting a path names, with its title, if it is configured and the caller may know of it.
    pub(super) fn named(&self, app: &AppState, name: &str) -> Result<(MeetingName, String), ProblemDetails> {
        let name = MeetingName::new(name).map_err(|_| ProblemDetails::not_found("meeting"))?;
        let title = app.handles.registry.title(&name).filter(|_| self.knows(app, &name));
        title.map(|title| (name, title)).ok_or_else(|| ProblemDetails::not_found("meeting"))
    }

    /// In whose name the caller asks: `None` is the operator, otherwise the newest open page of the session, or the device itself.
    pub(super) fn presence(&self, app: &AppState, meeting: &MeetingName) -> Result<Option<ParticipantId>, MeetingRefusal> {
        let found = match self {
            Self::Operator => return Ok(None),
            Self::Member(_) => self.session_in(meeting).and_then(|session| app.presences().newest(&session.id)),
            Self::Device { .. } => self.call_in(app, meeting).and_then(|call| call.participant?.parse().ok()),
        };
        found.map(Some).ok_or(MeetingRefusal::NotInside)
    }
}
