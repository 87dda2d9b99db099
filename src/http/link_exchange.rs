//! Entry to meetings: the exchange of a link (U-1), the passcode of a guest (K-1), and signing out of a session (U-4).

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::rejection::{FormRejection, JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Json, Router};
use serde::Deserialize;

use super::browser_sessions::{self, set_cookie};
use super::client_source::ClientSource;
use super::meeting_path::{NameInPath, known_meeting};
use super::peer::HttpPeer;
use super::plain_page::{escaped, no_such_meeting, plain, wrong_method};
use super::problem_details::ProblemDetails;
use super::secret::ApiToken;
use super::session::{BrowserArrival, Link, LinkError, LinkRole, PageSession, SessionEnd};
use super::state::AppState;
use crate::common::ids::MeetingName;
use crate::common::machine;
use crate::menu::{CodeSource, CodeVerdict};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/enter", get(confirmation).post(enter))
        .route("/m/{meeting}/passcode", post(passcode))
        .route("/m/{meeting}/sign-out", post(sign_out))
        .method_not_allowed_fallback(wrong_method)
}

#[derive(Deserialize)]
struct LinkToken {
    token: String,
}

fn bad_link(error: LinkError) -> Response {
    let status = match error {
        LinkError::Forged => StatusCode::BAD_REQUEST,
        LinkError::Expired | LinkError::Used => StatusCode::GONE,
        LinkError::Busy | LinkError::Fault => StatusCode::SERVICE_UNAVAILABLE,
    };
    plain(status, "This link does not work", &format!("<p>{}</p>", escaped(&error.to_string())))
}

fn into_meeting(meeting: &MeetingName) -> Response {
    Redirect::to(&format!("/m/{meeting}")).into_response()
}

/// What a link does for a browser.
enum LinkUse {
    /// The browser has a session already that gives as much, or that the used link has opened: it is redirected to the meeting.
    Redirect(MeetingName),
    /// The link can be exchanged for a session.
    Exchange(Link),
    /// The link opens nothing.
    Refused(LinkError),
}

fn link_use(app: &AppState, peer: &HttpPeer, headers: &HeaderMap, token: &str) -> LinkUse {
    let role = |meeting: &MeetingName| browser_sessions::session_in(app, peer, headers, meeting).map(|session| session.role);
    match app.handles.sessions.peek(token, SystemTime::now()) {
        Ok(link) if role(&link.meeting).is_some_and(|role| role >= link.role) => LinkUse::Redirect(link.meeting),
        Ok(link) => LinkUse::Exchange(link),
        Err(error) => match app.handles.sessions.led_to(token) {
            Some((meeting, _)) if role(&meeting).is_some() => LinkUse::Redirect(meeting),
            _ => LinkUse::Refused(error),
        },
    }
}

/// The title of the meeting that a link leads to, if it is the one that the link was made for.
fn title(app: &AppState, link: &Link) -> Option<String> {
    app.handles.registry.title(&link.meeting).filter(|_| app.administration().meeting_made_at(&link.meeting) == link.made_at)
}

/// A page with a button, so that a mail scanner or a link preview that fetches the address does not use the link up.
async fn confirmation(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    headers: HeaderMap,
    query: Result<Query<LinkToken>, QueryRejection>,
) -> Response {
    let Ok(Query(LinkToken { token })) = query else { return bad_link(LinkError::Forged) };
    let link = match link_use(&app, &peer, &headers, &token) {
        LinkUse::Redirect(meeting) => return into_meeting(&meeting),
        LinkUse::Refused(error) => return bad_link(error),
        LinkUse::Exchange(link) => link,
    };
    let Some(title) = title(&app, &link) else { return no_such_meeting() };
    let what = match link.role {
        LinkRole::Guest => "You enter as a guest of the meeting; its passcode is not asked.",
        LinkRole::Member => "You enter as a member of the meeting.",
        LinkRole::Organiser => "You enter as the organiser of the meeting.",
    };
    let form = format!(
        "<p class=\"organisation\" dir=\"auto\">{}</p>\n<p>{what}</p>\n<form method=\"post\" action=\"/enter\">\
         <input type=\"hidden\" name=\"token\" value=\"{}\"><button data-testid=\"enter\">Enter the meeting</button></form>",
        escaped(&app.web().organisation),
        escaped(&token)
    );
    let mut page = plain(StatusCode::OK, &title, &form);
    // With `no-referrer` a browser sends `Origin: null` with the form (Fetch section 3.2), and nothing could be checked.
    page.headers_mut().insert(header::REFERRER_POLICY, header::HeaderValue::from_static("same-origin"));
    page
}

