//! What browsers load: the front page, meeting pages and their files, and each meeting's signalling (U-6).
#![allow(clippy::disallowed_methods, reason = "a driver: tells the time, and starts a task for whoever was removed")]

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::AppState;
use super::peer::HttpPeer;
use super::problem_details::ProblemDetails;
use super::session::PageSession;
use crate::common::ids::{MeetingName, ParticipantId};
use crate::meeting::messages::Role;
use crate::meeting::{MeetingRequest, PasscodeProof};
use crate::service::embedded::signalling::{self, PageEffects, Visitor};

/// The files of the meeting page, by the name they have under `/assets/`.
macro_rules! page_files {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../service/embedded/page/", $name)).as_slice()),)*]
    };
}

const PAGE_FILES: &[(&str, &[u8])] = page_files! {
    "app.js" "boot.js" "captures.js" "chat.js" "controls.js" "door.js" "icon.svg" "lobby.js" "media.js" "memory.js" "microphone.js" "prejoin.js"
    "readers.js" "rooms.js" "roster.js" "signalling.js" "sound.js" "style.css" "text.js" "view.js"
};

const MEETING_PAGE: &[u8] = include_bytes!("../service/embedded/page/index.html");
const PLAIN_STYLE: &[u8] = include_bytes!("plain.css");

/// A file as it is sent.
struct Asset {
    name: &'static str,
    content: &'static [u8],
    content_type: &'static str,
    /// Changes with the content (RFC 9110 section 8.8.3).
    etag: String,
}

impl Asset {
    fn new(name: &'static str, content: &'static [u8]) -> Self {
        let etag = Sha256::digest(content).iter().take(8).fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}")) + "\"";
        Self { name, content, content_type: content_type(name), etag }
    }

    /// The file, or that the browser has it already. It asks each time, so that a new release is seen at once.
    fn answer(&self, headers: &HeaderMap) -> Response {
        let told = [(header::ETAG, self.etag.as_str()), (header::CACHE_CONTROL, "no-cache")];
        let has = |value: &str| {
            value.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == self.etag)
        };
        if headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(has) {
            return (StatusCode::NOT_MODIFIED, told).into_response();
        }
        (told, [(header::CONTENT_TYPE, self.content_type)], self.content).into_response()
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let plain = ("plain.css", PLAIN_STYLE);
    PAGE_FILES.iter().chain([&plain]).map(|&(name, content)| Asset::new(name, content)).collect()
});
static INDEX: LazyLock<Asset> = LazyLock::new(|| Asset::new("index.html", MEETING_PAGE));

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/", get(front))
        .route("/assets/{file}", get(asset))
        .route("/m/{meeting}", get(meeting))
        .route("/m/{meeting}/info", get(info))
        .route("/m/{meeting}/ws", get(connect))
        .method_not_allowed_fallback(wrong_method)
}

/// A name in the path; what cannot be read there names nothing of ours.
pub(super) struct NameInPath(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for NameInPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let found = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(found.map(|Path(name)| name).unwrap_or_default()))
    }
}

async fn front() -> Response {
    let text = format!("<p>Version {}. To join a meeting, open the address you were sent.</p>", env!("CARGO_PKG_VERSION"));
    plain(StatusCode::OK, "Roomgate", &text)
}

pub(super) async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "Nothing here", "<p>There is no such page. Check the address you were sent.</p>")
}

/// A page of ours is asked in a way that it does not know.
pub(super) async fn wrong_method() -> Response {
    plain(StatusCode::METHOD_NOT_ALLOWED, "Not like this", "<p>Nothing can be sent to this address. Open it in a browser.</p>")
}

pub(super) fn no_such_meeting() -> Response {
    plain(StatusCode::NOT_FOUND, "No such meeting", "<p>Check the address you were sent, or ask the host for a new one.</p>")
}

