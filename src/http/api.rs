//! `/api/v1` (U-4): the same asks that pages have, for programs with the operator's token and for members by their session.
//!
//! The operator speaks for the organisation. A member's session speaks for that member's open page: what it may do is what
//! the page may do, decided by the meeting (M-7), and it sees no other meeting.

use std::sync::{Arc, PoisonError};

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::peer::Peer;
use super::refuse::ProblemDetails;
use super::session::Session;
use super::{HttpSettings, Query as StoreQuery, Site};
use crate::ids::{MeetingName, ParticipantId};
use crate::meeting::words::{Capture, Standing};
use crate::meeting::{Ask, MeetingHandle, Refusal, Snapshot};

/// Lines of the ledger or of call records, unless asked otherwise.
const LINES: usize = 100;
/// The most that may be asked for.
const MOST_LINES: usize = 1000;

/// Who calls.
#[derive(Debug, Clone)]
enum Caller {
    Operator,
    Member(Session),
}

type Answer = Result<Response, ProblemDetails>;

pub(super) fn routes(site: &Arc<Site>) -> Router<Arc<Site>> {
    Router::new()
        .route("/meetings", get(meetings))
        .route("/meetings/{meeting}", get(meeting))
        .route("/meetings/{meeting}/participants", get(participants))
        .route("/meetings/{meeting}/participants/{participant}/{act}", post(act))
        .route("/meetings/{meeting}/recording", put(recording))
        .route("/meetings/{meeting}/transcription", put(transcription))
        .route("/meetings/{meeting}/chat", get(chat).post(say))
        .route("/meetings/{meeting}/devices", get(rooms))
        .route("/meetings/{meeting}/invite", post(invite))
        .route("/meetings/{meeting}/end", post(end))
        .route("/notices", listing("notices", |settings| &settings.notices))
        .route("/records", listing("records", |settings| &settings.records))
        .route("/status", get(status))
        .route("/blocks/{name}", delete(lift))
        .route("/relay/subscriptions", listing("subscriptions", |settings| &settings.subscriptions))
        .route("/chats", listing("chats", |settings| &settings.chats))
        .route("/relay/outbox", get(outbox))
        .route("/devices", listing("devices", |settings| &settings.devices))
        .route("/devices/{device}/check-sync", post(check_sync))
        .fallback(async || ProblemDetails::not_found("resource"))
        .method_not_allowed_fallback(async || {
            ProblemDetails::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This method is not known here.")
        })
        .layer(from_fn_with_state(Arc::clone(site), authorise))
}

