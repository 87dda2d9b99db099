//! What happens, as it happens (M-17): raised by calls and meetings, and read by whoever listens at the API.
//!
//! Whoever raises an event never waits. A listener that is too slow misses the oldest and is told how many; one that comes back is
//! given what it has missed, as far as that is remembered.
#![allow(clippy::disallowed_methods, reason = "an event carries the time of day")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::units::unix_millis;

/// Events that may wait for a listener (DESIGN section 6).
const QUEUE: usize = 4096;
/// Events remembered for who comes back.
const KEPT: usize = 1024;

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A device calls, or the device that is called rings.
    Ringing,
    /// The call has sound both ways.
    Answered,
    /// Somebody waits for the host (M-5).
    Waiting,
    /// Somebody waits in the lobby (M-6).
    Lobby,
    /// Somebody is inside.
    Admitted,
    /// Somebody was refused at the door.
    Denied,
    /// Recording has changed: `state`.
    Recording,
    /// Transcription has changed: `state`.
    Transcription,
    /// A microphone was closed (`state` is `on`) or opened.
    Muted,
    /// A hand was raised (`state` is `on`) or lowered.
    Hand,
    /// Somebody has written in the chat; not what.
    Chat,
    /// Somebody has left: `reason`.
    Left,
    /// The call is over: `reason`.
    Ended,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Event {
    /// Counts up, also over a restart.
    pub id: u64,
    /// What has happened.
    #[serde(rename = "type")]
    pub what: EventKind,
    /// When.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
    /// In which meeting.
    pub meeting: Option<String>,
    /// Whose call.
    pub call: Option<String>,
    /// Whose row in the meeting.
    pub participant: Option<String>,
    /// `on`, `off` or `paused`, of what has such a state.
    pub state: Option<String>,
    /// Why, as call records say it.
    pub reason: Option<String>,
}

/// An event that is about to be raised.
#[derive(Debug, Clone)]
#[must_use]
pub struct Draft {
    what: EventKind,
    meeting: Option<String>,
    call: Option<String>,
    participant: Option<String>,
    state: Option<String>,
    reason: Option<String>,
}

impl Draft {
    /// Of this kind.
    pub const fn of(what: EventKind) -> Self {
        Self { what, meeting: None, call: None, participant: None, state: None, reason: None }
    }

    /// In this meeting.
    pub fn meeting(self, meeting: &MeetingName) -> Self {
        Self { meeting: Some(meeting.to_string()), ..self }
    }

    /// Of this call.
    pub fn call(self, call: Option<CallId>) -> Self {
        Self { call: call.map(|call| call.to_string()), ..self }
    }

    /// Of this row.
    pub fn participant(self, who: ParticipantId) -> Self {
        Self { participant: Some(who.to_string()), ..self }
    }

    /// Now in this state.
    pub fn state(self, state: &str) -> Self {
        Self { state: Some(state.to_owned()), ..self }
    }

    /// For this reason.
    pub fn reason(self, reason: &str) -> Self {
        Self { reason: Some(reason.to_owned()), ..self }
    }
}

/// Raises events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Events(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    listeners: broadcast::Sender<Arc<Event>>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    first: u64,
    next: u64,
    events: VecDeque<Arc<Event>>,
}

impl Default for Events {
    /// No event yet.
    fn default() -> Self {
        // A number that grows over restarts and that JavaScript still counts exactly.
        let first = unix_millis(SystemTime::now()).saturating_mul(1000);
        let kept = Mutex::new(Kept { first, next: first, events: VecDeque::with_capacity(KEPT) });
        Self(Arc::new(Inner { listeners: broadcast::Sender::new(QUEUE), kept }))
    }
}

impl Events {
    /// Tells whoever listens.
    pub fn raise(&self, draft: Draft) {
        let Draft { what, meeting, call, participant, state, reason } = draft;
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let id = kept.next;
        let at = unix_millis(SystemTime::now());
        let event = Arc::new(Event { id, what, at, meeting, call, participant, state, reason });
        kept.next += 1;
        if kept.events.len() >= KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(Arc::clone(&event));
        // Under the lock, so that all listen in the order of the ids. Nobody may be listening.
        let _ = self.0.listeners.send(event);
    }

    /// Listens from now on, or from behind the event `after` on.
    #[must_use]
    pub fn listen(&self, after: Option<u64>) -> EventListener {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = self.0.listeners.subscribe();
        let Some(after) = after else { return EventListener { queue, missed: None, past: VecDeque::new() } };
        let past: VecDeque<_> = kept.events.iter().filter(|event| event.id > after).cloned().collect();
        let oldest = past.front().map_or(kept.next, |event| event.id);
        let missed = match after.checked_add(1) {
            // Of another run, or never told: how many there were is not known.
            Some(next) if next < kept.first => Some(Missed(None)),
            Some(next) if next < oldest => Some(Missed(Some(oldest - next))),
            _ => None,
        };
        EventListener { queue, missed, past }
    }
}

/// Events that a listener does not get; how many, if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed(pub Option<u64>);

/// One who listens.
#[derive(Debug)]
pub struct EventListener {
    queue: broadcast::Receiver<Arc<Event>>,
    missed: Option<Missed>,
    past: VecDeque<Arc<Event>>,
}

impl EventListener {
    /// The next event, or that some were missed; `None` when no more can come.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, Missed>> {
        if let Some(missed) = self.missed.take() {
            return Some(Err(missed));
        }
        if let Some(event) = self.past.pop_front() {
            return Some(Ok(event));
        }
        match self.queue.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Err(Missed(Some(missed)))),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn next(listener: &mut EventListener) -> Result<u64, Missed> {
        listener.next().await.expect("open").map(|event| event.id)
    }

    /// A listener that comes back gets what it has missed or is told how much.
    #[tokio::test]
    async fn m17_a_listener_that_comes_back_gets_what_it_has_missed() {
        let events = Events::default();
        let mut first = events.listen(None);
        events.raise(Draft::of(EventKind::Ringing).call(Some(CallId::from_number(7))));
        let id = next(&mut first).await.unwrap();
        for _ in 0..3 {
            events.raise(Draft::of(EventKind::Chat));
        }
        let mut back = events.listen(Some(id));
        for follows in 1..=3 {
            assert_eq!(next(&mut back).await, Ok(id + follows));
        }
        events.raise(Draft::of(EventKind::Ended).reason("hung-up"));
        assert_eq!(next(&mut back).await, Ok(id + 4), "and then what comes, once");
        assert_eq!(next(&mut events.listen(Some(5))).await, Err(Missed(None)), "of an earlier run");
        for _ in 0..KEPT {
            events.raise(Draft::of(EventKind::Chat));
        }
        let mut late = events.listen(Some(id));
        assert_eq!(next(&mut late).await, Err(Missed(Some(4))));
        assert_eq!(next(&mut late).await, Ok(id + 5));
        let mut of_the_future = events.listen(Some(u64::MAX));
        events.raise(Draft::of(EventKind::Chat));
        assert_eq!(next(&mut of_the_future).await, Ok(id + 5 + u64::try_from(KEPT).unwrap()));
    }

    /// Who is slow is told how many it has missed and nobody waits.
    #[tokio::test]
    async fn m17_who_is_slow_is_told_how_many_it_has_missed_and_nobody() {
        let events = Events::default();
        let mut slow = events.listen(None);
        for _ in 0..QUEUE + 10 {
            events.raise(Draft::of(EventKind::Hand).state("on"));
        }
        assert_eq!(next(&mut slow).await, Err(Missed(Some(10))));
        assert!(next(&mut slow).await.is_ok());
    }
}
