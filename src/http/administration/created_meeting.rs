//! Meetings that the API makes beside the configured ones (U-4).

use crate::common::ids::MeetingName;
use crate::common::redact::Redacted;

/// A meeting that shall be made.
#[derive(Debug, Clone)]
pub struct NewMeeting {
    /// Its name.
    pub id: MeetingName,
    /// For people; `None`: its name.
    pub title: Option<String>,
    /// Digits to key in or dial.
    pub conference_id: Option<String>,
    /// Digits asked of callers.
    pub passcode: Option<Redacted<String>>,
}

/// Why a meeting is not made or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewMeetingError {
    /// Its name or number means something already: what.
    Taken(String),
    /// Too many were made.
    Full,
    /// It is part of the configuration.
    Configured,
    /// There is none of this name.
    Unknown,
}
