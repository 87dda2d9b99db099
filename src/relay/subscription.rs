//! The devices that are inside meetings, and the people around them who get the chat by SMS.

use std::time::Instant;

use super::number::PhoneNumber;
use super::readers::{OptInMeans, ReaderId, ReaderState, SmsReader};
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::rate_limit::TokenBucket;
use crate::common::redact::Redacted;

/// Digits of every code.
pub(super) const DIGITS: usize = 8;

/// What a subscription can be.
#[derive(Debug)]
pub(super) enum State {
    /// The code is on its way.
    Asked { code: Redacted<String>, until: Instant, wrong: u8 },
    /// The join code was right; a member has to confirm it until then (M-7).
    Pending { until: Instant },
    /// All was right; the proof is being written.
    Proving,
    /// Lines are relayed.
    On,
    /// It was stopped, or never came to be.
    Off,
}

impl State {
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Asked { .. } => "asked",
            Self::Pending { .. } => "pending",
            Self::Proving => "proving",
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// Lines over the allowance, to be told of in one message (C-4).
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lines: u64,
    pub(super) name: String,
    pub(super) text: Redacted<String>,
}

/// Somebody around a device who wants messages.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) id: ReaderId,
    pub(super) means: OptInMeans,
    pub(super) state: State,
    pub(super) budget: TokenBucket,
    pub(super) held: Option<Held>,
    pub(super) segments: u64,
    /// Was told that there is no more today, of the day that ends then.
    pub(super) limited: Option<Instant>,
}

impl Subscription {
    pub(super) const fn is_on(&self) -> bool {
        matches!(self.state, State::On)
    }

    /// As it is shown to those who may admit, if it is.
    pub(super) fn reader(&self, number: &PhoneNumber) -> Option<SmsReader> {
        let state = match self.state {
            State::On => ReaderState::On,
            State::Pending { .. } | State::Proving if self.means == OptInMeans::Sms => ReaderState::Pending,
            State::Pending { .. } | State::Proving | State::Asked { .. } | State::Off => return None,
        };
        Some(SmsReader { id: self.id, number: number.to_string(), means: self.means, state })
    }

    /// Counts a text against the allowance; `false`: there is no room for all of it.
    pub(super) fn takes(&mut self, now: Instant, parts: u64) -> bool {
        let taken = self.budget.take_all(now, u32::try_from(parts).unwrap_or(u32::MAX));
        if taken {
            self.segments += parts;
        }
        taken
    }
}

/// A device inside a meeting.
#[derive(Debug)]
pub(super) struct PresentDevice {
    /// For the proof and the operator.
    pub(super) call: CallId,
    pub(super) meeting: MeetingName,
    pub(super) label: String,
    pub(super) name: String,
    /// Whoever texts it, and is confirmed, is one of the people around the device.
    pub(super) join_code: Redacted<String>,
    /// What was shown of it last.
    pub(super) shown: Option<(Redacted<String>, Vec<SmsReader>)>,
    /// The number that was keyed in last.
    pub(super) keyed: Option<PhoneNumber>,
    /// Codes that were asked for.
    pub(super) codes: u8,
}

impl PresentDevice {
    /// One that has just entered, without a join code so far.
    pub(super) const fn new(call: CallId, meeting: MeetingName, label: String, name: String) -> Self {
        Self { call, meeting, label, name, join_code: Redacted::new(String::new()), shown: None, keyed: None, codes: 0 }
    }
}

/// The subscriptions around one device, as a range of all.
pub(super) fn around(participant: ParticipantId) -> impl std::ops::RangeBounds<(ParticipantId, PhoneNumber)> {
    let next = ParticipantId::from_number(participant.number().saturating_add(1));
    (participant, PhoneNumber::lowest())..(next, PhoneNumber::lowest())
}

/// A text without what a phone's display could make nothing of (C-9); its lines stay lines.
pub(super) fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>().trim().to_owned()
}
