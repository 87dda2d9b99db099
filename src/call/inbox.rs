//! The queues of calls: [`CallInboxes`], by which everybody reaches them, and [`CallInputs`], from which a call's own task reads.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::messages::CallInput;
use crate::common::ids::CallId;
use crate::common::machine::InputSource;
use crate::media::PortEvent;
use crate::meeting::{GUEST_QUEUE, ToGuest};

/// What may wait for a call. Full: the call is stuck; it is ended as stalled (DESIGN §6).
pub(super) const INBOX: usize = 64;

/// The inboxes of the calls that are up. The lock is held for one look or one change.
#[derive(Debug, Default)]
pub(super) struct CallInboxes(Mutex<HashMap<CallId, ListedInbox>>);

#[derive(Debug)]
struct ListedInbox {
    inbox: mpsc::Sender<CallInput>,
    /// Dropped with the inbox when it is taken off the list: so the task sees that, even if there is no room to say it.
    _listed: oneshot::Sender<Infallible>,
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The call will read it.
    Queued,
    /// There is no such call (any more).
    NoCall,
    /// There is no room: the call is stuck.
    Full,
}

/// The writing ends of a call's queues that its own acts are answered by.
#[derive(Debug, Clone)]
pub(super) struct CallSenders {
    /// Its inbox.
    pub(super) inbox: mpsc::Sender<CallInput>,
    /// What its port says.
    pub(super) port: mpsc::Sender<PortEvent>,
    /// What its meeting says.
    pub(super) meeting: mpsc::Sender<ToGuest>,
}

/// The queues of a new call, for its task.
#[derive(Debug)]
pub(super) struct CallQueues {
    /// What it reads.
    pub(super) inputs: CallInputs,
    /// What its acts are answered by.
    pub(super) senders: CallSenders,
}

/// All that a call takes in, in the order of its urgency.
#[derive(Debug)]
pub(super) struct CallInputs {
    /// Ends when the inbox is taken off the list; `None`: it has been.
    listed: Option<oneshot::Receiver<Infallible>>,
    inbox: mpsc::Receiver<CallInput>,
    port: mpsc::Receiver<PortEvent>,
    meeting: mpsc::Receiver<ToGuest>,
}

impl CallInboxes {
    fn lock(&self) -> MutexGuard<'_, HashMap<CallId, ListedInbox>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the queues of a new call.
    pub(super) fn open(&self, call: CallId) -> CallQueues {
        let (inbox, inputs) = mpsc::channel(INBOX);
        let (port, port_events) = mpsc::channel(INBOX);
        let (meeting, messages) = mpsc::channel(GUEST_QUEUE);
        let (on_list, listed) = oneshot::channel();
        self.lock().insert(call, ListedInbox { inbox: inbox.clone(), _listed: on_list });
        let inputs = CallInputs { listed: Some(listed), inbox: inputs, port: port_events, meeting: messages };
        CallQueues { inputs, senders: CallSenders { inbox, port, meeting } }
    }

    /// Puts an input into the inbox of a call, if there is room.
    pub(super) fn send(&self, call: CallId, input: CallInput) -> Delivery {
        match self.lock().get(&call).map(|listed| listed.inbox.try_send(input)) {
            Some(Ok(())) => Delivery::Queued,
            Some(Err(mpsc::error::TrySendError::Full(_))) => Delivery::Full,
            Some(Err(mpsc::error::TrySendError::Closed(_))) | None => Delivery::NoCall,
        }
    }

    /// The same for each call.
    pub(super) fn send_all(&self, input: impl Fn() -> CallInput) {
        for listed in self.lock().values() {
            // A call too busy to take it is ended by the limit of the drain.
            let _ = listed.inbox.try_send(input());
        }
    }

    /// Takes a call off the list. One that still runs sees it as [`CallInput::Stalled`].
    pub(super) fn remove(&self, call: CallId) {
        self.lock().remove(&call);
    }

    /// How many calls there are.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }
}

impl InputSource<CallInput> for CallInputs {
    async fn next(&mut self) -> Option<CallInput> {
        let Self { listed, inbox, port, meeting } = self;
        let is_listed = listed.is_some();
        let unlisted = async {
            if let Some(listed) = listed.as_mut() {
                // Nothing is ever sent by it: it ends.
                let _ = listed.await;
            }
        };
        tokio::select! {
            biased;
            () = unlisted, if is_listed => {
                *listed = None;
                Some(CallInput::Stalled)
            }
            Some(input) = inbox.recv() => Some(input),
            Some(event) = port.recv() => Some(CallInput::Media(event.heard)),
            Some(message) = meeting.recv() => Some(CallInput::Meeting(message)),
            else => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::cause::Cause;

    const CALL: CallId = CallId::from_number(1);

    fn end() -> CallInput {
        CallInput::End(Cause::EndedByOperator)
    }

    /// A call that is taken off the list sees that before what waits in its full inbox, and once.
    #[tokio::test]
    async fn a_call_with_a_full_inbox_sees_that_it_is_stalled() {
        let inboxes = CallInboxes::default();
        let CallQueues { mut inputs, senders: _senders } = inboxes.open(CALL);
        for _ in 0..INBOX {
            assert_eq!(inboxes.send(CALL, end()), Delivery::Queued);
        }
        assert_eq!((inboxes.send(CALL, end()), inboxes.count()), (Delivery::Full, 1));
        inboxes.remove(CALL);
        assert_eq!((inboxes.send(CALL, end()), inboxes.count()), (Delivery::NoCall, 0));
        assert!(matches!(inputs.next().await, Some(CallInput::Stalled)));
        assert!(matches!(inputs.next().await, Some(CallInput::End(_))));
    }

    /// Queues of port and meeting are read by the same task as the inbox.
    #[tokio::test]
    async fn one_task_reads_the_queues_of_port_and_meeting() {
        let inboxes = CallInboxes::default();
        let CallQueues { mut inputs, senders } = inboxes.open(CALL);
        senders.meeting.try_send(ToGuest::Waiting).unwrap();
        assert_eq!(inboxes.send(CALL, end()), Delivery::Queued);
        assert!(matches!(inputs.next().await, Some(CallInput::End(_))));
        assert!(matches!(inputs.next().await, Some(CallInput::Meeting(ToGuest::Waiting))));
    }
}
