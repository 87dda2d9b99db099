//! What a call's machine wants done is done here: by SIP, on its port, at its meeting, in the store.
#![allow(clippy::disallowed_methods, reason = "part of the call's task: it has the clock and starts what may take time")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::history::EndedCall;
use super::log::CallLine;
use super::outbound::{Invitation, OutboundProgress, PROGRESS};
use super::registry::OwnCallEntry;
use super::router::RoutedCall;
use super::task::{CallsShared, RuntimeConfig};
use super::{Call, CallAct, CallInput, CallStage, CallSummary};
use crate::codec::CodecKind;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::machine::{self, DriveFlow, MachineOwner};
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;
use crate::media::{PlayKind, PortHandle};
use crate::meeting::{By, FromGuest, Knock, MeetingHandle, ToGuest};
use crate::menu::CodeVerdict;
use crate::sip::Command;

/// A call's machine with its hands.
pub(super) struct DrivenCall {
    pub(super) machine: Call,
    pub(super) effects: CallEffects,
    pub(super) summary: Option<Box<CallSummary>>,
}

impl MachineOwner for DrivenCall {
    type Machine = Call;

    fn machine(&mut self) -> &mut Call {
        &mut self.machine
    }

    async fn perform(&mut self, act: CallAct) -> DriveFlow {
        if let CallAct::Done(summary) = act {
            self.summary = Some(summary);
            return DriveFlow::Stop;
        }
        let stage = self.machine.stage();
        self.effects.line.change(|line| {
            line.stage = stage;
            line.admitted |= stage == CallStage::In;
        });
        self.effects.perform(act).await;
        DriveFlow::Continue
    }
}

/// What a call does its acts with.
pub(super) struct CallEffects {
    pub(super) shared: Arc<CallsShared>,
    /// What was configured when the call began.
    pub(super) runtime_config: Arc<RuntimeConfig>,
    pub(super) call: CallId,
    pub(super) line: OwnCallEntry,
    pub(super) source: SocketAddr,
    pub(super) guest: RoutedCall,
    pub(super) port: PortHandle,
    pub(super) inbox: mpsc::Sender<CallInput>,
    pub(super) to_guest: mpsc::Sender<ToGuest>,
    pub(super) meeting: Option<MeetingHandle>,
    pub(super) who: Option<ParticipantId>,
    /// Whoever has called the device here, until the last word to it.
    pub(super) asked: Option<mpsc::Sender<OutboundProgress>>,
    /// What was to be said of a code is not, because codes are not looked at: nobody shall hear whether it was right (K-1).
    pub(super) hushed: bool,
}

impl CallEffects {
    async fn perform(&mut self, act: CallAct) {
        let settings = &self.shared.settings;
        match act {
            CallAct::Sip(command) => settings.sip.send(command).await,
            CallAct::Play(play) if self.hushed && play.kind == PlayKind::Prompt => {}
            CallAct::Play(play) => self.port.play(play).await,
            CallAct::StopPrompts => {
                self.hushed = false;
                self.port.stop_prompts().await;
            }
            CallAct::Music(on) => self.port.music(self.runtime_config.library.music().filter(|_| on)).await,
            CallAct::Reprofile(profile) => self.port.reprofile(profile).await,
            CallAct::Knock { meeting, keyed } if keyed && self.judge(Some(&meeting), true) == CodeVerdict::Locked => {
                self.lock_out(CallInput::LockedOut)
            }
            CallAct::Knock { meeting, .. } => self.knock(&meeting).await,
            CallAct::Guest(what) => self.tell_meeting(what).await,
            CallAct::WrongTry(meeting) => {
                self.log_wrong(CallLine::WrongCode, meeting.as_ref());
                if self.judge(meeting.as_ref(), false) == CodeVerdict::Locked {
                    self.lock_out(CallInput::LockedOut);
                }
            }
            CallAct::Pin { right } => self.pin(right).await,
            CallAct::Speak(text) => self.speak(text),
            CallAct::Transfer { device, replaces } => self.transfer(device, replaces).await,
            CallAct::ClosePort => self.port.close().await,
            CallAct::Done(_) => {}
        }
    }

    /// The last word to whoever has called the device here.
    pub(super) fn report(&mut self, last: OutboundProgress) {
        if let Some(asked) = self.asked.take() {
            // Who does not wait for it any more need not hear it.
            let _ = asked.try_send(last);
        }
    }

    fn speak(&self, text: Redacted<String>) {
        let Some(speaker) = self.runtime_config.speaker.clone() else { return };
        let (call, language, inbox) = (self.call, self.guest.language.clone(), self.inbox.clone());
        tokio::spawn(async move {
            let spoken = speaker.speak(&language, &text).await;
            let spoken = spoken.inspect_err(|error| tracing::warn!(%call, %error, "the speech program of [speech]"));
            // A call that has ended meanwhile hears nothing.
            let _ = inbox.send(CallInput::Spoken(spoken.ok())).await;
        });
    }

