//! What a call's machine wants done is done here: by SIP, on its port, at its meeting.
#![allow(clippy::disallowed_methods, reason = "part of the call's task: it has the clock and starts what may take time")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::inbox::CallSenders;
use super::invitation::{Invitation, OutboundProgress, PROGRESS};
use super::log::CallLine;
use super::messages::{CallAct, CallInput, SignallingPath};
use super::offer_answer::NamedAddresses;
use super::outbound_effects::OutboundEffects;
use super::port::{self, CallPort};
use super::registry::{CallEntry, OwnCallEntry};
use super::router::RoutedCall;
use super::settings::RuntimeConfig;
use super::shared::CallsShared;
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, ParticipantId};
use crate::common::machine;
use crate::common::phrase::Phrase;
use crate::common::redact::Redacted;
use crate::media::{Play, PlayKind, Profile, ReserveError, Share};
use crate::meeting::{By, FromGuest, Knock, MeetingHandle};
use crate::menu::CodeVerdict;
use crate::sip::Command;

/// What a call performs its acts with.
pub(super) struct CallEffects {
    pub(super) shared: Arc<CallsShared>,
    /// What was configured when the call began.
    pub(super) config: Arc<RuntimeConfig>,
    pub(super) call: CallId,
    pub(super) routed: RoutedCall,
    pub(super) began: SystemTime,
    /// Where its SIP comes from, or goes to; `None`: it is not known where.
    pub(super) peer: Option<SocketAddr>,
    /// What `status` shows of it; `None`: nothing.
    pub(super) entry: Option<OwnCallEntry>,
    /// Where the device was called by us.
    pub(super) outbound: Option<OutboundEffects>,
    port: CallPort,
    /// The way of its signalling, and which part of the media ports it may use, once a port was wanted.
    way: Option<(SignallingPath, Share)>,
    senders: CallSenders,
    meeting: Option<MeetingHandle>,
    participant: Option<ParticipantId>,
    /// What was to be said of a code is not, because codes are not looked at: nobody shall hear whether it was right (K-1).
    prompts_withheld: bool,
}

impl CallEffects {
    /// Of a call that begins now.
    pub(super) fn new(
        shared: Arc<CallsShared>,
        config: Arc<RuntimeConfig>,
        call: CallId,
        routed: RoutedCall,
        senders: CallSenders,
    ) -> Self {
        Self {
            shared,
            config,
            call,
            routed,
            began: SystemTime::now(),
            peer: None,
            entry: None,
            outbound: None,
            port: CallPort::default(),
            way: None,
            senders,
            meeting: None,
            participant: None,
            prompts_withheld: false,
        }
    }

    /// Changes what `status` shows of the call.
    pub(super) fn change_entry(&self, change: impl FnOnce(&mut CallEntry)) {
        if let Some(entry) = &self.entry {
            entry.change(change);
        }
    }

    /// Performs an act. What it comes to, if that is known at once, is the machine's next input.
    pub(super) async fn perform(&mut self, act: CallAct) -> Option<CallInput> {
        match act {
            CallAct::Sip(command) => self.shared.settings.sip.send(command).await,
            CallAct::FindTarget => return Some(self.find_target().await),
            CallAct::NoteDialog => self.note_dialog().await,
            CallAct::ReservePort { path, share, names } => return self.reserve_port((path, share), names),
            CallAct::LookUpNames { lookup, names } => {
                self.look_up(names, move |addresses| CallInput::NamesLookedUp { lookup, addresses });
            }
            CallAct::ReleasePort => self.port = CallPort::Closed,
            CallAct::OpenPort(profile) => return Some(self.open_port(profile).await),
            CallAct::ShowEncryption(encryption) => self.change_entry(|entry| entry.encryption = Some(encryption.name())),
            CallAct::CountAnswer(after) => self.shared.settings.counted.answered_after(after),
            CallAct::TakePlaceOf(replaced) => {
                // One that is gone meanwhile need not be told.
                let _ = self.shared.inboxes.send(replaced, CallInput::Replaced);
            }
            CallAct::Raise { what, meeting } => self.shared.raise(what, self.call, meeting.as_ref()),
            CallAct::Report(step) => self.report(step),
            CallAct::Knock { meeting, keyed } if keyed && self.judge(Some(&meeting), true) == CodeVerdict::Locked => {
                return Some(self.lock_out(CallInput::LockedOut));
            }
            CallAct::Knock { meeting, .. } => return self.knock(&meeting).await,
            CallAct::Guest(what) => self.tell_meeting(what).await,
            CallAct::WrongTry(meeting) => {
                self.log_wrong(CallLine::WrongCode, meeting.as_ref());
                let verdict = self.judge(meeting.as_ref(), false);
                return (verdict == CodeVerdict::Locked).then(|| self.lock_out(CallInput::LockedOut));
            }
            CallAct::Pin { right } => return self.pin(right).await,
            CallAct::Speak(text) => self.speak(text),
            CallAct::Transfer { device, replaces } => self.transfer(device, replaces).await,
            act @ (CallAct::Play(_) | CallAct::StopPrompts | CallAct::Music(_) | CallAct::Reprofile(_) | CallAct::ClosePort) => {
                self.use_port(act).await
            }
            CallAct::Done(_) => {}
        }
        None
    }

