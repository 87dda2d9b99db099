//! The doors of meetings: the exchange of a link (U-1), the passcode of a guest (K-1), and the way out of a session (U-4).

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::rejection::{FormRejection, JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Json, Router};
use serde::Deserialize;

use super::browser::{SessionEnd, set_cookie};
use super::page::{NameInPath, escaped, known, no_such_meeting, plain, wrong_method};
use super::peer::HttpPeer;
use super::problem_details::ProblemDetails;
use super::session::{BrowserArrival, Link, LinkError, LinkRole};
use super::{ApiToken, AppState};
use crate::common::ids::MeetingName;
use crate::menu::{CodeSource, CodeVerdict};

pub(super) fn routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/enter", get(door).post(enter))
        .route("/m/{meeting}/passcode", post(passcode))
        .route("/m/{meeting}/sign-out", post(sign_out))
        .method_not_allowed_fallback(wrong_method)
}

#[derive(Deserialize)]
struct Ticket {
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

/// What a link is to a browser.
enum Way {
    /// The browser has what the link would give, or the link is used and it is in that meeting: it goes on.
    On(MeetingName),
    /// It can be exchanged.
    Open(Link),
    /// It opens nothing.
    Shut(LinkError),
}

fn way(app: &AppState, peer: &HttpPeer, headers: &HeaderMap, token: &str) -> Way {
    let role = |meeting: &MeetingName| app.session_in(peer, headers, meeting).map(|session| session.role);
    match app.settings.sessions.peek(token, SystemTime::now()) {
        Ok(link) if role(&link.meeting).is_some_and(|role| role >= link.role) => Way::On(link.meeting),
        Ok(link) => Way::Open(link),
        Err(error) => match app.settings.sessions.led_to(token) {
            Some((meeting, _)) if role(&meeting).is_some() => Way::On(meeting),
            _ => Way::Shut(error),
        },
    }
}

/// The title of the meeting that a link leads to, if it is the one that the link was made for.
fn title(app: &AppState, link: &Link) -> Option<String> {
    app.registry.title(&link.meeting).filter(|_| app.settings.admin.meetings.made_at(&link.meeting) == link.made_at)
}

/// A button, so that a mail scanner or a link preview that fetches the address does not use the link up.
async fn door(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    headers: HeaderMap,
    ticket: Result<Query<Ticket>, QueryRejection>,
) -> Response {
    let Ok(Query(Ticket { token })) = ticket else { return bad_link(LinkError::Forged) };
    let link = match way(&app, &peer, &headers, &token) {
        Way::On(meeting) => return into_meeting(&meeting),
        Way::Shut(error) => return bad_link(error),
        Way::Open(link) => link,
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
    ticket: Result<Form<Ticket>, FormRejection>,
) -> Response {
    // Otherwise another site could put a visitor's browser into a session of its choice.
    if app.same_origin(&peer, &headers) == Some(false) {
        return plain(StatusCode::FORBIDDEN, "Not from here", "<p>Please open the link itself.</p>");
    }
    let source = app.source(&peer, &headers);
    let Ok(Form(Ticket { token })) = ticket else { return bad_link(LinkError::Forged) };
    let link = match way(&app, &peer, &headers, &token) {
        Way::On(meeting) => return into_meeting(&meeting),
        Way::Shut(LinkError::Forged) if app.wrong_token(source).is_err() => {
            let text = "<p>Too many wrong links came from your address. Please wait a minute.</p>";
            return plain(StatusCode::TOO_MANY_REQUESTS, "Please wait", text);
        }
        Way::Shut(error) => return bad_link(error),
        Way::Open(link) => link,
    };
    if title(&app, &link).is_none() {
        return no_such_meeting();
    }
    // A link of many uses is no way around what a passcode may open.
    if app.may_open(source).is_err() {
        let text = "<p>Too many have entered from your address. Please wait a minute, then try the link again.</p>";
        return plain(StatusCode::TOO_MANY_REQUESTS, "Please wait", text);
    }
    let others = app.sessions(&peer, &headers);
    let before = others.iter().find(|session| session.meeting == link.meeting).map(|session| session.id);
    let address = peer.client(&headers, &app.web().trusted_proxies);
    let arrival = BrowserArrival { from: Some(address), open: app.presences().open() };
    match app.settings.sessions.exchange(&token, before, &arrival, SystemTime::now()).await {
        Ok((session, cookie)) => {
            if let Some(unsaid) = app.says_of(&app.said_of_guests, &session) {
                tracing::info!(meeting = %session.meeting, role = session.role.word(), address = %source, unsaid, "link used");
            }
            let secure = app.is_secure(&peer, &headers);
            let mut response = into_meeting(&session.meeting);
            let lines = response.headers_mut();
            lines.append(header::SET_COOKIE, set_cookie(&session.meeting, Some(&cookie), secure));
            if let Some(gone) = app.make_room(others, &session.meeting).await {
                lines.append(header::SET_COOKIE, set_cookie(&gone.meeting, None, secure));
            }
            response
        }
        Err(error) => bad_link(error),
    }
}

#[derive(Deserialize)]
struct Given {
    passcode: String,
}

/// Gives whoever has the meeting's passcode a guest's session. Wrong ones count as those that are keyed at telephones do (K-1).
async fn passcode(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    NameInPath(name): NameInPath,
    headers: HeaderMap,
    given: Result<Json<Given>, JsonRejection>,
) -> Result<Response, ProblemDetails> {
    let Some((meeting, _)) = known(&app, &name) else { return Err(ProblemDetails::not_found("meeting")) };
    if app.same_origin(&peer, &headers) == Some(false) {
        return Err(ProblemDetails::foreign());
    }
    let bad = |rejection: JsonRejection| ProblemDetails::new(rejection.status(), "bad-body", rejection.body_text());
    let Json(Given { passcode: offered }) = given.map_err(bad)?;
    let Some(passcode) = app.settings.admin.meetings.passcode(&meeting) else {
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    // Whoever is in already keeps what the session is.
    if app.session_in(&peer, &headers, &meeting).is_some() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let address = peer.client(&headers, &app.web().trusted_proxies);
    let right = ApiToken::new(passcode.expose()).is(offered.trim());
    let verdict =
        app.settings.lockout.get().judge(crate::common::machine::now(), &CodeSource::at(address), Some(&meeting), right);
    if verdict != CodeVerdict::Opens {
        app.wrong_passcode(app.source(&peer, &headers), &meeting);
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
    app.may_open(app.source(&peer, &headers))?;
    let made_at = app.settings.admin.meetings.made_at(&meeting);
    let arrival = BrowserArrival { from: Some(address), open: app.presences().open() };
    let sessions = &app.settings.sessions;
    let (_, cookie) = sessions.with_passcode(&meeting, made_at, &passcode, &arrival, SystemTime::now()).await?;
    let secure = app.is_secure(&peer, &headers);
    let mut response = StatusCode::NO_CONTENT.into_response();
    let lines = response.headers_mut();
    lines.append(header::SET_COOKIE, set_cookie(&meeting, Some(&cookie), secure));
    // Of more than a browser may have the newest would not be read.
    if let Some(gone) = app.make_room(app.sessions(&peer, &headers), &meeting).await {
        lines.append(header::SET_COOKIE, set_cookie(&gone.meeting, None, secure));
    }
    Ok(response)
}

/// Ends the browser's session in this meeting.
async fn sign_out(
    State(app): State<Arc<AppState>>,
    Extension(peer): Extension<HttpPeer>,
    NameInPath(name): NameInPath,
    headers: HeaderMap,
) -> Result<Response, ProblemDetails> {
    let Some((meeting, _)) = known(&app, &name) else { return Err(ProblemDetails::not_found("meeting")) };
    if app.same_origin(&peer, &headers) == Some(false) {
        return Err(ProblemDetails::foreign());
    }
    if let Some(session) = app.session_in(&peer, &headers, &meeting) {
        app.end_session(&session.id, SessionEnd::SignedOut).await?;
    }
    let cookie = set_cookie(&meeting, None, app.is_secure(&peer, &headers));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
