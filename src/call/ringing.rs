//! A device that is called into a meeting (S-9, M-18), until somebody takes the call: [`Placing`] until the INVITE is out, then
//! [`Ringing`].

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::invitation::OutboundProgress;
use super::messages::{CallAct, CallEnd, CallInput, SignallingPath};
use super::offer_answer::OfferAnswer;
use super::opening::{Opening, Origin};
use super::settings::CallSettings;
use super::setup::{PendingEnd, Step};
use crate::common::cause::Cause;
use crate::common::ids::MeetingName;
use crate::media::Share;
use crate::sip::uri::Host;
use crate::sip::{Command, Event};
use crate::telemetry::events::EventKind;

/// How long a device may ring.
pub(super) const RINGING: Duration = Duration::from_secs(60);

/// Which device is called, and where to.
#[derive(Debug, Clone)]
pub(super) struct OutboundInvite {
    /// Its label.
    pub(super) device: Arc<str>,
    /// The meeting.
    pub(super) meeting: MeetingName,
    /// What its display shows: the meeting's title; empty for none.
    pub(super) title: String,
    /// A call of the device that this one takes the place of: the value of `Replaces` (RFC 3891).
    pub(super) replaces: Option<String>,
    /// The address that devices are told, behind a NAT.
    pub(super) advertised: Option<IpAddr>,
}

enum PlacingStage {
    /// Where the device is, and whether it may ring now, is being found out.
    Locating,
    /// A port for the offer is being reserved.
    Reserving(SignallingPath),
}

/// A call to a device, before its INVITE is out.
pub(super) struct Placing {
    settings: Box<CallSettings>,
    invite: OutboundInvite,
    stage: PlacingStage,
    end: PendingEnd,
}

impl Placing {
    /// A device that shall be called.
    pub(super) fn begin(settings: Box<CallSettings>, invite: OutboundInvite, acts: &mut VecDeque<CallAct>) -> Self {
        acts.push_back(CallAct::FindTarget);
        Self { settings, invite, stage: PlacingStage::Locating, end: PendingEnd::default() }
    }

    pub(super) fn handle(mut self, now: Instant, input: CallInput, acts: &mut VecDeque<CallAct>) -> Step<Self, Ringing> {
        match (&self.stage, self.end.note(input)) {
            (PlacingStage::Locating, Some(CallInput::TargetFound(path))) => self.reserve(path, acts),
            (PlacingStage::Locating, Some(CallInput::NoTarget(cause)))
            | (PlacingStage::Reserving(_), Some(CallInput::PortNotReserved(cause))) => self.over(cause),
            (PlacingStage::Reserving(path), Some(CallInput::PortReserved(offer_answer))) => {
                let path = *path;
                self.ring(now, path, *offer_answer, acts)
            }
            _ => Step::Stay(self),
        }
    }

    fn reserve(mut self, path: SignallingPath, acts: &mut VecDeque<CallAct>) -> Step<Self, Ringing> {
        if self.end.cause.is_some() || self.settings.directory.by_name(&self.invite.meeting).is_none() {
            return self.over(Cause::UnknownAddress);
        }
        acts.push_back(CallAct::ReservePort { path, share: Share::Known, names: Vec::new() });
        self.stage = PlacingStage::Reserving(path);
        Step::Stay(self)
    }

    fn ring(
        self,
        now: Instant,
        path: SignallingPath,
        mut offer_answer: OfferAnswer,
        acts: &mut VecDeque<CallAct>,
    ) -> Step<Self, Ringing> {
        if let Some(cause) = self.end.cause {
            acts.push_back(CallAct::ReleasePort);
            return self.over(cause);
        }
        let OutboundInvite { device, meeting, title, replaces, advertised } = &self.invite;
        let entry = self.settings.directory.by_name(meeting);
        let id = entry.map(|entry| entry.conference_id.as_str()).filter(|id| !id.is_empty());
        let host = Host::Ip(advertised.unwrap_or(path.local));
        acts.push_back(CallAct::Sip(Command::CallDevice {
            call: self.settings.call,
            device: Arc::clone(device),
            from: format!("sip:{}@{host}", id.unwrap_or(meeting.as_str())),
            display: title.clone(),
            sdp: offer_answer.offer(),
            replaces: replaces.clone(),
        }));
        let (settings, meeting) = (self.settings, self.invite.meeting);
        Step::Next(Ringing { settings, meeting, offer_answer, until: now + RINGING, rings: false, end: self.end })
    }

    fn over(self, cause: Cause) -> Step<Self, Ringing> {
        let cause = self.end.cause.unwrap_or(cause);
        Step::Over(CallEnd::NotSetUp { cause, meeting: Some(self.invite.meeting) })
    }
}

/// A call to a device whose INVITE is out.
pub(super) struct Ringing {
    settings: Box<CallSettings>,
    meeting: MeetingName,
    pub(super) offer_answer: OfferAnswer,
    /// Until when it may ring.
    until: Instant,
    /// It has said that it rings.
    rings: bool,
    end: PendingEnd,
}

impl Ringing {
    pub(super) fn handle(mut self, input: CallInput, acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        match self.end.note(input) {
            Some(CallInput::Sip(Event::Ringing { status: 180, .. })) if !self.rings => {
                self.rings = true;
                acts.push_back(CallAct::Raise { what: EventKind::Ringing, meeting: Some(self.meeting.clone()) });
                acts.push_back(CallAct::Report(OutboundProgress::Ringing));
            }
            Some(CallInput::Sip(Event::Answered { sdp, .. })) => return self.taken(&sdp, acts),
            _ => {}
        }
        match self.end.cause {
            Some(cause) => self.give_up(cause, acts),
            None => Step::Stay(self),
        }
    }

    pub(super) fn wake(self, now: Instant, acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        if self.until <= now { self.give_up(Cause::NoAnswer, acts) } else { Step::Stay(self) }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        Some(self.until)
    }

    /// Somebody has taken the call.
    fn taken(mut self, sdp: &[u8], acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        match self.offer_answer.answered(sdp) {
            Ok(profile) => {
                acts.push_back(CallAct::NoteDialog);
                let origin = Origin::Outbound { meeting: self.meeting };
                Step::Next(Opening::begin(self.settings, origin, self.offer_answer, profile, acts))
            }
            Err(refusal) => self.give_up(refusal.cause, acts),
        }
    }

    /// Nobody has taken the call, or it cannot be used.
    fn give_up(self, cause: Cause, acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        acts.push_back(CallAct::NoteDialog);
        let cause = if self.end.peer_gone {
            refusal(cause)
        } else {
            acts.push_back(CallAct::Sip(Command::Bye { call: self.settings.call, cause }));
            cause
        };
        acts.push_back(CallAct::ReleasePort);
        Step::Over(CallEnd::NotSetUp { cause, meeting: Some(self.meeting) })
    }
}

/// What a device that does not take the call means by that.
const fn refusal(cause: Cause) -> Cause {
    match cause {
        Cause::Refused(603) => Cause::Declined,
        Cause::Refused(408 | 480 | 487) => Cause::NoAnswer,
        Cause::PeerGone => Cause::NotReachable,
        other => other,
    }
}
