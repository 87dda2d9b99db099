//! The event stream (M-17): server-sent events of all meetings for the operator, of the own meeting for a member, of the own calls for a
//! device.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::caller::ApiCaller;
use super::extract::InQuery;
use super::query_time::natural;
use crate::common::ids::MeetingName;
use crate::http::event_streams::{StreamOwner, StreamSlot};
use crate::http::settings::WebSettings;
use crate::http::state::AppState;
use crate::telemetry::events::{Event, EventListener, Missed};

/// The time between two comments without an event, so that no proxy closes the stream as idle.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

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
    let owner = match &caller {
        ApiCaller::Operator => StreamOwner::Operator,
        ApiCaller::Member(sessions) => StreamOwner::Member(sessions.first().map(|session| session.id).unwrap_or_default()),
        ApiCaller::Device { label, .. } => StreamOwner::Device(label.clone()),
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse().ok());
    let after = natural(after)?.or(last);
    let slot = app.event_streams.open(owner)?;
    let (listener, shutdown, web) = (app.handles.events.listen(after), app.shutdown.clone(), app.handles.web.clone());
    let endings = app.handles.sessions.endings();
    let reader = Reader { listener, caller, web, endings, app, shutdown, _slot: slot };
    let sent = stream::unfold(reader, async |mut reader| reader.next().await.map(|sent| (Ok::<_, Infallible>(sent), reader)));
    Ok(Sse::new(sent).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

struct Reader {
    listener: EventListener,
    /// Decides which events it gets.
    caller: ApiCaller,
    web: watch::Receiver<Arc<WebSettings>>,
    endings: watch::Receiver<u64>,
    app: Arc<AppState>,
    shutdown: watch::Receiver<bool>,
    _slot: StreamSlot,
}

impl Reader {
    async fn next(&mut self) -> Option<Sent> {
        loop {
            let received = tokio::select! {
                received = self.listener.next() => Some(received?),
                _ = self.shutdown.wait_for(|stops| *stops) => return None,
                Ok(()) = self.web.changed() => None,
                Ok(()) = self.endings.changed() => None,
                () = tokio::time::sleep(self.caller.remaining()) => None,
            };
            // Credentials are checked again at each change: a token that a reload has removed or changed closes its streams (O-2), and so
            // does the end of a session; a meeting that is made anew under an old name has other members.
            if !self.caller.is_still_known(&self.app) {
                return None;
            }
            match received {
                Some(Ok(event)) if self.may_receive(&event) => return Some(sent(&event)),
                Some(Err(Missed(missed))) => return Some(written("lagged", &Lagged { missed })),
                Some(Ok(_)) | None => {}
            }
        }
    }

    /// Whether the caller may know of an event: a member of those of its own meeting, a device of those of its own calls, and of what concerns
    /// all in the meeting that it is in.
    fn may_receive(&self, event: &Event) -> bool {
        let meeting = || event.meeting.as_deref().and_then(|name| MeetingName::new(name).ok());
        match (&self.caller, &event.call) {
            (ApiCaller::Operator, _) => true,
            (ApiCaller::Member(_), _) => {
                meeting().is_some_and(|meeting| self.caller.belongs_to(&meeting) && event.at >= self.caller.since(&meeting))
            }
            (ApiCaller::Device { .. }, Some(call)) => {
                let device = call.parse().ok().and_then(|call| self.app.administration().device_of(call));
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
