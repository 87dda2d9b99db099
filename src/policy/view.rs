//! What may be seen of a meeting, by whom (M-8).

use std::collections::BTreeSet;
use std::time::Duration;

use super::types::{Capture, Muted, Role, Standing, Via};
use crate::common::ids::ParticipantId;
use crate::common::redact::Redacted;

/// One row of roster or lobby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantRow {
    /// Stable for this presence.
    pub id: ParticipantId,
    /// Display name (M-4).
    pub name: Redacted<String>,
    /// Member or external (M-3).
    pub role: Role,
    /// Page or phone.
    pub via: Via,
    /// Where they stand.
    pub standing: Standing,
    /// An organiser, or a call that gave the organiser's PIN (K-2).
    pub organiser: bool,
    /// Whether the microphone is closed, and by whom (K-4). Of somebody who waits nobody else learns that (M-8).
    pub muted: Muted,
    /// The hand is up.
    pub hand: bool,
    /// On hold (S-5).
    pub on_hold: bool,
    /// The connection is lost for the moment (M-5).
    pub reconnecting: bool,
    /// How long they have waited, while they wait.
    pub waiting: Option<Duration>,
}

/// The whole of what one viewer may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// The viewer.
    pub you: ParticipantId,
    /// Where the viewer stands. While not [`Standing::In`] there is one row, its own, and both captures read off (M-8).
    pub standing: Standing,
    /// Everybody inside; those who wait only for a viewer who may admit.
    pub participants: Vec<ParticipantRow>,
    /// Recording (N-1).
    pub recording: Capture,
    /// Transcription (N-1).
    pub transcription: Capture,
    /// May admit and deny (M-7).
    pub may_admit: bool,
    /// May switch recording and transcription (M-12).
    pub may_record: bool,
    /// May end the meeting for all.
    pub may_end: bool,
    /// May have devices called into the meeting (S-9).
    pub may_call_rooms: bool,
}

impl SeenRow {
    /// As others see it: of one who waits not what it does with its microphone or its hand (M-8).
    pub(super) fn to_others(self) -> Self {
        match self.standing {
            Standing::In => self,
            Standing::Waiting | Standing::Lobby => Self { muted: Muted::default(), hand: false, on_hold: false, ..self },
        }
    }
}

/// Whose rows have changed since they were asked for last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ViewChanges {
    /// As everybody sees them who sees them at all.
    pub rows: BTreeSet<ParticipantId>,
    /// As they see themselves.
    pub own: BTreeSet<ParticipantId>,
}

/// What of a row is seen and changes by facts, compared with what was last shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeenRow {
    pub(super) role: Role,
    pub(super) standing: Standing,
    pub(super) organiser: bool,
    pub(super) muted: Muted,
    pub(super) hand: bool,
    pub(super) on_hold: bool,
    pub(super) reconnecting: bool,
}
