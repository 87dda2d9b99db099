//! The way of events from bridge, relay and room into the mailbox of their meeting.

use tokio::sync::mpsc;

use super::input::TaskInput;
use crate::meeting::state::MeetingInput;

/// Brings events into the mailbox, while the meeting lives.
pub(super) async fn forward<E>(
    mut events: mpsc::Receiver<E>,
    mailbox: mpsc::WeakSender<TaskInput>,
    input: fn(E) -> MeetingInput,
) {
    while let Some(event) = events.recv().await {
        let Some(mailbox) = mailbox.upgrade() else { return };
        if mailbox.send(input(event).into()).await.is_err() {
            return;
        }
    }
}