    /// M-18: another device is called into the same meeting; this one leaves once that one has knocked.
    async fn transfer(&self, device: Arc<str>, replaces: Option<String>) {
        let call = self.call;
        let (progress, mut steps) = mpsc::channel(PROGRESS);
        let asked = self.meeting.as_ref().map(|meeting| {
            tracing::info!(%call, %device, meeting = %meeting.name(), attended = replaces.is_some(), "hands its place over");
            let (device, meeting) = (device.to_string(), meeting.name().clone());
            let by = By::Device(self.guest.device.clone());
            self.shared.inviter.ask(Invitation { device, meeting, replaces, by, heir_of: self.who, progress })
        });
        let accepted = matches!(asked, Some(Ok(_)));
        self.shared.settings.sip.send(Command::ReferAnswered { call, accepted }).await;
        let inbox = self.inbox.clone();
        tokio::spawn(async move {
            while let Some(step) = steps.recv().await {
                if inbox.send(CallInput::Transfer(step)).await.is_err() {
                    return;
                }
            }
        });
    }

    fn judge(&self, meeting: Option<&MeetingName>, right: bool) -> CodeVerdict {
        self.shared.settings.lockout.get().judge(machine::now(), &self.guest.caller, meeting, right)
    }

    fn log_wrong(&self, line: CallLine, meeting: Option<&MeetingName>) {
        let Some(unlogged) = self.shared.lines.line(&self.guest, line) else { return };
        let (call, source, meeting) = (self.call, self.source.ip(), meeting.map(tracing::field::display));
        match line {
            CallLine::WrongPin => tracing::warn!(%call, %source, meeting, unlogged, "wrong PIN"),
            _ => tracing::warn!(%call, %source, meeting, unlogged, "wrong code"),
        }
    }

    fn lock_out(&mut self, told: CallInput) {
        self.hushed = true;
        self.back(told);
    }

    async fn pin(&mut self, right: bool) {
        let meeting = self.meeting.as_ref().map(|meeting| meeting.name().clone());
        if !right {
            self.log_wrong(CallLine::WrongPin, meeting.as_ref());
        }
        match self.judge(meeting.as_ref(), right) {
            CodeVerdict::Opens => self.tell_meeting(FromGuest::OrganiserPin).await,
            CodeVerdict::Wrong => {}
            CodeVerdict::Locked => self.lock_out(CallInput::PinLocked),
        }
    }

    async fn knock(&mut self, name: &MeetingName) {
        let settings = &self.shared.settings;
        // A meeting may end between being found and being knocked at; the next one of its name is a new one.
        for _ in 0..2 {
            let Some(meeting) = settings.registry.open(name).await else { break };
            let who = settings.ids.participant();
            let knock = Knock {
                who,
                call: self.call,
                name: self.guest.name.clone(),
                device: self.guest.device.clone(),
                phone: self.guest.phone.clone(),
                identity: self.guest.identity.clone(),
                known: self.guest.caller.known,
                heir_of: self.guest.heir_of,
                // What is really spoken: a language without this prompt falls back, and the ledger must say so (N-8).
                language: self.runtime_config.library.spoken_in(&self.guest.language, Phrase::RecordingStarted).to_string(),
                text: self.guest.text || self.runtime_config.speaker.is_some(),
                port: self.port.clone(),
                to_guest: self.to_guest.clone(),
            };
            if meeting.knock(knock).await {
                if let Some(unlogged) = self.shared.lines.line(&self.guest, CallLine::Knocked) {
                    tracing::info!(call = %self.call, meeting = %name, participant = %who, unlogged, "knocks");
                }
                self.line.change(|line| (line.meeting, line.participant) = (Some(name.clone()), Some(who)));
                self.meeting = Some(meeting);
                self.who = Some(who);
                self.report(OutboundProgress::Knocked);
                return;
            }
        }
        self.back(CallInput::NoMeeting);
    }

    /// An answer of our own making to the machine; its inbox has room, since this task is the one that empties it.
    fn back(&self, input: CallInput) {
        if self.inbox.try_send(input).is_err() {
            tracing::error!(call = %self.call, cause = %Cause::Stalled, "the call's own queue is full");
        }
    }

    async fn tell_meeting(&mut self, what: FromGuest) {
        if let (Some(meeting), Some(who)) = (&self.meeting, self.who) {
            meeting.guest(who, what).await;
        }
    }

    pub(super) async fn record(&self, began: SystemTime, codec: CodecKind, summary: &CallSummary) {
        if let Some(unlogged) = self.shared.lines.line(&self.guest, CallLine::Ended) {
            tracing::info!(
                call = %self.call,
                cause = %summary.cause,
                received = summary.stats.received,
                sent = summary.stats.sent,
                lost = summary.stats.lost,
                mos = summary.stats.mos,
                unlogged,
                "call ended"
            );
        }
        self.shared.over(self.call, &self.guest.device, Some(self.source), summary.cause);
        self.shared.ended(self.call, summary.meeting.as_ref(), summary.cause);
        let (heard, counted) = (summary.stats.received > 0, &self.shared.settings.counted);
        if heard {
            counted.heard(summary.stats.mos, summary.stats.received, summary.stats.lost);
        }
        if let Some(line) = self.line.read() {
            self.shared.past.note(EndedCall { line, cause: summary.cause, stats: summary.stats });
        }
        self.shared.record((self.call, &self.guest), began, codec, summary).await;
    }
}