    // === A device that is called ===

    async fn find_target(&mut self) -> CallInput {
        let Some(outbound) = &mut self.outbound else { return CallInput::NoTarget(Cause::Fault) };
        let found = outbound.find_target(&self.shared, self.call, &mut self.routed).await;
        self.peer = outbound.peer();
        match found {
            Ok((path, entry)) => {
                self.entry = Some(entry);
                CallInput::TargetFound(path)
            }
            Err(cause) => CallInput::NoTarget(cause),
        }
    }

    async fn note_dialog(&mut self) {
        if let Some(outbound) = &self.outbound
            && let Some(phone) = outbound.phone(&self.shared, self.call).await
        {
            self.routed.phone = phone;
        }
    }

    /// Tells whoever has had the device called here.
    pub(super) fn report(&mut self, step: OutboundProgress) {
        if let Some(outbound) = &mut self.outbound {
            outbound.report(step);
        }
    }

    // === The port ===

    /// Reserves a port. Where the offer has names, the exchange begins once they are looked up.
    fn reserve_port(&mut self, way: (SignallingPath, Share), names: Vec<String>) -> Option<CallInput> {
        self.way = Some(way);
        match self.reserved_port(way) {
            CallInput::PortReserved(mut offer_answer) if !names.is_empty() => {
                self.look_up(names, move |addresses| {
                    offer_answer.know(addresses);
                    CallInput::PortReserved(offer_answer)
                });
                None
            }
            result => Some(result),
        }
    }

    /// Looks up names of the peer's media hosts, whose addresses make an input.
    fn look_up(&self, names: Vec<String>, input: impl FnOnce(NamedAddresses) -> CallInput + Send + 'static) {
        let (shared, inbox, way) = (Arc::clone(&self.shared), self.senders.inbox.clone(), self.way);
        tokio::spawn(async move {
            let addresses = match way {
                Some((path, share)) => {
                    let peer = port::remote_media(&shared.settings, path);
                    shared.names.look_up(&shared.settings.sip, names, (&peer, share)).await
                }
                None => Vec::new(),
            };
            // A call that has ended meanwhile takes nothing.
            let _ = inbox.send(input(addresses)).await;
        });
    }

    fn reserved_port(&mut self, (path, share): (SignallingPath, Share)) -> CallInput {
        let settings = &self.shared.settings;
        let reserved = match settings.media.reserve(port::local_address(settings, path), share) {
            Ok(reserved) => reserved,
            Err(error) => {
                if let Some(unlogged) = self.shared.log.no_port() {
                    tracing::error!(call = %self.call, %error, unlogged, "no media port");
                }
                let is_busy = matches!(error, ReserveError::Overload);
                return CallInput::PortNotReserved(if is_busy { Cause::Busy } else { Cause::NoPorts });
            }
        };
        let Some(offer_answer) = port::offer_answer(settings, &self.config, (path, self.routed.srtp), reserved.local().port())
        else {
            return CallInput::PortNotReserved(Cause::Fault);
        };
        let offer_answer = offer_answer.with_dtmf(self.routed.dtmf);
        self.port = CallPort::Reserved(reserved);
        CallInput::PortReserved(Box::new(offer_answer))
    }

    async fn open_port(&mut self, profile: Profile) -> CallInput {
        let (codec, encryption) = (profile.codec, profile.encryption());
        let opened = self.port.open(&self.shared.settings.media, profile, self.senders.port.clone()).await;
        if let Some(outbound) = &mut self.outbound {
            outbound.free_ringing_place();
        }
        match opened {
            Ok(port) => {
                self.change_entry(|entry| {
                    (entry.codec, entry.encryption, entry.port) = (Some(codec.row().name), encryption, port);
                });
                CallInput::PortOpened
            }
            Err(error) => {
                tracing::error!(call = %self.call, %error, "media");
                CallInput::PortNotOpened
            }
        }
    }

    /// Does what is done on the open port.
    async fn use_port(&mut self, act: CallAct) {
        if matches!(act, CallAct::StopPrompts) {
            self.prompts_withheld = false;
        }
        let Some(port) = self.port.open_port() else { return };
        match act {
            CallAct::Play(Play { kind: PlayKind::Prompt, .. }) if self.prompts_withheld => {}
            CallAct::Play(play) => port.play(play).await,
            CallAct::StopPrompts => port.stop_prompts().await,
            CallAct::Music(on) => port.music(self.config.library.music().filter(|_| on)).await,
            CallAct::Reprofile(profile) => {
                let encryption = profile.encryption();
                port.reprofile(profile).await;
                self.change_entry(|entry| entry.encryption = encryption);
            }
            CallAct::ClosePort => port.close().await,
            _ => {}
        }
    }

