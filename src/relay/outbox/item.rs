//! One item in the outbox: how far it has come on the disk and with the provider.

use std::time::Instant;

use super::messages::OutboxLine;
use crate::common::ids::ParticipantId;
use crate::relay::sms::OutgoingSms;

/// How an item has ended before a receipt could come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmsEnd {
    Accepted,
    Refused,
    Unknown,
    Expired,
    Dropped,
}

impl SmsEnd {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
            Self::Dropped => "dropped",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ItemState {
    /// It is being written; already marked as submitted, if so.
    Keeping { marked: bool },
    /// It is on the disk; marked as one that may have been submitted, if so.
    Waiting { not_before: Instant, marked: bool },
    /// That it may have been submitted is being written.
    Marking,
    /// That it was not submitted after all is being written.
    Unmarking { not_before: Instant },
    /// The provider has it, or not.
    Out,
    /// Its end is being written, or is to be written again.
    Closing { receipts: Option<(String, Instant)>, again: Option<Instant> },
}

#[derive(Debug)]
pub(super) struct OutboxItem {
    pub(super) sms: OutgoingSms,
    /// The message that it is a part of: the first part's id.
    pub(super) message: u64,
    pub(super) participant: Option<ParticipantId>,
    pub(super) until: Instant,
    pub(super) tries: u32,
    pub(super) state: ItemState,
    /// To be dropped as soon as what is under way with it has ended.
    pub(super) unwanted: bool,
}

impl OutboxItem {
    /// Something is under way with it that takes one of the places which the provider gives.
    pub(super) const fn active(&self) -> bool {
        match &self.state {
            ItemState::Keeping { marked } => *marked,
            ItemState::Waiting { .. } => false,
            ItemState::Marking | ItemState::Unmarking { .. } | ItemState::Out | ItemState::Closing { .. } => true,
        }
    }

    /// Active, or marked on the disk: after a crash it would be one that may have been submitted, and there are never more of those
    /// than places (C-7).
    pub(super) const fn holds_place(&self) -> bool {
        self.active() || matches!(self.state, ItemState::Waiting { marked: true, .. })
    }

    /// It may go now, and is marked or not.
    pub(super) fn is_ready(&self, now: Instant, wanted: bool) -> bool {
        matches!(self.state, ItemState::Waiting { not_before, marked } if not_before <= now && marked == wanted)
    }

    pub(super) fn line(&self) -> OutboxLine {
        let state = match &self.state {
            ItemState::Keeping { .. } | ItemState::Waiting { .. } | ItemState::Unmarking { .. } => "waiting",
            ItemState::Marking | ItemState::Out => "submitted",
            ItemState::Closing { .. } => "closing",
        };
        OutboxLine::of(&self.sms, state, self.tries)
    }
}
