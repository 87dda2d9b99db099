//! The machine of one call, from the INVITE or the invitation to its end: [`Call`].
//!
//! ```text
//! comes in:     Answering → AwaitingAck ↘
//!                                        Opening → Established: menu, meeting, parting, closing → Over
//! is placed:    Placing   → Ringing     ↗
//! is refused:   EarlyMedia → Over
//! ```
//! A phase takes an input and says by a [`Step`] where that leads. Every history ends in one [`CallAct::Done`]; before it, a port that was
//! reserved is given back or opened, and one that was opened is closed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Instant;

use super::answering::{Answering, AwaitingAck, InboundInvite};
use super::early_media::{Announcement, EarlyMedia};
use super::established::EstablishedCall;
use super::messages::{CallAct, CallInput};
use super::name_lookup::NameLookup;
use super::offer_answer::OfferAnswer;
use super::opening::Opening;
use super::registry::CallStage;
use super::ringing::{OutboundInvite, Placing, Ringing};
use super::settings::CallSettings;
use super::setup::Step;
use crate::common::machine::Machine;

enum Phase {
    /// Words before a refusal (S-10).
    EarlyMedia(EarlyMedia),
    /// The INVITE waits for a media port.
    Answering(Answering),
    /// The 200 waits for its ACK.
    AwaitingAck(AwaitingAck),
    /// Our INVITE waits for the way to the device, and for a media port.
    Placing(Placing),
    /// It rings there.
    Ringing(Ringing),
    /// The media port is being opened.
    Opening(Opening),
    /// Sound flows.
    Established(Box<EstablishedCall>),
    /// Nothing follows.
    Over,
}

/// One device's call.
pub(super) struct Call {
    phase: Phase,
    names: NameLookup,
    acts: VecDeque<CallAct>,
}

impl Call {
    /// A device calls, and is to be answered.
    pub(super) fn inbound(now: Instant, settings: CallSettings, invite: InboundInvite) -> Self {
        let mut acts = VecDeque::new();
        let phase = Phase::Answering(Answering::begin(now, Box::new(settings), invite, &mut acts));
        Self { phase, names: NameLookup::default(), acts }
    }

    /// A device is to be called.
    pub(super) fn outbound(settings: CallSettings, invite: OutboundInvite) -> Self {
        let mut acts = VecDeque::new();
        let phase = Phase::Placing(Placing::begin(Box::new(settings), invite, &mut acts));
        Self { phase, names: NameLookup::default(), acts }
    }

    /// A device calls, and is to be told why it is refused.
    pub(super) fn announced(announcement: Announcement, invite: InboundInvite) -> Self {
        let mut call = Self { phase: Phase::Over, names: NameLookup::default(), acts: VecDeque::new() };
        let step = EarlyMedia::begin(announcement, invite, &mut call.acts);
        call.phase = call.follow(step, Phase::EarlyMedia, never);
        call
    }

    /// How far it has come.
    pub(super) const fn stage(&self) -> CallStage {
        match &self.phase {
            Phase::EarlyMedia(_) | Phase::Answering(_) | Phase::AwaitingAck(_) => CallStage::Answering,
            Phase::Opening(opening) if opening.is_inbound() => CallStage::Answering,
            Phase::Placing(_) | Phase::Ringing(_) | Phase::Opening(_) => CallStage::Calling,
            Phase::Established(call) => call.stage(),
            Phase::Over => CallStage::Leaving,
        }
    }

    /// The exchange of descriptions, once the call has one.
    const fn offer_answer(&mut self) -> Option<&mut OfferAnswer> {
        match &mut self.phase {
            Phase::AwaitingAck(phase) => Some(&mut phase.offer_answer),
            Phase::Ringing(phase) => Some(&mut phase.offer_answer),
            Phase::Opening(phase) => Some(&mut phase.offer_answer),
            Phase::Established(call) => Some(&mut call.offer_answer),
            Phase::EarlyMedia(_) | Phase::Answering(_) | Phase::Placing(_) | Phase::Over => None,
        }
    }

