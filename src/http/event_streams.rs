//! [`EventStreams`]: how many event streams are open, and whose (M-17, X-2).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::problem_details::ProblemDetails;
use super::session::SessionId;

/// Streams of the operator at once.
const OF_THE_OPERATOR: usize = 32;
/// Streams of all members and devices at once.
const OF_MEMBERS_AND_DEVICES: usize = 512;
/// Streams of one member's session or one device at once: those of its pages and one more.
const OF_ONE_CALLER: usize = 4;
/// When to try again where too many are open.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Whose a stream is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum StreamOwner {
    Operator,
    Member(SessionId),
    Device(String),
}

/// Counts of open streams by owner.
#[derive(Debug, Default)]
pub(super) struct EventStreams(Mutex<HashMap<StreamOwner, usize>>);

/// The place of one open stream; dropping it frees it.
pub(super) struct StreamSlot {
    streams: Arc<EventStreams>,
    owner: StreamOwner,
}

impl EventStreams {
    pub(super) fn open(self: &Arc<Self>, owner: StreamOwner) -> Result<StreamSlot, ProblemDetails> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&owner).copied().unwrap_or_default();
        let members: usize = open.iter().filter(|(owner, _)| **owner != StreamOwner::Operator).map(|(_, count)| count).sum();
        let fits = match owner {
            StreamOwner::Operator => own < OF_THE_OPERATOR,
            StreamOwner::Member(_) | StreamOwner::Device(_) => own < OF_ONE_CALLER && members < OF_MEMBERS_AND_DEVICES,
        };
        if !fits {
            return Err(ProblemDetails::too_many("Too many event streams are open.", TRY_AGAIN));
        }
        open.insert(owner.clone(), own + 1);
        Ok(StreamSlot { streams: Arc::clone(self), owner })
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.owner) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.owner);
            }
        }
    }
}