/// Uses the link once and gives the browser a session in its meeting.
async fn enter(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    headers: HeaderMap,
    form: Result<Form<LinkToken>, FormRejection>,
) -> Response {
    // Otherwise another site could put a visitor's browser into a session of its choice.
    if app.same_origin(&peer, &headers) == Some(false) {
        return plain(StatusCode::FORBIDDEN, "Not from here", "<p>Please open the link itself.</p>");
    }
    let address = peer.client(&headers, &app.web().trusted_proxies);
    let source = ClientSource::from(address);
    let Ok(Form(LinkToken { token })) = form else { return bad_link(LinkError::Forged) };
    let link = match link_use(&app, &peer, &headers, &token) {
        LinkUse::Redirect(meeting) => return into_meeting(&meeting),
        LinkUse::Refused(LinkError::Forged) if app.entry_limits.wrong_token(source, machine::now()).is_err() => {
            let text = "<p>Too many wrong links came from your address. Please wait a minute.</p>";
            return plain(StatusCode::TOO_MANY_REQUESTS, "Please wait", text);
        }
        LinkUse::Refused(error) => return bad_link(error),
        LinkUse::Exchange(link) => link,
    };
    if title(&app, &link).is_none() {
        return no_such_meeting();
    }
    // A link of many uses is no way around what a passcode may open.
    if app.entry_limits.new_session(source, machine::now()).is_err() {
        let text = "<p>Too many have entered from your address. Please wait a minute, then try the link again.</p>";
        return plain(StatusCode::TOO_MANY_REQUESTS, "Please wait", text);
    }
    let others = browser_sessions::sessions(&app, &peer, &headers);
    let before = others.iter().find(|session| session.meeting == link.meeting).map(|session| session.id);
    let arrival = BrowserArrival { from: Some(address), open: app.presences().open() };
    match app.handles.sessions.exchange(&token, before, &arrival, SystemTime::now()).await {
        Ok((session, cookie)) => {
            if let Some(unsaid) = app.log_limits.links_used.permits_for(&session, machine::now()) {
                tracing::info!(meeting = %session.meeting, role = session.role.as_str(), address = %source, unsaid, "link used");
            }
            let secure = app.is_secure(&peer, &headers);
            with_session(&app, into_meeting(&session.meeting), (&session.meeting, &cookie), others, secure).await
        }
        Err(error) => bad_link(error),
    }
}

#[derive(Deserialize)]
struct PasscodeBody {
    passcode: String,
}

/// Gives whoever has the meeting's passcode a guest's session. Wrong ones count as those that are keyed at telephones do (K-1).
async fn passcode(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    NameInPath(name): NameInPath,
    headers: HeaderMap,
    given: Result<Json<PasscodeBody>, JsonRejection>,
) -> Result<Response, ProblemDetails> {
    let Some((meeting, _)) = known_meeting(&app, &name) else { return Err(ProblemDetails::not_found("meeting")) };
    if app.same_origin(&peer, &headers) == Some(false) {
        return Err(ProblemDetails::foreign());
    }
    let bad = |rejection: JsonRejection| ProblemDetails::new(rejection.status(), "bad-body", rejection.body_text());
    let Json(PasscodeBody { passcode: offered }) = given.map_err(bad)?;
    let Some(passcode) = app.administration().passcode(&meeting) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    // A session that is there already stays as it is.
    if browser_sessions::session_in(&app, &peer, &headers, &meeting).is_some() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let address = peer.client(&headers, &app.web().trusted_proxies);
    let source = ClientSource::from(address);
    let right = ApiToken::new(passcode.expose()).is(offered.trim());
    let verdict = app.handles.lockout.get().judge(machine::now(), &CodeSource::at(address), Some(&meeting), right);
    if verdict != CodeVerdict::Opens
        && let Some(unsaid) = app.log_limits.wrong_passcodes.permits(machine::now())
    {
        tracing::warn!(address = %source, %meeting, unsaid, "wrong passcode at the page");
    }
    match verdict {
        CodeVerdict::Opens => {}
        CodeVerdict::Wrong => {
            return Err(ProblemDetails::new(StatusCode::FORBIDDEN, "wrong-passcode", "This is not the meeting's passcode."));
        }
        CodeVerdict::Locked => {
            let text = "Too many wrong passcodes. Please try again later.";
            return Err(ProblemDetails::new(StatusCode::TOO_MANY_REQUESTS, "locked", text));
        }
    }
    app.entry_limits.new_session(source, machine::now())?;
    let made_at = app.administration().meeting_made_at(&meeting);
    let arrival = BrowserArrival { from: Some(address), open: app.presences().open() };
    let sessions = &app.handles.sessions;
    let (_, cookie) = sessions.with_passcode(&meeting, made_at, &passcode, &arrival, SystemTime::now()).await?;
    let (others, secure) = (browser_sessions::sessions(&app, &peer, &headers), app.is_secure(&peer, &headers));
    Ok(with_session(&app, StatusCode::NO_CONTENT.into_response(), (&meeting, &cookie), others, secure).await)
}

/// Gives the browser the cookie of a new session. Of more than a browser may have the newest would not be read: the oldest of its others goes.
async fn with_session(
    app: &AppState,
    mut response: Response,
    (meeting, cookie): (&MeetingName, &str),
    others: Vec<PageSession>,
    secure: bool,
) -> Response {
    let lines = response.headers_mut();
    lines.append(header::SET_COOKIE, set_cookie(meeting, Some(cookie), secure));
    if let Some(gone) = browser_sessions::end_oldest_beyond_limit(app, others, meeting).await {
        lines.append(header::SET_COOKIE, set_cookie(&gone.meeting, None, secure));
    }
    response
}

/// Ends the browser's session in this meeting.
async fn sign_out(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    NameInPath(name): NameInPath,
    headers: HeaderMap,
) -> Result<Response, ProblemDetails> {
    let Some((meeting, _)) = known_meeting(&app, &name) else { return Err(ProblemDetails::not_found("meeting")) };
    if app.same_origin(&peer, &headers) == Some(false) {
        return Err(ProblemDetails::foreign());
    }
    if let Some(session) = browser_sessions::session_in(&app, &peer, &headers, &meeting) {
        browser_sessions::end_session(&app, &session.id, SessionEnd::SignedOut).await?;
    }
    let cookie = set_cookie(&meeting, None, app.is_secure(&peer, &headers));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