/// Finds out who calls, before anything else is looked at.
async fn authorise(
    State(site): State<Arc<Site>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    match caller(&site, &peer, request.method(), request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn caller(site: &Site, peer: &Peer, method: &Method, headers: &HeaderMap) -> Result<Caller, ProblemDetails> {
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let source = site.source(peer, headers);
        site.may_try(source)?;
        let offered = authorization.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        if offered.is_some_and(|token| site.settings.api_token.is(token)) {
            return Ok(Caller::Operator);
        }
        site.wrong_token(source);
        return Err(ProblemDetails::new(StatusCode::UNAUTHORIZED, "wrong-token", "This token is not valid."));
    }
    let session = site.session(headers).ok_or_else(|| {
        ProblemDetails::new(
            StatusCode::UNAUTHORIZED,
            "not-signed-in",
            "Send the operator's bearer token, or enter by a member link.",
        )
    })?;
    // Browsers add the cookie to whatever page asks; `Origin` says which one did, and comes with every such request.
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match peer.same_origin(headers, site.settings.public_url.as_deref()) {
        Some(true) => Ok(Caller::Member(session)),
        None if reads => Ok(Caller::Member(session)),
        _ => Err(ProblemDetails::new(StatusCode::FORBIDDEN, "foreign-origin", "This request comes from another site.")),
    }
}

/// The meeting a path names, if it is configured and the caller may know of it.
fn named(site: &Site, caller: &Caller, name: &str) -> Result<(MeetingName, String), ProblemDetails> {
    let name = MeetingName::new(name).map_err(|_| ProblemDetails::not_found("meeting"))?;
    let theirs = match caller {
        Caller::Operator => true,
        Caller::Member(session) => session.meeting == name,
    };
    let title = site.registry.title(&name).filter(|_| theirs).ok_or_else(|| ProblemDetails::not_found("meeting"))?;
    Ok((name, title))
}

/// In whose name the caller asks: `None` is the operator, otherwise the newest open page of the session.
fn presence(site: &Site, caller: &Caller) -> Result<Option<ParticipantId>, Refusal> {
    let Caller::Member(session) = caller else { return Ok(None) };
    let presences = site.presences.lock().unwrap_or_else(PoisonError::into_inner);
    presences.get(&session.id).and_then(|pages| pages.last()).copied().map(Some).ok_or(Refusal::NotInside)
}

async fn live(site: &Site, name: &MeetingName) -> Option<MeetingHandle> {
    site.registry.running().await.into_iter().find(|handle| handle.name() == name)
}

async fn ask(site: &Site, caller: &Caller, meeting: &str, ask: Ask) -> Answer {
    let (name, _) = named(site, caller, meeting)?;
    let who = presence(site, caller)?;
    match live(site, &name).await {
        Some(handle) => handle.ask(who, ask).await?,
        // Told first what no running meeting would change (N-11).
        None if matches!(ask, Ask::Transcription(_)) && !site.settings.transcription => return Err(Refusal::NotConfigured.into()),
        None => return Err(ProblemDetails::new(StatusCode::CONFLICT, "not-running", "Nobody is in this meeting.")),
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, ProblemDetails> {
    let body = body.map_err(|rejection| ProblemDetails::new(rejection.status(), "bad-body", rejection.body_text()))?;
    serde_json::from_slice(&body).map_err(|error| {
        ProblemDetails::new(StatusCode::BAD_REQUEST, "bad-body", format!("This body is not understood: {error}."))
    })
}

async fn snapshot(site: &Site, caller: &Caller, name: &MeetingName) -> Result<Option<Snapshot>, ProblemDetails> {
    let Some(handle) = live(site, name).await else { return Ok(None) };
    Ok(handle.snapshot(presence(site, caller)?).await)
}

async fn meetings(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>) -> Answer {
    let running = site.registry.running().await;
    let listed: Vec<_> = site
        .registry
        .titles()
        .into_iter()
        .filter(|(name, _)| match &caller {
            Caller::Operator => true,
            Caller::Member(session) => session.meeting == *name,
        })
        .map(|(name, title)| {
            let live = running.iter().any(|handle| *handle.name() == name);
            json!({ "id": name.as_str(), "title": title, "running": live })
        })
        .collect();
    Ok(Json(json!({ "meetings": listed })).into_response())
}

async fn meeting(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(meeting): Path<String>) -> Answer {
    let (name, title) = named(&site, &caller, &meeting)?;
    let snapshot = snapshot(&site, &caller, &name).await?;
    let (recording, transcription) =
        snapshot.as_ref().map_or((Capture::Off, Capture::Off), |snapshot| (snapshot.recording, snapshot.transcription));
    Ok(Json(json!({
        "id": name.as_str(),
        "title": title,
        "running": snapshot.is_some(),
        "recording": recording,
        "transcription": transcription,
        "participants": snapshot.map_or(0, |snapshot| snapshot.participants.len()),
    }))
    .into_response())
}

async fn participants(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(meeting): Path<String>,
) -> Answer {
    let (name, _) = named(&site, &caller, &meeting)?;
    let participants = snapshot(&site, &caller, &name).await?.map(|snapshot| snapshot.participants).unwrap_or_default();
    Ok(Json(json!({ "participants": participants })).into_response())
}

async fn act(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path((meeting, participant, act)): Path<(String, String, String)>,
) -> Answer {
    let id: Result<ParticipantId, _> = participant.parse();
    let id = id.map_err(|_| ProblemDetails::from(Refusal::NoSuchParticipant))?;
    let wanted = match act.as_str() {
        "admit" => Ask::Admit(id),
        "deny" => Ask::Deny(id),
        "mute" => Ask::Mute(id, true),
        "unmute" => Ask::Mute(id, false),
        "remove" => Ask::Remove(id),
        _ => return Err(ProblemDetails::not_found("act: admit, deny, mute, unmute and remove are known")),
    };
    ask(&site, &caller, &meeting, wanted).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    state: Capture,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    text: String,
}

async fn recording(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(meeting): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let Wanted { state } = read(body)?;
    ask(&site, &caller, &meeting, Ask::Recording(state)).await
}

async fn transcription(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(meeting): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let Wanted { state } = read(body)?;
    ask(&site, &caller, &meeting, Ask::Transcription(state)).await
}

async fn chat(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(meeting): Path<String>) -> Answer {
    let (name, _) = named(&site, &caller, &meeting)?;
    let who = presence(&site, &caller)?;
    let Some(handle) = live(&site, &name).await else { return Ok(Json(json!({ "chat": [] })).into_response()) };
    // Chat is for those inside (C-1).
    if who.is_some() && handle.snapshot(who).await.is_none_or(|snapshot| snapshot.standing != Standing::In) {
        return Err(Refusal::NotInside.into());
    }
    let lines = handle.chat().await;
    Ok(Json(json!({ "chat": lines })).into_response())
}

async fn say(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(meeting): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let Line { text } = read(body)?;
    ask(&site, &caller, &meeting, Ask::Chat(text)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invited {
    device: String,
}

/// Who may call devices into a meeting: the operator, and members inside (M-12).
async fn may_invite(site: &Site, caller: &Caller, name: &MeetingName) -> Result<(), ProblemDetails> {
    let Some(who) = presence(site, caller)? else { return Ok(()) };
    let Some(handle) = live(site, name).await else { return Err(Refusal::NotInside.into()) };
    let view = handle.snapshot(Some(who)).await.filter(|view| view.standing == Standing::In);
    if view.ok_or(Refusal::NotInside)?.may_admit { Ok(()) } else { Err(Refusal::NotAllowed.into()) }
}

/// The devices that can be called into a meeting (S-9).
async fn rooms(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(meeting): Path<String>) -> Answer {
    let (name, _) = named(&site, &caller, &meeting)?;
    may_invite(&site, &caller, &name).await?;
    Ok(Json(json!({ "devices": (site.settings.rooms)().await })).into_response())
}

/// Calls a device into a meeting (S-9): whoever answers presses 1, then knocks.
async fn invite(
    State(site): State<Arc<Site>>,
    Extension(caller): Extension<Caller>,
    Path(meeting): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let (name, _) = named(&site, &caller, &meeting)?;
    let Invited { device } = read(body)?;
    may_invite(&site, &caller, &name).await?;
    let call = (site.settings.invite)(name, device)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "call": call.to_string() }))).into_response())
}

