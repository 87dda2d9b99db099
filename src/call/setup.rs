//! What the phases before a call has media have in common: how one leads to the next, and what of it all may end the call or is kept for
//! later.

use super::messages::{CallAct, CallEnd, CallInput};
use super::offer_answer::OfferAnswer;
use crate::common::cause::Cause;
use crate::common::ids::CallId;
use crate::media::Profile;
use crate::sip::{Command, Event};

/// Keys that are kept until the menu begins; a hand is not that fast.
const EARLY_KEYS: usize = 16;

/// Where an input leads a phase.
pub(super) enum Step<Stay, Next> {
    /// Nowhere yet.
    Stay(Stay),
    /// To the phase after it.
    Next(Next),
    /// To the end.
    Over(CallEnd),
}

/// Why a call that is being set up shall end. What is under way, such as reserving a port, comes to its result first.
#[derive(Debug, Default)]
pub(super) struct PendingEnd {
    /// Why, if it shall.
    pub(super) cause: Option<Cause>,
    /// The peer has ended it, or SIP has: there is nobody left to refuse or to say BYE to.
    pub(super) peer_gone: bool,
}

impl PendingEnd {
    /// Notes an input that ends a call in whatever phase; gives back any other.
    pub(super) fn note(&mut self, input: CallInput) -> Option<CallInput> {
        match input {
            CallInput::End(cause) => self.by_us(cause),
            CallInput::Replaced => self.by_us(Cause::Transferred),
            CallInput::Stalled => self.by_peer(Cause::Stalled),
            CallInput::Sip(Event::Cancelled { .. }) => self.by_peer(Cause::Cancelled),
            CallInput::Sip(Event::Ended { cause, .. } | Event::Failed { cause, .. }) => self.by_peer(cause),
            other => return Some(other),
        }
        None
    }

    /// The first of our own reasons stays.
    fn by_us(&mut self, cause: Cause) {
        self.cause.get_or_insert(cause);
    }

    /// An end that has happened counts for more than one that we wanted.
    fn by_peer(&mut self, cause: Cause) {
        if !self.peer_gone {
            (self.cause, self.peer_gone) = (Some(cause), true);
        }
    }
}

/// What the device asks for in its dialog before the call has media: by a request that has overtaken the ACK, or while the port is opened.
#[derive(Debug, Default)]
pub(super) struct EarlyRequests {
    /// Keys by INFO, for the menu.
    pub(super) keys: Vec<char>,
    /// The device wants to know who is in the meeting (RFC 4575).
    pub(super) watches: bool,
}

impl EarlyRequests {
    /// Takes one. Gives a profile, where a new description was agreed on.
    pub(super) fn take(
        &mut self,
        call: CallId,
        event: Event,
        offer_answer: &mut OfferAnswer,
        acts: &mut impl Extend<CallAct>,
    ) -> Option<Profile> {
        let (command, profile) = match event {
            Event::Digit { digit, .. } => {
                self.keys.extend((self.keys.len() < EARLY_KEYS).then_some(digit));
                return None;
            }
            Event::Watch { on, .. } => {
                self.watches = on;
                return None;
            }
            // C-1, M-18: whoever is not inside has neither a chat to write to nor a place to hand over.
            Event::Text { message, .. } => (Command::TextAnswered { call, message, refusal: Some(Cause::Denied) }, None),
            Event::Refer { .. } => (Command::ReferAnswered { call, accepted: false }, None),
            Event::Offer { sdp, .. } => match offer_answer.respond(sdp.as_deref()) {
                Ok((sdp, profile)) => (Command::Answer { call, sdp }, profile),
                Err(refusal) => (refusal.command(call), None),
            },
            _ => return None,
        };
        acts.extend([CallAct::Sip(command)]);
        profile
    }
}
