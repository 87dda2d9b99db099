//! The WebSocket of a meeting page (U-6): who may open it, and how long it stays open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Extension;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::browser_sessions;
use super::meeting_path::{NameInPath, known_meeting};
use super::peer::HttpPeer;
use super::problem_details::ProblemDetails;
use super::session::PageSession;
use super::state::AppState;
use super::visitor::{may_knock, visitor};
use crate::common::ids::ParticipantId;
use crate::meeting::MeetingRequest;
use crate::service::embedded::signalling::{self, PageEffects, Visitor};

/// The query of a page that comes back to its seat. Whether it has one its `join` tells: without one it is asked for the passcode then.
const COMES_BACK: &str = "back=1";

/// Opens the WebSocket of a page.
pub(super) async fn connect(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    NameInPath(name): NameInPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some((meeting, _)) = known_meeting(&app, &name) else {
        return ProblemDetails::not_found("meeting").into_response();
    };
    // Browsers let any site open a WebSocket anywhere, cookies and all, and say which one did in `Origin` (U-4).
    if app.same_origin(&peer, &headers) == Some(false) {
        return ProblemDetails::foreign().into_response();
    }
    let session = browser_sessions::session_in(&app, &peer, &headers, &meeting);
    // A seat outlives the passcode that it was reached by, and its session.
    if query.as_deref() != Some(COMES_BACK) && !may_knock(&app, session.as_ref(), &meeting) {
        let text = "This meeting has a passcode, which was not given.";
        return ProblemDetails::new(StatusCode::FORBIDDEN, "passcode-wanted", text).into_response();
    }
    let from = peer.client(&headers, &app.web().trusted_proxies);
    let visitor = Visitor { from: Some(from), ..visitor(&app, meeting, session.as_ref()) };
    upgrade
        .max_message_size(signalling::LARGEST_MESSAGE)
        .max_frame_size(signalling::LARGEST_MESSAGE)
        .on_failed_upgrade(|error| tracing::debug!(%error, "WebSocket not opened"))
        .on_upgrade(async move |socket| {
            let _held = (app.page_sockets.clone(), peer);
            let open = OpenPage { app: Arc::clone(&app), session, presence: Mutex::default() };
            let (registry, key, shutdown) = (app.handles.registry.clone(), app.handles.resume_key.clone(), app.shutdown.clone());
            let serving = signalling::serve(socket, registry, visitor, key, |effect| open.perform(effect), shutdown);
            open.serve_while_session_lasts(serving).await;
        })
}

/// How long the meeting may take to close the page of a session that was ended.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A page and its session, among whose presences it is listed, so that the API can act for it.
struct OpenPage {
    app: Arc<AppState>,
    session: Option<PageSession>,
    presence: Mutex<Option<ParticipantId>>,
}

impl OpenPage {
    fn perform(&self, effect: PageEffects) {
        match effect {
            PageEffects::Joined(who) => {
                let Some(session) = &self.session else { return };
                // A page has one presence: a second `join` would end the one before.
                if let Some(before) = self.presence().replace(who) {
                    self.app.presences().closed(&session.id, before);
                }
                browser_sessions::joined(&self.app, &session.id, who);
            }
            PageEffects::Removed(who) => {
                let app = Arc::clone(&self.app);
                tokio::spawn(async move { browser_sessions::removed(&app, who).await });
            }
        }
    }

    fn presence(&self) -> MutexGuard<'_, Option<ParticipantId>> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves the page until its connection ends, or somebody ends its session: with that goes what it has in the meeting. Who is in when
    /// the session's time is over stays.
    async fn serve_while_session_lasts(&self, serving: impl Future<Output = ()>) {
        let mut serving = std::pin::pin!(serving);
        let Some(session) = &self.session else { return serving.await };
        let sessions = &self.app.handles.sessions;
        let mut endings = sessions.endings();
        let was_ended = || {
            let now = SystemTime::now();
            !session.remaining(now).is_zero() && !sessions.keeps_pages(&session.id, now)
        };
        let over = async { while !was_ended() && endings.changed().await.is_ok() {} };
        tokio::select! {
            () = serving.as_mut() => return,
            () = over => {}
        }
        // The meeting tells the page, unless it has not joined.
        let _ = tokio::time::timeout(CLOSE_WITHIN, serving.as_mut()).await;
        let present = *self.presence();
        if let Some(who) = present {
            for meeting in self.app.handles.registry.running().await {
                // Ids of rows are never used twice: another meeting, or this one where it has left, does not know it.
                let _ = meeting.ask(None, MeetingRequest::Remove(who)).await;
            }
        }
    }
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        let who = self.presence().take();
        if let (Some(session), Some(who)) = (&self.session, who) {
            self.app.presences().closed(&session.id, who);
        }
    }
}