    // === Speech program, other devices ===

    fn speak(&self, text: Redacted<String>) {
        let Some(speaker) = self.config.speaker.clone() else { return };
        let (call, language, inbox) = (self.call, self.routed.language.clone(), self.senders.inbox.clone());
        tokio::spawn(async move {
            let spoken = speaker.speak(&language, &text).await;
            let spoken = spoken.inspect_err(|error| tracing::warn!(%call, %error, "the speech program of [speech]"));
            // A call that has ended meanwhile takes nothing.
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
            let by = By::Device(self.routed.device.clone());
            self.shared.outbound.ask(Invitation { device, meeting, replaces, by, heir_of: self.participant, progress })
        });
        let accepted = matches!(asked, Some(Ok(_)));
        self.shared.settings.sip.send(Command::ReferAnswered { call, accepted }).await;
        let inbox = self.senders.inbox.clone();
        tokio::spawn(async move {
            while let Some(step) = steps.recv().await {
                if inbox.send(CallInput::Transfer(step)).await.is_err() {
                    return;
                }
            }
        });
    }

    // === Codes, and the meeting ===

    fn judge(&self, meeting: Option<&MeetingName>, right: bool) -> CodeVerdict {
        self.shared.settings.lockout.get().judge(machine::now(), &self.routed.caller, meeting, right)
    }

    fn log_wrong(&self, line: CallLine, meeting: Option<&MeetingName>) {
        let Some(unlogged) = self.shared.log.line(&self.routed, line) else { return };
        let (call, source, meeting) =
            (self.call, self.peer.map(|peer| tracing::field::display(peer.ip())), meeting.map(tracing::field::display));
        match line {
            CallLine::WrongPin => tracing::warn!(%call, source, meeting, unlogged, "wrong PIN"),
            _ => tracing::warn!(%call, source, meeting, unlogged, "wrong code"),
        }
    }

    fn lock_out(&mut self, told: CallInput) -> CallInput {
        self.prompts_withheld = true;
        told
    }

    async fn pin(&mut self, right: bool) -> Option<CallInput> {
        let meeting = self.meeting.as_ref().map(|meeting| meeting.name().clone());
        if !right {
            self.log_wrong(CallLine::WrongPin, meeting.as_ref());
        }
        match self.judge(meeting.as_ref(), right) {
            CodeVerdict::Opens => self.tell_meeting(FromGuest::OrganiserPin).await,
            CodeVerdict::Wrong => {}
            CodeVerdict::Locked => return Some(self.lock_out(CallInput::PinLocked)),
        }
        None
    }

    /// Knocks; a meeting that is not there is an input at once.
    async fn knock(&mut self, name: &MeetingName) -> Option<CallInput> {
        let port = self.port.open_port().cloned()?;
        let settings = &self.shared.settings;
        // A meeting may end between being found and being knocked at; the next one of its name is a new one.
        for _ in 0..2 {
            let Some(meeting) = settings.registry.open(name).await else { break };
            let who = settings.ids.participant();
            let knock = Knock {
                who,
                call: self.call,
                name: self.routed.name.clone(),
                device: self.routed.device.clone(),
                phone: self.routed.phone.clone(),
                identity: self.routed.identity.clone(),
                known: self.routed.caller.known,
                heir_of: self.routed.heir_of,
                // What is really spoken: a language without this prompt falls back, and the ledger must say so (N-8).
                language: self.config.library.spoken_in(&self.routed.language, Phrase::RecordingStarted).to_string(),
                text: self.routed.text || self.config.speaker.is_some(),
                port: port.clone(),
                to_guest: self.senders.meeting.clone(),
            };
            if meeting.knock(knock).await {
                if let Some(unlogged) = self.shared.log.line(&self.routed, CallLine::Knocked) {
                    tracing::info!(call = %self.call, meeting = %name, participant = %who, unlogged, "knocks");
                }
                self.change_entry(|entry| (entry.meeting, entry.participant) = (Some(name.clone()), Some(who)));
                self.meeting = Some(meeting);
                self.participant = Some(who);
                self.report(OutboundProgress::Knocked);
                return None;
            }
        }
        Some(CallInput::NoMeeting)
    }

    async fn tell_meeting(&mut self, what: FromGuest) {
        if let (Some(meeting), Some(who)) = (&self.meeting, self.participant) {
            meeting.guest(who, what).await;
        }
    }
}
