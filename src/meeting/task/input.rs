//! What comes into a meeting's mailbox.

use crate::meeting::guest::Knock;
use crate::meeting::state::MeetingInput;

/// For a meeting's task.
pub(in crate::meeting) enum TaskInput {
    /// A device knocks: its media and its queue stay with the task.
    Knock(Box<Knock>),
    /// Anything else is the state's.
    Other(MeetingInput),
}

impl From<MeetingInput> for TaskInput {
    fn from(input: MeetingInput) -> Self {
        Self::Other(input)
    }
}
