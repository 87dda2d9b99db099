//! Words to a caller whose call is refused: media before the final response (RFC 3960), [`EarlyMedia`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use super::answering::InboundInvite;
use super::messages::{CallAct, CallEnd, CallInput};
use super::offer_answer::OfferAnswer;
use super::setup::{PendingEnd, Step};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, PlayId};
use crate::media::{MediaEvent, Play, PlayKind};
use crate::prompt::Clip;
use crate::sip::Command;

/// How much longer than the words themselves it may take.
pub(super) const SLACK: Duration = Duration::from_secs(3);
/// The only thing that is played.
const ANNOUNCEMENT: PlayId = PlayId::from_number(1);

/// What is said to a caller before the refusal.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    /// Whose call it is.
    pub(super) call: CallId,
    /// Why it is refused.
    pub(super) cause: Cause,
    /// The words.
    pub(super) clip: Clip,
}

enum EarlyMediaStage {
    /// A port is being reserved.
    Reserving,
    /// It is being opened.
    Opening,
    /// The words are being played.
    Playing { until: Instant },
}

/// A call that is told why it is refused (S-10). The SIP endpoint sees to it that there are never more than a few of these; so neither a
/// drain nor the operator cuts the few seconds short.
pub(super) struct EarlyMedia {
    announcement: Announcement,
    invite: InboundInvite,
    stage: EarlyMediaStage,
    end: PendingEnd,
}

impl EarlyMedia {
    /// A call that shall be told so. Without an offer there is no way to say it.
    pub(super) fn begin(
        announcement: Announcement,
        invite: InboundInvite,
        acts: &mut VecDeque<CallAct>,
    ) -> Step<Self, Infallible> {
        let early_media = Self { announcement, invite, stage: EarlyMediaStage::Reserving, end: PendingEnd::default() };
        if early_media.invite.offer.is_none() {
            return early_media.refuse(acts);
        }
        acts.push_back(early_media.invite.reserve_port());
        Step::Stay(early_media)
    }

    pub(super) fn handle(mut self, now: Instant, input: CallInput, acts: &mut VecDeque<CallAct>) -> Step<Self, Infallible> {
        let input = self.end.note(input);
        match (&self.stage, input) {
            (EarlyMediaStage::Reserving, Some(CallInput::PortReserved(offer_answer))) => self.open(*offer_answer, acts),
            (EarlyMediaStage::Reserving, Some(CallInput::PortNotReserved(_)))
            | (EarlyMediaStage::Opening, Some(CallInput::PortNotOpened)) => self.refuse(acts),
            (EarlyMediaStage::Opening, Some(CallInput::PortOpened)) => self.play(now, acts),
            (EarlyMediaStage::Playing { .. }, Some(CallInput::Media(MediaEvent::Played { play: ANNOUNCEMENT, .. }))) => {
                acts.push_back(CallAct::ClosePort);
                self.reject(acts)
            }
            (EarlyMediaStage::Playing { .. }, Some(CallInput::Media(MediaEvent::Closed(_)))) => self.cut_short(acts),
            (EarlyMediaStage::Playing { .. }, None) if self.end.peer_gone => self.cut_short(acts),
            _ => Step::Stay(self),
        }
    }

    pub(super) fn wake(self, now: Instant, acts: &mut VecDeque<CallAct>) -> Step<Self, Infallible> {
        if self.deadline().is_some_and(|until| until <= now) {
            return self.cut_short(acts);
        }
        Step::Stay(self)
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.stage {
            EarlyMediaStage::Playing { until } => Some(until),
            EarlyMediaStage::Reserving | EarlyMediaStage::Opening => None,
        }
    }

    fn open(mut self, mut offer_answer: OfferAnswer, acts: &mut VecDeque<CallAct>) -> Step<Self, Infallible> {
        let answer = self.invite.offer.as_deref().filter(|_| !self.end.peer_gone).map(|offer| offer_answer.offered(offer));
        let Some(Ok((profile, sdp))) = answer else {
            acts.push_back(CallAct::ReleasePort);
            return self.refuse(acts);
        };
        acts.push_back(CallAct::Sip(Command::Progress { call: self.announcement.call, sdp }));
        acts.push_back(CallAct::OpenPort(profile));
        self.stage = EarlyMediaStage::Opening;
        Step::Stay(self)
    }

    fn play(mut self, now: Instant, acts: &mut VecDeque<CallAct>) -> Step<Self, Infallible> {
        if self.end.peer_gone {
            return self.cut_short(acts);
        }
        let clip = self.announcement.clip.clone();
        self.stage = EarlyMediaStage::Playing { until: now + clip.duration() + SLACK };
        acts.push_back(CallAct::Play(Play { id: ANNOUNCEMENT, clips: vec![clip], kind: PlayKind::Prompt }));
        Step::Stay(self)
    }

    fn cut_short(self, acts: &mut VecDeque<CallAct>) -> Step<Self, Infallible> {
        acts.push_back(CallAct::ClosePort);
        self.refuse(acts)
    }

    /// Refuses a call to which it was not said to its end.
    fn refuse(self, acts: &mut VecDeque<CallAct>) -> Step<Self, Infallible> {
        tracing::debug!(call = %self.announcement.call, "the caller could not be told by voice");
        self.reject(acts)
    }

    fn reject(self, acts: &mut VecDeque<CallAct>) -> Step<Self, Infallible> {
        if !self.end.peer_gone {
            let Announcement { call, cause, .. } = self.announcement;
            acts.push_back(CallAct::Sip(Command::Reject { call, cause, warning: None }));
        }
        Step::Over(CallEnd::Announced)
    }
}