async fn end(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(meeting): Path<String>) -> Answer {
    ask(&site, &caller, &meeting, Ask::End).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    limit: Option<usize>,
}

/// How the daemon is: all calls, meetings and sources.
async fn status(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>) -> Answer {
    operator_only(&caller)?;
    Ok(Json((site.settings.status)().await).into_response())
}

/// What is on its way by SMS, and what has become of it (C-7).
async fn outbox(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>) -> Answer {
    operator_only(&caller)?;
    Ok(Json((site.settings.outbox)().await).into_response())
}

/// a block that `status` lists is lifted.
async fn lift(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(name): Path<String>) -> Answer {
    operator_only(&caller)?;
    match (site.settings.lift)(name.clone()).await {
        true => {
            tracing::info!(name, "block lifted by the operator");
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        false => Err(ProblemDetails::not_found("block")),
    }
}

/// Has a device fetch its configuration anew.
async fn check_sync(State(site): State<Arc<Site>>, Extension(caller): Extension<Caller>, Path(device): Path<String>) -> Answer {
    operator_only(&caller)?;
    (site.settings.check_sync)(device).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn operator_only(caller: &Caller) -> Result<(), ProblemDetails> {
    match caller {
        Caller::Operator => Ok(()),
        Caller::Member(_) => Err(ProblemDetails::new(StatusCode::FORBIDDEN, "not-allowed", "Only the operator may do this.")),
    }
}

/// A list for the operator, of what one query gives.
fn listing(what: &'static str, query: fn(&HttpSettings) -> &StoreQuery) -> MethodRouter<Arc<Site>> {
    get(
        async move |State(site): State<Arc<Site>>,
                    Extension(caller): Extension<Caller>,
                    window: Result<Query<Window>, QueryRejection>| {
            stored(&caller, query(&site.settings), what, window).await
        },
    )
}

/// What is kept for the operator alone: it names devices and addresses of all meetings.
async fn stored(
    caller: &Caller,
    query: &StoreQuery,
    what: &'static str,
    window: Result<Query<Window>, QueryRejection>,
) -> Answer {
    operator_only(caller)?;
    let bad = |text: String| ProblemDetails::new(StatusCode::BAD_REQUEST, "bad-query", text);
    let Query(Window { limit }) = window.map_err(|rejection| bad(rejection.body_text()))?;
    let limit = limit.unwrap_or(LINES);
    if !(1..=MOST_LINES).contains(&limit) {
        return Err(bad(format!("`limit` is a number from 1 to {MOST_LINES}.")));
    }
    match query(limit).await {
        Ok(lines) => Ok(Json(json!({ what: lines })).into_response()),
        Err(error) => {
            tracing::error!(%error, what, "the store did not answer the API");
            Err(ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "store", "This cannot be read at the moment."))
        }
    }
}