/// The product's mark, as the meeting's page shows it.
const MARK: &str = "<span class=\"mark\" aria-hidden=\"true\"><svg viewBox=\"0 0 24 24\"><path d=\"M4 21V11a8 8 0 0 1 16 0v10\"/>\
                    <path d=\"M9 14v3M12 11.5v8M15 14v3\"/></svg></span>";

/// A page of a few words. `body` is HTML.
pub(super) fn plain(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let product = if title == "Roomgate" { "" } else { " · Roomgate" };
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"robots\" content=\"noindex\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}{product}</title>\n<link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/assets/plain.css\">\n</head>\n<body><main>\n{MARK}\n<h1><bdi>{title}</bdi></h1>\n{body}\n</main></body>\n</html>\n"
    );
    (status, Html(page)).into_response()
}

/// Text made safe for HTML, also inside a quoted attribute.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    Cow::Owned(safe)
}

async fn asset(NameInPath(file): NameInPath, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.name == file) {
        Some(asset) => asset.answer(&headers),
        None => not_found().await,
    }
}

/// The configured meeting of this name, with its title.
pub(super) fn known(app: &AppState, name: &str) -> Option<(MeetingName, String)> {
    let name = MeetingName::new(name).ok()?;
    let title = app.registry.title(&name)?;
    Some((name, title))
}

async fn meeting(State(app): State<Arc<AppState>>, NameInPath(name): NameInPath, headers: HeaderMap) -> Response {
    match known(&app, &name) {
        Some(_) => INDEX.answer(&headers),
        None => no_such_meeting(),
    }
}

/// Whether a browser may knock at this meeting: it has a session there, or no passcode is set (K-1).
fn may_knock(app: &AppState, session: Option<&PageSession>, meeting: &MeetingName) -> bool {
    session.is_some() || app.settings.admin.meetings.passcode(meeting).is_none()
}

/// What somebody with this session, or without one, has shown of the meeting's passcode.
fn proof(app: &AppState, meeting: &MeetingName, session: Option<&PageSession>) -> PasscodeProof {
    match session {
        None => PasscodeProof::Nothing,
        Some(session) if session.link.is_some() => PasscodeProof::Link,
        // It may have been changed at this very moment.
        Some(session) => app
            .settings
            .admin
            .meetings
            .passcode(meeting)
            .filter(|passcode| app.settings.sessions.still_opens(session, Some(passcode)))
            .map_or(PasscodeProof::Nothing, PasscodeProof::Given),
    }
}

/// Who somebody with this session, or without one, is to this meeting's signalling.
fn visitor(app: &AppState, meeting: MeetingName, session: Option<&PageSession>) -> Visitor {
    let member = session.is_some_and(PageSession::is_member);
    let now = SystemTime::now();
    Visitor {
        proof: proof(app, &meeting, session),
        meeting,
        role: if member { Role::Member } else { Role::External },
        organiser: session.is_some_and(PageSession::organises),
        identity: session.map(|session| format!("session/{}", URL_SAFE_NO_PAD.encode(session.id))),
        from: None,
        fallback_name: if member { "Member" } else { "Guest" },
        ice_servers: app.web().ice_servers.iter().map(|server| server.made_for(now)).collect(),
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
    let Some((name, title)) = known(&app, &name) else {
        return ProblemDetails::not_found("meeting").into_response();
    };
    let session = app.session_in(&peer, &headers, &name);
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
            false if app.registry.admits_anonymous(&name) => json!(Role::External),
            // M-11: the page says so before anybody has typed a name.
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

/// The page had a seat before it was loaded anew: the meeting hears that it has not been closed (M-5).
async fn reloaded(app: &AppState, visitor: &Visitor, token: &str) {
    let Some(who) = app.settings.resume_key.unseal(token, visitor) else { return };
    let running = app.registry.running().await;
    if let Some(meeting) = running.into_iter().find(|meeting| *meeting.name() == visitor.meeting) {
        meeting.page_reloaded(who).await;
    }
}

// === Signalling ===

/// The query of a page that comes back to its seat. Whether it has one its `join` tells: without one it is asked for the passcode then.
const COMES_BACK: &str = "back=1";

async fn connect(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    NameInPath(name): NameInPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some((meeting, _)) = known(&app, &name) else {
        return ProblemDetails::not_found("meeting").into_response();
    };
    // Browsers let any site open a WebSocket anywhere, cookies and all, and say which one did in `Origin` (U-4).
    if app.same_origin(&peer, &headers) == Some(false) {
        return ProblemDetails::foreign().into_response();
    }
    let session = app.session_in(&peer, &headers, &meeting);
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
            let _held = (app.sockets.clone(), peer);
            let open = OpenPage { app: Arc::clone(&app), session, presence: Mutex::default() };
            let (registry, key, shutdown) = (app.registry.clone(), app.settings.resume_key.clone(), app.shutdown.clone());
            let serving = signalling::serve(socket, registry, visitor, key, |seen| open.seen(seen), shutdown);
            open.as_long_as_its_session(serving).await;
        })
}

