//! What browsers load: the front page, meeting pages and their files, the exchange of a member link, and the door of each
//! meeting's signalling (U-1, U-6).

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, PoisonError};
use std::time::SystemTime;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Form, Json, Router};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Site;
use super::peer::Peer;
use super::refuse::ProblemDetails;
use super::session::{self, LinkError, Session};
use crate::ids::{MeetingName, ParticipantId};
use crate::meeting::words::Role;
use crate::service::embedded::signalling::{self, Visitor};

/// The files of the meeting page, by the name they have under `/assets/`.
macro_rules! page_files {
    ($($name:literal)*) => {
        &[$(($name, include_bytes!(concat!("../service/embedded/page/", $name)).as_slice()),)*]
    };
}

const PAGE_FILES: &[(&str, &[u8])] = page_files! {
    "app.js" "boot.js" "captures.js" "chat.js" "controls.js" "icon.svg" "lobby.js" "media.js" "memory.js" "microphone.js" "prejoin.js"
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

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(front))
        .route("/enter", get(door).post(enter))
        .route("/assets/{file}", get(asset))
        .route("/m/{meeting}", get(meeting))
        .route("/m/{meeting}/info", get(info))
        .route("/m/{meeting}/ws", get(connect))
}

async fn front() -> Response {
    let text = format!("<p>Version {}. To join a meeting, open the address you were sent.</p>", env!("CARGO_PKG_VERSION"));
    plain(StatusCode::OK, "Roomgate", &text)
}

pub(super) async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "Nothing here", "<p>There is no such page. Check the address you were sent.</p>")
}

fn no_such_meeting() -> Response {
    plain(StatusCode::NOT_FOUND, "No such meeting", "<p>Check the address you were sent, or ask the host for a new one.</p>")
}

/// The product's mark, as the meeting's page shows it.
const MARK: &str = "<span class=\"mark\" aria-hidden=\"true\"><svg viewBox=\"0 0 24 24\"><path d=\"M4 21V11a8 8 0 0 1 16 0v10\"/>\
                    <path d=\"M9 14v3M12 11.5v8M15 14v3\"/></svg></span>";

/// A page of a few words. `body` is HTML.
fn plain(status: StatusCode, title: &str, body: &str) -> Response {
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
fn escaped(text: &str) -> Cow<'_, str> {
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

async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    match ASSETS.iter().find(|asset| asset.name == file) {
        Some(asset) => asset.answer(&headers),
        None => not_found().await,
    }
}

/// The configured meeting of this name, with its title.
fn known(site: &Site, name: &str) -> Option<(MeetingName, String)> {
    let name = MeetingName::new(name).ok()?;
    let title = site.registry.title(&name)?;
    Some((name, title))
}

async fn meeting(State(site): State<Arc<Site>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    match known(&site, &name) {
        Some(_) => INDEX.answer(&headers),
        None => no_such_meeting(),
    }
}

/// The request's session, if it makes its bearer a member here: one meeting's session is nothing in another.
fn membership(site: &Site, headers: &HeaderMap, meeting: &MeetingName) -> Option<Session> {
    site.session(headers).filter(|session| session.meeting == *meeting)
}

/// Who somebody with this session, or without one, is to this meeting's signalling.
fn visitor(meeting: MeetingName, session: Option<&Session>) -> Visitor {
    Visitor {
        meeting,
        role: if session.is_some() { Role::Member } else { Role::External },
        organiser: session.is_some_and(|session| session.organiser),
        fallback_name: if session.is_some() { "Member" } else { "Guest" },
    }
}

/// Carries the token of the seat that the page had before it was loaded anew.
const RELOADED: &str = "x-roomgate-resume";

/// What the page has to know before it joins.
async fn info(State(site): State<Arc<Site>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((name, title)) = known(&site, &name) else {
        return ProblemDetails::not_found("meeting").into_response();
    };
    let session = membership(&site, &headers, &name);
    if let Some(token) = headers.get(RELOADED).and_then(|value| value.to_str().ok()) {
        reloaded(&site, &visitor(name.clone(), session.as_ref()), token).await;
    }
    let (settings, web) = (&site.settings, site.web());
    Json(json!({
        "meeting": name.as_str(),
        "title": title,
        "role": if session.is_some() { Role::Member } else { Role::External },
        "organiser": session.is_some_and(|session| session.organiser),
        "organisation": web.organisation,
        "ice_servers": web.ice_servers,
        "media": { "candidates": settings.media_candidates },
        "transcription": settings.transcription,
        "sms": settings.sms,
        // Links name nobody; the page offers the name it was given last time.
        "suggested_name": "",
    }))
    .into_response()
}

/// The page had a seat before it was loaded anew: the meeting hears that it has not been closed (M-5).
async fn reloaded(site: &Site, visitor: &Visitor, token: &str) {
    let Some(who) = site.settings.resume_key.unseal(token, visitor) else { return };
    let running = site.registry.running().await;
    if let Some(meeting) = running.into_iter().find(|meeting| *meeting.name() == visitor.meeting) {
        meeting.page_reloaded(who).await;
    }
}

// === Member links ===

#[derive(Deserialize)]
struct Ticket {
    token: String,
}

fn bad_link(error: LinkError) -> Response {
    let status = match error {
        LinkError::Forged => StatusCode::BAD_REQUEST,
        LinkError::Expired | LinkError::Used => StatusCode::GONE,
        LinkError::Busy | LinkError::NoRandomness => StatusCode::SERVICE_UNAVAILABLE,
    };
    plain(status, "This link does not work", &format!("<p>{}</p>", escaped(&error.to_string())))
}

