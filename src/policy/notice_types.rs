//! Vocabulary of notices (N-1 … N-6, N-8): changes of a capture, results, the ledger's entry, and the phrases that a notice is made of.

use std::time::Instant;

use super::types::{Capture, CaptureKind};
use crate::common::ids::{NoticeId, ParticipantId};
use crate::common::phrase::Phrase;
use crate::common::play_outcome::PlayOutcome;

/// The change of a capture that a notice announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CaptureNews {
    /// It was on already when the device entered (N-2).
    On,
    /// Off before, on now.
    Started,
    /// Interrupted; may go on. A device that enters meanwhile is owed it too.
    Paused,
    /// Goes on after a pause.
    Resumed,
    /// Over.
    Stopped,
}

impl CaptureNews {
    /// What changed between two states; `None` when nothing did.
    #[must_use]
    pub const fn between(from: Capture, to: Capture) -> Option<Self> {
        match (from, to) {
            (Capture::Off, Capture::On) => Some(Self::Started),
            (Capture::Paused, Capture::On) => Some(Self::Resumed),
            (Capture::Off | Capture::On, Capture::Paused) => Some(Self::Paused),
            (Capture::On | Capture::Paused, Capture::Off) => Some(Self::Stopped),
            (Capture::Off, Capture::Off) | (Capture::On, Capture::On) | (Capture::Paused, Capture::Paused) => None,
        }
    }

    /// What a device that enters is owed (N-2).
    #[must_use]
    pub const fn on_entry(state: Capture) -> Option<Self> {
        match state {
            Capture::Off => None,
            Capture::On => Some(Self::On),
            Capture::Paused => Some(Self::Paused),
        }
    }

    const fn phrase(self, what: CaptureKind) -> Phrase {
        match (what, self) {
            (CaptureKind::Recording, Self::On) => Phrase::RecordingOn,
            (CaptureKind::Recording, Self::Started) => Phrase::RecordingStarted,
            (CaptureKind::Recording, Self::Paused) => Phrase::RecordingPaused,
            (CaptureKind::Recording, Self::Resumed) => Phrase::RecordingResumed,
            (CaptureKind::Recording, Self::Stopped) => Phrase::RecordingStopped,
            (CaptureKind::Transcription, Self::On) => Phrase::TranscriptionOn,
            (CaptureKind::Transcription, Self::Started) => Phrase::TranscriptionStarted,
            (CaptureKind::Transcription, Self::Paused) => Phrase::TranscriptionPaused,
            (CaptureKind::Transcription, Self::Resumed) => Phrase::TranscriptionResumed,
            (CaptureKind::Transcription, Self::Stopped) => Phrase::TranscriptionStopped,
        }
    }
}

/// One change of one capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CaptureChange {
    /// Of what.
    pub what: CaptureKind,
    /// What happened.
    pub news: CaptureNews,
    /// Counts that capture's changes within the meeting, from 1. A device that enters is owed the current one.
    pub epoch: u64,
    /// When it reached the policy; for a device that enters, when it was admitted.
    pub at: Instant,
}

impl std::fmt::Display for CaptureChange {
    /// As the ledger has it: `recording started`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.what {
            CaptureKind::Recording => "recording",
            CaptureKind::Transcription => "transcription",
        };
        let news = match self.news {
            CaptureNews::On => "on",
            CaptureNews::Started => "started",
            CaptureNews::Paused => "paused",
            CaptureNews::Resumed => "resumed",
            CaptureNews::Stopped => "stopped",
        };
        write!(f, "{what} {news}")
    }
}

/// The RTP packets of a notice that really left our socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SentPackets {
    /// Their synchronization source (RFC 3550).
    pub ssrc: u32,
    /// Extended sequence number of the first.
    pub first: u32,
    /// Extended sequence number of the last.
    pub last: u32,
}

/// One line for the ledger (N-8). The owner adds the language and how much of it the device reports as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeEntry {
    /// The notice.
    pub notice: NoticeId,
    /// To whom. No name: the ledger outlives what may be kept of people.
    pub who: ParticipantId,
    /// The changes it announced, in order of the events.
    pub what: Vec<CaptureChange>,
    /// When the first of the changes reached the gateway.
    pub event_at: Instant,
    /// How it ended.
    pub outcome: PlayOutcome,
    /// The packets that carried it, as far as known by now.
    pub carried: Option<SentPackets>,
}

/// Why an administrator is alerted of a closed microphone (N-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlarmKind {
    /// Not begun within [`BEGINS_WITHIN`].
    Late,
    /// Begun, and not reported complete within its length and [`COMPLETES_WITHIN`].
    Unfinished,
    /// Reported as failed, or never begun at all.
    Failed,
    /// Cut off, and not by hold.
    Interrupted,
    /// Played more than once, and each time reported as lost on the way.
    NotReceived,
}

impl std::fmt::Display for AlarmKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Late => "late",
            Self::Unfinished => "unfinished",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::NotReceived => "not received",
        })
    }
}

/// The phrases that are true at the end and leave out no start (N-4): per capture the opening, if there was one,
/// and what closed it again, if something did.
pub(super) fn phrases(changes: &[CaptureChange]) -> Vec<Phrase> {
    CaptureKind::ALL.into_iter().flat_map(|what| essentials(changes, what)).flatten().map(|c| c.news.phrase(c.what)).collect()
}

/// The strongest opening among `changes` of one capture, and the last change where that does not leave it open.
pub(super) fn essentials(changes: &[CaptureChange], what: CaptureKind) -> [Option<CaptureChange>; 2] {
    let of_it = || changes.iter().copied().filter(move |c| c.what == what);
    let last_of = |news: CaptureNews| of_it().rfind(|c| c.news == news);
    let opening = last_of(CaptureNews::Started).or_else(|| last_of(CaptureNews::On)).or_else(|| last_of(CaptureNews::Resumed));
    let closing = of_it().next_back().filter(|c| matches!(c.news, CaptureNews::Paused | CaptureNews::Stopped));
    [opening, closing]
}
