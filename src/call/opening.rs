//! A call that is answered and acknowledged, while the media worker opens its port: [`Opening`].

use std::collections::VecDeque;
use std::time::Instant;

use super::established::EstablishedCall;
use super::invitation::OutboundProgress;
use super::messages::{CallAct, CallEnd, CallInput};
use super::offer_answer::OfferAnswer;
use super::settings::CallSettings;
use super::setup::{EarlyRequests, PendingEnd, Step};
use crate::codec::CodecKind;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName};
use crate::media::Profile;
use crate::sip::Command;
use crate::telemetry::events::EventKind;

/// How a call has come about.
#[derive(Debug)]
pub(super) enum Origin {
    /// The device has called.
    Inbound {
        /// When.
        rang: Instant,
        /// The call whose place it takes (M-18).
        replaces: Option<CallId>,
    },
    /// The device was called into a meeting (S-9).
    Outbound {
        /// Which.
        meeting: MeetingName,
    },
}

/// A call whose port is being opened.
pub(super) struct Opening {
    settings: Box<CallSettings>,
    origin: Origin,
    pub(super) offer_answer: OfferAnswer,
    codec: CodecKind,
    /// What was agreed on since the port was asked for.
    changed: Option<Profile>,
    early: EarlyRequests,
    end: PendingEnd,
}

impl Opening {
    /// Opens the port as agreed.
    pub(super) fn begin(
        settings: Box<CallSettings>,
        origin: Origin,
        offer_answer: OfferAnswer,
        agreed: Profile,
        acts: &mut VecDeque<CallAct>,
    ) -> Self {
        let (codec, early, end) = (agreed.codec, EarlyRequests::default(), PendingEnd::default());
        acts.push_back(CallAct::OpenPort(agreed));
        Self { settings, origin, offer_answer, codec, changed: None, early, end }
    }

    /// With what has come up before.
    pub(super) fn after(self, early: EarlyRequests, end: PendingEnd) -> Self {
        Self { early, end, ..self }
    }

    /// The device has called, and was not called.
    pub(super) const fn is_inbound(&self) -> bool {
        matches!(self.origin, Origin::Inbound { .. })
    }

    pub(super) fn handle(
        mut self,
        now: Instant,
        input: CallInput,
        acts: &mut VecDeque<CallAct>,
    ) -> Step<Self, Box<EstablishedCall>> {
        match self.end.note(input) {
            Some(CallInput::PortOpened) => return Step::Next(self.opened(now, acts)),
            Some(CallInput::PortNotOpened) => return self.not_opened(acts),
            Some(CallInput::Sip(event)) => {
                let changed = self.early.take(self.settings.call, event, &mut self.offer_answer, acts);
                self.changed = changed.or(self.changed);
            }
            _ => {}
        }
        Step::Stay(self)
    }

    fn opened(self, now: Instant, acts: &mut VecDeque<CallAct>) -> Box<EstablishedCall> {
        acts.extend(self.changed.map(CallAct::Reprofile));
        match self.origin {
            Origin::Inbound { rang, replaces } => {
                acts.push_back(CallAct::CountAnswer(now.saturating_duration_since(rang)));
                acts.extend(replaces.map(CallAct::TakePlaceOf));
                acts.push_back(CallAct::Raise { what: EventKind::Answered, meeting: None });
            }
            Origin::Outbound { meeting } => {
                acts.push_back(CallAct::Raise { what: EventKind::Answered, meeting: Some(meeting) });
                acts.push_back(CallAct::Report(OutboundProgress::Answered));
            }
        }
        let mut call = EstablishedCall::new(now, *self.settings, self.offer_answer, self.codec);
        match self.end.cause {
            Some(cause) => call.end(now, cause, self.end.peer_gone),
            None => call.begin(now, self.early),
        }
        Box::new(call)
    }

    fn not_opened(self, acts: &mut VecDeque<CallAct>) -> Step<Self, Box<EstablishedCall>> {
        let cause = self.end.cause.unwrap_or(Cause::Fault);
        if !self.end.peer_gone {
            acts.push_back(CallAct::Sip(Command::Bye { call: self.settings.call, cause }));
        }
        let meeting = match self.origin {
            Origin::Outbound { meeting } => Some(meeting),
            Origin::Inbound { .. } => None,
        };
        Step::Over(CallEnd::NotSetUp { cause, meeting })
    }
}