/// A button, so that a mail scanner or a link preview that fetches the address does not use the link up.
async fn door(State(site): State<Arc<Site>>, ticket: Result<Query<Ticket>, QueryRejection>) -> Response {
    let Ok(Query(Ticket { token })) = ticket else { return bad_link(LinkError::Forged) };
    let meeting = match site.settings.sessions.peek(&token, SystemTime::now()) {
        Ok(meeting) => meeting,
        Err(error) => return bad_link(error),
    };
    let Some(title) = site.registry.title(&meeting) else { return no_such_meeting() };
    let form = format!(
        "<p class=\"organisation\" dir=\"auto\">{}</p>\n<p>You enter as a member of the meeting.</p>\n<form method=\"post\" action=\"/enter\">\
         <input type=\"hidden\" name=\"token\" value=\"{}\"><button data-testid=\"enter\">Enter the meeting</button></form>",
        escaped(&site.web().organisation),
        escaped(&token)
    );
    let mut page = plain(StatusCode::OK, &title, &form);
    // With `no-referrer` a browser sends `Origin: null` with the form (Fetch section 3.2), and nothing could be checked.
    page.headers_mut().insert(header::REFERRER_POLICY, header::HeaderValue::from_static("same-origin"));
    page
}

/// Uses the link up and makes the browser a member of its meeting.
async fn enter(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    ticket: Result<Form<Ticket>, FormRejection>,
) -> Response {
    // Otherwise another site could put a visitor's browser into a session of its choice.
    if peer.same_origin(&headers, site.web().public_url.as_deref()) == Some(false) {
        return plain(StatusCode::FORBIDDEN, "Not from here", "<p>Please open the link itself.</p>");
    }
    let source = site.source(&peer, &headers);
    if site.may_try(source).is_err() {
        let text = "<p>Too many wrong links came from your address. Please wait a minute.</p>";
        return plain(StatusCode::TOO_MANY_REQUESTS, "Please wait", text);
    }
    let Ok(Form(Ticket { token })) = ticket else { return bad_link(LinkError::Forged) };
    match site.settings.sessions.exchange(&token, SystemTime::now()) {
        Ok((session, _)) if !site.is_current(&session) => no_such_meeting(),
        Ok((session, cookie)) => {
            tracing::info!(meeting = %session.meeting, organiser = session.organiser, address = %source, "member link used");
            let secure = if peer.secure(&headers) { "; Secure" } else { "" };
            let lasts = session::SESSION_VALID.as_secs();
            // Strict is enough: what a foreign link opens first is the page, which is the same for everybody.
            let cookie = format!("{}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age={lasts}{secure}", session::COOKIE);
            ([(header::SET_COOKIE, cookie)], Redirect::to(&format!("/m/{}", session.meeting))).into_response()
        }
        Err(error) => {
            if error == LinkError::Forged {
                site.wrong_token(source);
            }
            bad_link(error)
        }
    }
}

// === Signalling ===

async fn connect(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some((meeting, _)) = known(&site, &name) else {
        return ProblemDetails::not_found("meeting").into_response();
    };
    // Browsers let any site open a WebSocket anywhere, cookies and all, and say which one did in `Origin` (U-4).
    if peer.same_origin(&headers, site.web().public_url.as_deref()) == Some(false) {
        return ProblemDetails::new(StatusCode::FORBIDDEN, "foreign-origin", "This request comes from another site.")
            .into_response();
    }
    let session = membership(&site, &headers, &meeting);
    let visitor = visitor(meeting, session.as_ref());
    upgrade
        .max_message_size(signalling::LARGEST_MESSAGE)
        .max_frame_size(signalling::LARGEST_MESSAGE)
        .on_failed_upgrade(|error| tracing::debug!(%error, "WebSocket not opened"))
        .on_upgrade(async move |socket| {
            let _held = (site.sockets.clone(), peer);
            let open = OpenPage { site: Arc::clone(&site), session, presence: std::sync::Mutex::new(None) };
            let key = site.settings.resume_key.clone();
            signalling::serve(socket, site.registry.clone(), visitor, key, |who| open.joined(who), site.shutdown.clone()).await;
        })
}

/// A member's page, listed among its session's presences as long as it is open, so that the API can speak for it.
struct OpenPage {
    site: Arc<Site>,
    session: Option<Session>,
    presence: std::sync::Mutex<Option<ParticipantId>>,
}

impl OpenPage {
    fn joined(&self, who: ParticipantId) {
        let Some(session) = &self.session else { return };
        *self.presence.lock().unwrap_or_else(PoisonError::into_inner) = Some(who);
        let mut presences = self.site.presences.lock().unwrap_or_else(PoisonError::into_inner);
        presences.entry(session.id).or_default().push(who);
    }
}

impl Drop for OpenPage {
    fn drop(&mut self) {
        let who = self.presence.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(session), Some(who)) = (&self.session, who) else { return };
        let mut presences = self.site.presences.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pages) = presences.get_mut(&session.id) {
            // One only: a page that came back has the same presence, and its old socket may end after the new one began.
            if let Some(at) = pages.iter().position(|page| *page == who) {
                pages.remove(at);
            }
            if pages.is_empty() {
                presences.remove(&session.id);
            }
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
