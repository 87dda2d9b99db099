//! The owner of one meeting's [state](super::state): it has the clock, the mailbox and all that the acts of the state are done with.
//!
//! Requests flow in by the [mailbox](TaskInput), and so do events of the bridge and of the relay, each by a queue and a forwarder of its own. Acts go to the
//! media worker, the store, the relay, the listeners of events, and to calls by their bounded queues. What waits for more than room in a
//! queue below is started apart from the task, but for what the state has to know before it goes on: the answer to a browser's offer, a
//! seat of the last run, the file of a recording.

mod effects;
mod forward;
mod input;
mod ledger;
mod owner;
mod relay;
mod room;

pub(super) use input::TaskInput;
pub(super) use owner::MeetingTask;
