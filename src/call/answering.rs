//! A call that comes in, from the INVITE to the ACK: [`Answering`] until it has a port and a description, then [`AwaitingAck`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::media_refusal::MediaRefusal;
use super::messages::{CallAct, CallEnd, CallInput, SignallingPath};
use super::name_lookup::names_of;
use super::offer_answer::OfferAnswer;
use super::opening::{Opening, Origin};
use super::settings::CallSettings;
use super::setup::{EarlyRequests, PendingEnd, Step};
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::media::{Profile, Share};
use crate::sip::{Command, Event, Incoming};
use crate::telemetry::events::EventKind;

/// How long the ACK of a call that shall end is waited for, so that it ends with words: far longer than any way to a phone and back.
pub(super) const ACK_AWAITED: Duration = Duration::from_secs(2);

/// What an INVITE says that its answer depends on.
#[derive(Debug, Clone)]
pub(super) struct InboundInvite {
    /// The way it has come.
    pub(super) path: SignallingPath,
    /// Their description; `None`: they want ours (RFC 3261 section 13.2.1).
    pub(super) offer: Option<Vec<u8>>,
    /// They take a 180 only if it comes reliably (RFC 3262): ring before answering.
    pub(super) requires_100rel: bool,
    /// The call that this one takes the place of (RFC 3891, M-18).
    pub(super) replaces: Option<CallId>,
    /// Which part of the media ports it may use.
    pub(super) share: Share,
}

impl InboundInvite {
    /// What `incoming` says of it.
    pub(super) fn of(incoming: &Incoming, share: Share) -> Self {
        let (local, remote, proof) = (incoming.local.ip(), incoming.source.ip(), incoming.proof);
        Self {
            path: SignallingPath { local, remote, proof },
            offer: incoming.offer.clone(),
            requires_100rel: incoming.requires_100rel,
            replaces: incoming.replaces,
            share,
        }
    }

    /// What reserves the port for it.
    pub(super) fn reserve_port(&self) -> CallAct {
        CallAct::ReservePort { path: self.path, share: self.share, names: names_of(self.offer.as_deref()) }
    }
}

/// An INVITE that waits for its media port.
pub(super) struct Answering {
    settings: Box<CallSettings>,
    invite: InboundInvite,
    rang: Instant,
    end: PendingEnd,
}

impl Answering {
    /// An INVITE that was admitted at `now`.
    pub(super) fn begin(now: Instant, settings: Box<CallSettings>, invite: InboundInvite, acts: &mut VecDeque<CallAct>) -> Self {
        acts.push_back(CallAct::Raise { what: EventKind::Ringing, meeting: None });
        if invite.requires_100rel {
            acts.push_back(CallAct::Sip(Command::Ring { call: settings.call }));
        }
        acts.push_back(invite.reserve_port());
        Self { settings, invite, rang: now, end: PendingEnd::default() }
    }

    pub(super) fn handle(mut self, input: CallInput, acts: &mut VecDeque<CallAct>) -> Step<Self, AwaitingAck> {
        match self.end.note(input) {
            Some(CallInput::PortReserved(offer_answer)) => self.answer(*offer_answer, acts),
            Some(CallInput::PortNotReserved(cause)) => self.refuse(cause.into(), acts),
            _ => Step::Stay(self),
        }
    }

    fn answer(self, mut offer_answer: OfferAnswer, acts: &mut VecDeque<CallAct>) -> Step<Self, AwaitingAck> {
        let call = self.settings.call;
        let answer = match self.end.cause {
            Some(cause) => Err(cause.into()),
            None => offer_answer.respond(self.invite.offer.as_deref()),
        };
        match answer {
            Ok((sdp, agreed)) => {
                acts.push_back(CallAct::Sip(Command::Answer { call, sdp }));
                let origin = Origin::Inbound { rang: self.rang, replaces: self.invite.replaces };
                let (early, end) = (EarlyRequests::default(), self.end);
                Step::Next(AwaitingAck { settings: self.settings, origin, offer_answer, agreed, early, end, until: None })
            }
            Err(refusal) => {
                acts.push_back(CallAct::ReleasePort);
                self.refuse(refusal, acts)
            }
        }
    }

    fn refuse(self, refusal: MediaRefusal, acts: &mut VecDeque<CallAct>) -> Step<Self, AwaitingAck> {
        let refusal = self.end.cause.map_or(refusal, MediaRefusal::from);
        let cause = refusal.cause;
        if !self.end.peer_gone {
            acts.push_back(CallAct::Sip(refusal.command(self.settings.call)));
        }
        Step::Over(CallEnd::NotSetUp { cause, meeting: None })
    }
}

/// A call that was answered and waits for the ACK: after it the device surely listens.
pub(super) struct AwaitingAck {
    settings: Box<CallSettings>,
    origin: Origin,
    pub(super) offer_answer: OfferAnswer,
    /// What was agreed on; `None`: the ACK shall bring their answer to our offer.
    agreed: Option<Profile>,
    early: EarlyRequests,
    end: PendingEnd,
    /// Until when the ACK of a call that shall end is waited for.
    until: Option<Instant>,
}

impl AwaitingAck {
    pub(super) fn handle(mut self, now: Instant, input: CallInput, acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        match self.end.note(input) {
            Some(CallInput::Sip(Event::Acked { sdp, .. })) => return self.acknowledged(sdp.as_deref(), acts),
            Some(CallInput::Sip(event)) => {
                let agreed = self.early.take(self.settings.call, event, &mut self.offer_answer, acts);
                self.agreed = agreed.or(self.agreed);
            }
            _ => {}
        }
        match self.end.cause {
            Some(cause) if self.end.peer_gone => self.give_up(cause, acts),
            Some(_) => {
                self.until.get_or_insert(now + ACK_AWAITED);
                Step::Stay(self)
            }
            None => Step::Stay(self),
        }
    }

    pub(super) fn wake(self, now: Instant, acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        match (self.until, self.end.cause) {
            // A BYE may not go before the ACK (RFC 3261 section 15): the endpoint keeps it until then, and nobody here waits for it.
            (Some(until), Some(cause)) if until <= now => self.hang_up(cause, acts),
            _ => Step::Stay(self),
        }
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.until
    }

    fn acknowledged(mut self, answer: Option<&[u8]>, acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        let agreed = match (self.agreed.take(), answer) {
            (Some(profile), _) => Ok(profile),
            (None, Some(answer)) => self.offer_answer.answered(answer),
            (None, None) => Err(Cause::NoCommonCodec.into()),
        };
        match agreed {
            Ok(profile) => {
                let opening = Opening::begin(self.settings, self.origin, self.offer_answer, profile, acts);
                Step::Next(opening.after(self.early, self.end))
            }
            Err(refusal) => self.hang_up(refusal.cause, acts),
        }
    }

    fn hang_up(self, cause: Cause, acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        acts.push_back(CallAct::Sip(Command::Bye { call: self.settings.call, cause }));
        self.give_up(cause, acts)
    }

    fn give_up(self, cause: Cause, acts: &mut VecDeque<CallAct>) -> Step<Self, Opening> {
        acts.push_back(CallAct::ReleasePort);
        Step::Over(CallEnd::NotSetUp { cause, meeting: None })
    }
}
