//! The event stream (M-17): server-sent events of all meetings for the operator, of the own meeting for a member, of the own calls for a
//! device.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::Answer;
use super::caller::ApiCaller;
use super::extract::InQuery;
use super::records::natural;
use crate::common::ids::MeetingName;
use crate::http::problem_details::ProblemDetails;
use crate::http::session::SessionId;
use crate::http::{AppState, WebSettings};
use crate::telemetry::events::{Event, EventListener, Missed};

/// Streams of the operator at once.
const OPERATORS: usize = 32;
/// Streams of all members and devices at once.
const MEMBERS: usize = 512;
/// Streams of one member's session or one device at once: its pages' and one more.
const A_MEMBERS: usize = 4;
/// How long somebody waits who wants one more.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// A proxy in between shall not take silence for an end.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Whose a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    Operators,
    Members(SessionId),
    Devices(String),
}

/// Who has how many streams open.
#[derive(Debug, Default)]
pub(in crate::http) struct Streams(Mutex<HashMap<Whose, usize>>);

/// One stream's place, given back when it ends.
struct Place {
    streams: Arc<Streams>,
    whose: Whose,
}

impl Streams {
    fn enter(self: &Arc<Self>, whose: Whose) -> Result<Place, ProblemDetails> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&whose).copied().unwrap_or_default();
        let members: usize = open.iter().filter(|(whose, _)| **whose != Whose::Operators).map(|(_, count)| count).sum();
        let fits = match whose {
            Whose::Operators => own < OPERATORS,
            Whose::Members(_) | Whose::Devices(_) => own < A_MEMBERS && members < MEMBERS,
        };
        if !fits {
            return Err(ProblemDetails::too_many("Too many event streams are open.", TRY_AGAIN));
        }
        open.insert(whose.clone(), own + 1);
        Ok(Place { streams: Arc::clone(self), whose })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.whose);
            }
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct From {
    /// What follows the event with this id, as far as it is remembered (the last 1024); the header `Last-Event-ID` says the same.
    #[param(minimum = 0)]
    after: Option<i64>,
}

/// Sent as the event `lagged`.
#[derive(Serialize, ToSchema)]
pub(super) struct Lagged {
    /// How many events the reader will not get, because it was too slow or away for too long; `null`: not known.
    missed: Option<u64>,
}

/// Events as they happen (server-sent events). The name of each is its `type`, its data an `Event`; `lagged` tells of missed ones.
#[utoipa::path(get, path = "/events", tag = "events", params(From, ("Last-Event-ID" = Option<String>, Header, description = "As browsers send it when they come back.")), responses(
    (status = 200, description = "Ends with what the caller has shown: a member's session, or a token that is taken away, and with the daemon. A comment every 15 s.", body = Event, content_type = "text/event-stream"),
))]
pub(super) async fn events(
    State(app): State<Arc<AppState>>,
    caller: ApiCaller,
    headers: HeaderMap,
    InQuery(From { after }): InQuery<From>,
) -> Answer {
    let whose = match &caller {
        ApiCaller::Operator => Whose::Operators,
        ApiCaller::Member(sessions) => Whose::Members(sessions.first().map(|session| session.id).unwrap_or_default()),
        ApiCaller::Device { label, .. } => Whose::Devices(label.clone()),
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse().ok());
    let after = natural(after)?.or(last);
    let place = app.streams.enter(whose)?;
    let (listener, shutdown, web) = (app.settings.events.listen(after), app.shutdown.clone(), app.settings.web.clone());
    let endings = app.settings.sessions.endings();
    let reader = Reader { listener, caller, web, endings, app, shutdown, _place: place };
    let sent = stream::unfold(reader, async |mut reader| reader.next().await.map(|sent| (Ok::<_, Infallible>(sent), reader)));
    Ok(Sse::new(sent).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

struct Reader {
    listener: EventListener,
    /// Who hears.
    caller: ApiCaller,
    web: watch::Receiver<Arc<WebSettings>>,
    endings: watch::Receiver<u64>,
    app: Arc<AppState>,
    shutdown: watch::Receiver<bool>,
    _place: Place,
}

impl Reader {
    async fn next(&mut self) -> Option<Sent> {
        loop {
            let told = tokio::select! {
                told = self.listener.next() => Some(told?),
                _ = self.shutdown.wait_for(|stops| *stops) => return None,
                Ok(()) = self.web.changed() => None,
                Ok(()) = self.endings.changed() => None,
                () = tokio::time::sleep(self.caller.remaining()) => None,
            };
            // A token that was taken away, or changed, opens nothing any more, nor does it keep anything open (O-2), and no more does
            // a session that is over; and a meeting that is made anew under an old name has other members.
            if !self.caller.is_still_known(&self.app) {
                return None;
            }
            match told {
                Some(Ok(event)) if self.may_hear(&event) => return Some(sent(&event)),
                Some(Err(Missed(missed))) => return Some(written("lagged", &Lagged { missed })),
                Some(Ok(_)) | None => {}
            }
        }
    }

    /// A member hears of the own meeting; a device of its own calls, and of what concerns all in the meeting that it is in.
    fn may_hear(&self, event: &Event) -> bool {
        let meeting = || event.meeting.as_deref().and_then(|name| MeetingName::new(name).ok());
        match (&self.caller, &event.call) {
            (ApiCaller::Operator, _) => true,
            (ApiCaller::Member(_), _) => {
                meeting().is_some_and(|meeting| self.caller.belongs_to(&meeting) && event.at >= self.caller.since(&meeting))
            }
            (ApiCaller::Device { .. }, Some(call)) => {
                let device = call.parse().ok().and_then(|call| self.app.settings.admin.calls.device_of(call));
                self.caller.is_device(device.as_deref())
            }
            (ApiCaller::Device { .. }, None) => {
                event.participant.is_none() && meeting().is_some_and(|meeting| self.caller.knows(&self.app, &meeting))
            }
        }
    }
}

fn sent(event: &Event) -> Sent {
    let name = serde_json::to_value(event.what).ok().and_then(|name| name.as_str().map(ToOwned::to_owned)).unwrap_or_default();
    written(&name, event).id(event.id.to_string())
}

fn written(name: &str, data: &impl Serialize) -> Sent {
    Sent::default().event(name).data(serde_json::to_string(data).unwrap_or_default())
}