    #[cfg(test)]
    pub(super) fn established(&mut self) -> &mut EstablishedCall {
        match &mut self.phase {
            Phase::Established(call) => call,
            _ => panic!("the call has no media"),
        }
    }

    /// The phase that a step leads to.
    fn follow<Stay, Next>(
        &mut self,
        step: Step<Stay, Next>,
        stay: impl FnOnce(Stay) -> Phase,
        next: impl FnOnce(Next) -> Phase,
    ) -> Phase {
        match step {
            Step::Stay(phase) => stay(phase),
            Step::Next(phase) => next(phase),
            Step::Over(end) => {
                self.acts.push_back(CallAct::Done(end));
                Phase::Over
            }
        }
    }
}

/// After words that were said before a refusal nothing follows.
fn never(next: Infallible) -> Phase {
    match next {}
}

impl Machine for Call {
    type Input = CallInput;
    type Output = CallAct;

    fn handle(&mut self, now: Instant, input: CallInput) {
        let Some((input, names)) = self.names.admit(input, &mut self.acts) else { return };
        if let Some((offer_answer, names)) = self.offer_answer().zip(names) {
            offer_answer.know(names);
        }
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::EarlyMedia(phase) => {
                let step = phase.handle(now, input, &mut self.acts);
                self.follow(step, Phase::EarlyMedia, never)
            }
            Phase::Answering(phase) => {
                let step = phase.handle(input, &mut self.acts);
                self.follow(step, Phase::Answering, Phase::AwaitingAck)
            }
            Phase::AwaitingAck(phase) => {
                let step = phase.handle(now, input, &mut self.acts);
                self.follow(step, Phase::AwaitingAck, Phase::Opening)
            }
            Phase::Placing(phase) => {
                let step = phase.handle(now, input, &mut self.acts);
                self.follow(step, Phase::Placing, Phase::Ringing)
            }
            Phase::Ringing(phase) => {
                let step = phase.handle(input, &mut self.acts);
                self.follow(step, Phase::Ringing, Phase::Opening)
            }
            Phase::Opening(phase) => {
                let step = phase.handle(now, input, &mut self.acts);
                self.follow(step, Phase::Opening, Phase::Established)
            }
            Phase::Established(mut call) => {
                call.handle(now, input);
                Phase::Established(call)
            }
            Phase::Over => Phase::Over,
        };
    }

    fn wake(&mut self, now: Instant) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::EarlyMedia(phase) => {
                let step = phase.wake(now, &mut self.acts);
                self.follow(step, Phase::EarlyMedia, never)
            }
            Phase::AwaitingAck(phase) => {
                let step = phase.wake(now, &mut self.acts);
                self.follow(step, Phase::AwaitingAck, Phase::Opening)
            }
            Phase::Ringing(phase) => {
                let step = phase.wake(now, &mut self.acts);
                self.follow(step, Phase::Ringing, Phase::Opening)
            }
            Phase::Established(mut call) => {
                call.wake(now);
                Phase::Established(call)
            }
            // What these wait for is the result of an act, which always comes.
            phase @ (Phase::Answering(_) | Phase::Placing(_) | Phase::Opening(_) | Phase::Over) => phase,
        };
    }

    fn poll(&mut self) -> Option<CallAct> {
        self.acts.pop_front().or_else(|| match &mut self.phase {
            Phase::Established(call) => call.poll(),
            _ => None,
        })
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::EarlyMedia(phase) => phase.deadline(),
            Phase::AwaitingAck(phase) => phase.deadline(),
            Phase::Ringing(phase) => phase.deadline(),
            Phase::Established(call) => call.deadline(),
            Phase::Answering(_) | Phase::Placing(_) | Phase::Opening(_) | Phase::Over => None,
        }
    }
}