/// How long the meeting may take to say goodbye to a page whose session was ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// A page with its session, among whose presences it is listed, so that the API can speak for it.
struct OpenPage {
    app: Arc<AppState>,
    session: Option<PageSession>,
    presence: Mutex<Option<ParticipantId>>,
}

impl OpenPage {
    fn seen(&self, seen: PageEffects) {
        match seen {
            PageEffects::Joined(who) => {
                let Some(session) = &self.session else { return };
                // A page has one presence: what it had before a second `join` would be is over.
                if let Some(before) = self.here().replace(who) {
                    self.app.presences().closed(&session.id, before);
                }
                self.app.joined(&session.id, who);
            }
            PageEffects::Removed(who) => {
                let app = Arc::clone(&self.app);
                tokio::spawn(async move { app.removed(who).await });
            }
        }
    }

    fn here(&self) -> MutexGuard<'_, Option<ParticipantId>> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves the page until its connection ends, or somebody ends its session: with that goes what it has in the meeting. Who is in when
    /// the session's time is over stays.
    async fn as_long_as_its_session(&self, serving: impl Future<Output = ()>) {
        let mut serving = std::pin::pin!(serving);
        let Some(session) = &self.session else { return serving.await };
        let sessions = &self.app.settings.sessions;
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
        // The meeting says it to the page, unless that has not joined: then there is nobody to say goodbye to.
        let _ = tokio::time::timeout(FAREWELL, serving.as_mut()).await;
        let here = *self.here();
        if let Some(who) = here {
            for meeting in self.app.registry.running().await {
                // Ids of rows are never used twice: another meeting, or this one where it has left, does not know it.
                let _ = meeting.ask(None, MeetingRequest::Remove(who)).await;
            }
        }
    }
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        let who = self.here().take();
        if let (Some(session), Some(who)) = (&self.session, who) {
            self.app.presences().closed(&session.id, who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_cannot_be_smuggled_in_by_a_title_or_a_token() {
        assert_eq!(escaped("\"><script>alert('&')</script>"), "&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;");
        assert!(matches!(escaped("Demo"), Cow::Borrowed("Demo")));
    }

    #[test]
    fn every_file_that_the_page_names_is_served() {
        let index = std::str::from_utf8(MEETING_PAGE).expect("UTF-8");
        let named = |text: &str, before: &str| -> Vec<String> {
            text.split(before).skip(1).filter_map(|rest| rest.split(['"', '\'']).next()).map(str::to_owned).collect()
        };
        let mut names = named(index, "/assets/");
        assert!(!names.is_empty());
        for (_, content) in PAGE_FILES {
            if let Ok(text) = std::str::from_utf8(content) {
                names.extend(named(text, "from './").into_iter().chain(named(text, "/assets/")));
            }
        }
        for name in names {
            assert!(ASSETS.iter().any(|asset| asset.name == name), "{name} is not in the table");
        }
        assert!(ASSETS.iter().all(|asset| asset.content_type != "application/octet-stream"));
    }
}
