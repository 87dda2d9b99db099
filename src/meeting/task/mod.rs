//! One live meeting: drives the [`Policy`] and performs its effects.
//!
//! [`MeetingTask`] turns requests of pages and calls into facts, and hands the policy's effects to `perform`, which talks to
//! media, pages and calls. What the policy decides is done in its order; nothing is decided here.
#![allow(clippy::disallowed_methods, reason = "this task drives a machine: it has the clock and is spawned here")]

mod chat;
mod effects;
mod events;
mod ledger;
mod log_lines;
mod mutes;
mod pages;
mod sms_readers;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};

use super::messages::{Granted, KnownDevice, MeetingRefusal, MeetingRequest, Snapshot, ToPage};
use super::page_feed::PageFeed;
use super::recording::{ActiveRecording, FinishingRecording};
use super::registry::{MeetingSettings, MeetingsShared, MeetingsSnapshot};
use super::request_rate::RequestRate;
use super::roster::ParticipantOrigin;
use super::{FromGuest, JoinPage, Knock, MeetingInput, OfferError, PasscodeProof, ToGuest, roster};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, NoticeId, ParticipantId};
use crate::common::machine::{self, DriveFlow, Machine, MachineOwner, drive};
use crate::common::redact::Redacted;
use crate::common::units::unix_millis;
use crate::media::{self, BridgeEvent, BridgeHandle, Gate, PeerChange, PeerHandle, PortHandle};
use crate::policy::{
    Admission, Asker, Capture, CaptureKind, Effect, Fact, Muted, NoticeResult, Policy, PolicySettings, Role, SentPackets,
    Standing, Switch, Via,
};
use crate::relay;
use crate::store::{ChatCopy, MuteChange, Phone};
use chat::MeetingChat;

/// What the bridge and its peers may have to say; full: counted there and said again with the next change.
const HEARD_QUEUE: usize = 256;

struct Page {
    role: Role,
    feed: PageFeed,
    peer: Option<PeerHandle>,
    /// The right to a seat, until there is a connection to seat.
    admission: Option<Admission>,
    seated: bool,
    gate: Gate,
    connected: bool,
    consent: bool,
    asks: RequestRate,
    from: Option<IpAddr>,
    /// What it has shown of the passcode (K-1).
    proof: PasscodeProof,
    /// Under what its host's mute is kept (K-4).
    identity: Option<String>,
    /// Under what it is remembered once it is denied (M-14).
    denial: String,
}

struct Guest {
    call: CallId,
    to_guest: mpsc::Sender<ToGuest>,
    port: PortHandle,
    phone: Phone,
    device: String,
    /// Under what its mute is kept (K-4).
    identity: String,
    /// A configured device, proven.
    known: bool,
    asks: RequestRate,
    language: String,
    /// The chat is shown on its display.
    text: bool,
    /// It wants to know who is inside.
    watches: bool,
    /// Sound has passed between it and the meeting.
    joined: bool,
}

/// What a request leads to that cannot be done at once.
pub(super) enum MeetingAct {
    Policy(Effect),
    Negotiate {
        who: ParticipantId,
        sdp: String,
        reply: oneshot::Sender<Result<String, OfferError>>,
    },
    Carried {
        notice: NoticeId,
        carried: Option<SentPackets>,
    },
    WriteLine {
        notice: NoticeId,
        received_permille: Option<u16>,
    },
    Untap,
    Forget(ParticipantId),
    Relay(relay::RelayInput),
    /// A page that may have had a seat in the last run (M-5).
    ComeBack {
        join: JoinPage,
        had: ParticipantId,
        reply: oneshot::Sender<Result<ParticipantId, MeetingRefusal>>,
    },
    /// Keep a copy (C-8).
    Copy(Box<ChatCopy>),
    /// Keep a closed microphone closed (K-4).
    Mute(MuteChange),
}

/// A live meeting.
pub(super) struct MeetingTask {
    name: MeetingName,
    title: String,
    policy: Policy,
    /// What the policy goes by.
    rules: PolicySettings,
    shared: Arc<MeetingsShared>,
    snapshot: Arc<MeetingsSnapshot>,
    /// When this run of the meeting began, in milliseconds since 1970.
    run: u64,
    bridge: BridgeHandle,
    heard: mpsc::Sender<BridgeEvent>,
    pages: BTreeMap<ParticipantId, Page>,
    guests: BTreeMap<ParticipantId, Guest>,
    chat: MeetingChat,
    joins: roster::SmsReaders,
    origins: roster::ParticipantOrigins,
    recording: Option<ActiveRecording>,
    /// The recording that ended last, until the meeting closes.
    finishing: Option<FinishingRecording>,
    lines: ledger::PendingLedgerLines,
    speaking: Vec<ParticipantId>,
    raised: events::RaisedEvents,
    stranger_lines: log_lines::StrangerLines,
    showing: pages::PageSync,
    /// How the microphones of devices were closed that have left.
    departed: VecDeque<(ParticipantId, Muted)>,
    acts: VecDeque<MeetingAct>,
    asked: Option<oneshot::Sender<Result<Granted, MeetingRefusal>>>,
    /// The daemon ends it, which everybody but the daemon goes on with (K-4).
    closing: bool,
    /// The gateway stops by then (O-4).
    stopping: Option<Instant>,
    /// It stops now: who is dismissed comes back to the next run.
    stopped: bool,
    over: bool,
}

impl MeetingTask {
    /// Brings a meeting to life.
    pub(super) fn spawn(
        name: MeetingName,
        settings: MeetingSettings,
        (shared, snapshot): (Arc<MeetingsShared>, Arc<MeetingsSnapshot>),
        mailbox: mpsc::WeakSender<MeetingInput>,
        mut inbox: mpsc::Receiver<MeetingInput>,
    ) {
        tokio::spawn(async move {
            let (heard, mut hears) = mpsc::channel(HEARD_QUEUE);
            let bridge = shared.media.open_bridge(heard.clone()).await;
            tokio::spawn(async move {
                while let Some(heard) = hears.recv().await {
                    let Some(mailbox) = mailbox.upgrade() else { return };
                    if mailbox.send(MeetingInput::Heard(heard)).await.is_err() {
                        return;
                    }
                }
            });
            tracing::info!(meeting = %name, bridge = %bridge.id(), "meeting opened");
            let run = shared.mutes.run(&name, unix_millis(SystemTime::now()));
            let mut task = Self {
                run,
                name,
                title: settings.title,
                policy: Policy::new(settings.policy.clone()),
                rules: settings.policy,
                shared,
                snapshot,
                bridge,
                heard,
                pages: BTreeMap::new(),
                guests: BTreeMap::new(),
                chat: MeetingChat::default(),
                joins: roster::SmsReaders::new(),
                origins: roster::ParticipantOrigins::new(),
                recording: None,
                finishing: None,
                lines: ledger::PendingLedgerLines::default(),
                speaking: Vec::new(),
                raised: events::RaisedEvents::default(),
                stranger_lines: log_lines::StrangerLines::default(),
                showing: pages::PageSync::default(),
                departed: VecDeque::new(),
                acts: VecDeque::new(),
                asked: None,
                stopping: None,
                stopped: false,
                closing: false,
                over: false,
            };
            drive(&mut task, &mut inbox).await;
            task.close().await;
        });
    }

    async fn close(&mut self) {
        if let Some(recording) = self.recording.take() {
            self.finishing = Some(recording.stop(&self.bridge).await);
        }
        if let Some(finishing) = self.finishing.take() {
            finishing.wait().await;
        }
        for page in self.pages.values() {
            if let Some(peer) = &page.peer {
                peer.close().await;
            }
        }
        self.bridge.close().await;
        for notice in self.lines.due(None) {
            self.write_line(notice, None);
        }
        tracing::info!(meeting = %self.name, "meeting closed");
    }

    // === Requests become facts ===

    fn fact(&mut self, now: Instant, fact: Fact) {
        let muted = match &fact {
            Fact::Mute { who, .. } | Fact::MuteSelf { who, .. } => self.policy.muted(*who).map(|muted| (*who, muted.host)),
            _ => None,
        };
        self.policy.handle(now, fact);
        while let Some(effect) = self.policy.poll() {
            self.acts.push_back(MeetingAct::Policy(effect));
        }
        if let Some((who, before)) = muted {
            self.spread_host_mute(now, who, before);
        }
    }

    fn take(&mut self, now: Instant, request: MeetingInput) {
        match request {
            MeetingInput::JoinPage(join, reply) => {
                let unknown = join.resume.filter(|who| join.role == Role::External && !self.pages.contains_key(who));
                if let Some(had) = unknown.filter(|_| now < self.shared.seats_until) {
                    self.acts.push_back(MeetingAct::ComeBack { join, had, reply });
                    return;
                }
                let joined = self.join_page(now, join, None);
                // A page that left while it joined is noticed by its closed queue.
                let _ = reply.send(joined);
            }
            MeetingInput::Offer { who, sdp, reply } => match self.pages.get_mut(&who).is_none_or(|page| page.asks.offer(now)) {
                true => self.acts.push_back(MeetingAct::Negotiate { who, sdp, reply }),
                false => drop(reply.send(Err(OfferError::TooFast))),
            },
            MeetingInput::ConnectionLost(who) => self.connection_lost(now, who),
            MeetingInput::PageReloaded(who) => self.fact(now, Fact::Reloaded { who }),
            MeetingInput::Ask { who, ask, reply } => {
                self.asked = Some(reply);
                if let Err(refusal) = self.spend(now, who, &ask).and_then(|()| self.ask(now, who, ask)) {
                    self.answer(Err(refusal));
                }
            }
            MeetingInput::Snapshot { viewer, reply } => {
                let _ = reply.send(self.snapshot(now, viewer));
            }
            MeetingInput::Chat(reply) => {
                let _ = reply.send(self.chat.lines());
            }
            MeetingInput::Calling(word) => {
                for who in self.inside() {
                    if self.policy.snapshot(who, now).is_some_and(|view| view.may_admit) {
                        self.tell_page(who, word.clone());
                    }
                }
            }
            MeetingInput::Knock(knock) => self.knock(now, *knock),
            MeetingInput::Guest(who, what) => self.guest_says(now, who, what),
            MeetingInput::Heard(heard) => self.heard(now, heard),
            MeetingInput::Stopping { by } => {
                self.stopping = Some(by);
                for who in self.pages.keys().copied().collect::<Vec<_>>() {
                    self.tell_stopping(now, who);
                }
            }
            MeetingInput::Reconfigured => self.reconfigured(now),
            MeetingInput::Close(cause) => {
                tracing::info!(meeting = %self.name, %cause, "meeting ends");
                self.closing = true;
                self.stopped = cause == Cause::Draining;
                self.fact(now, if cause == Cause::Draining { Fact::Stopped } else { Fact::End { by: Asker::Operator } });
            }
        }
    }

    fn ask(&mut self, now: Instant, who: Option<ParticipantId>, ask: MeetingRequest) -> Result<(), MeetingRefusal> {
        let by = who.map_or(Asker::Operator, Asker::Participant);
        let fact = match (ask, who) {
            (MeetingRequest::MuteSelf(on), Some(who)) => Fact::MuteSelf { who, to: Switch::To(on) },
            (MeetingRequest::Hand(on), Some(who)) => Fact::Hand { who, to: Switch::To(on) },
            (MeetingRequest::Leave, Some(who)) => {
                self.leave(now, who, "left");
                return Ok(());
            }
            (MeetingRequest::Close, Some(who)) => {
                if let Some(page) = self.pages.get_mut(&who) {
                    page.connected = false;
                }
                Fact::Closed { who }
            }
            (MeetingRequest::MuteSelf(_) | MeetingRequest::Hand(_) | MeetingRequest::Leave | MeetingRequest::Close, None) => {
                return Err(MeetingRefusal::NoSuchParticipant);
            }
            (MeetingRequest::Admit(who), _) => Fact::Admit { by, who },
            (MeetingRequest::AdmitAll, _) => Fact::AdmitAll { by },
            (MeetingRequest::Deny(who), _) => Fact::Deny { by, who },
            (MeetingRequest::Mute(who, on), _) => Fact::Mute { by, who, on },
            (MeetingRequest::Remove(who), _) => Fact::Remove { by, who },
            (MeetingRequest::Recording(want), _) => Fact::Capture { what: CaptureKind::Recording, by, want },
            (MeetingRequest::Transcription(want), _) => Fact::Capture { what: CaptureKind::Transcription, by, want },
            (MeetingRequest::End, _) => Fact::End { by },
            (MeetingRequest::ConfirmReader(device, reader), who) => return self.ask_of_reader(now, who, device, reader, true),
            (MeetingRequest::RemoveReader(device, reader), who) => return self.ask_of_reader(now, who, device, reader, false),
            (MeetingRequest::Chat(text), _) => return self.say(by, text, None),
        };
        self.fact(now, fact);
        Ok(())
    }

    fn knock(&mut self, now: Instant, knock: Knock) {
        let Knock { who, call, name, device, phone, identity, known, heir_of, language, text, port, to_guest } = knock;
        let muted = self.kept_mute(&identity).and(heir_of.map(|old| self.mute_of(old)).unwrap_or_default());
        let name = self.own_name(&name, if known { "" } else { "caller" }, Some(&identity), who);
        let refused = self.turned_away(now, &identity);
        self.origins.insert(who, origin(&device, known, &phone));
        let label = device.clone();
        let asks = RequestRate::new(now);
        self.guests.insert(
            who,
            Guest { call, to_guest, port, phone, device, identity, known, asks, language, text, watches: false, joined: false },
        );
        match self.says_of(now, who, log_lines::LineCause::Came) {
            Some(unsaid) => tracing::info!(meeting = %self.name, participant = %who, device = label, unsaid, "device knocks"),
            None => tracing::debug!(meeting = %self.name, participant = %who, device = label, "device knocks"),
        }
        if let Some(cause) = refused {
            self.acts.push_back(MeetingAct::Policy(Effect::Dismiss { who, cause }));
            return;
        }
        if known {
            self.rename_others(now, who, &name);
        }
        let name = Redacted::new(name);
        self.fact(now, Fact::Joined { who, role: Role::External, via: Via::Phone, organiser: false, name, muted });
        if self.policy.standing(who).is_some_and(|standing| standing != Standing::In) {
            self.tell_guest(now, who, ToGuest::Waiting);
        }
    }

    /// Why a device is not let to the door (M-11, M-14).
    fn turned_away(&self, now: Instant, identity: &str) -> Option<Cause> {
        if !self.snapshot.admits_anonymous(&self.name) {
            return Some(Cause::AnonymousOff);
        }
        let mut knocks = self.snapshot.knocks.lock().unwrap_or_else(PoisonError::into_inner);
        // Its calls are budgeted where they come in.
        knocks.knock(now, None, identity).is_err().then_some(Cause::Denied)
    }

    /// The device is forgotten only after what follows from its leaving is done: a notice cut short is ledgered by its name (N-8).
    fn guest_left(&mut self, now: Instant, who: ParticipantId, lost: bool) {
        self.depart_muted(who, lost);
        self.fact(now, Fact::Left { who });
        self.acts.push_back(MeetingAct::Forget(who));
    }

    fn guest_says(&mut self, now: Instant, who: ParticipantId, what: FromGuest) {
        let fact = match what {
            FromGuest::Left | FromGuest::Lost => {
                self.guest_left(now, who, what == FromGuest::Lost);
                return;
            }
            FromGuest::Hold(on) => Fact::Hold { who, on },
            FromGuest::Mute(to) => Fact::MuteSelf { who, to },
            FromGuest::Hand(to) => Fact::Hand { who, to },
            FromGuest::Chat { text, by } => {
                let text = text.into_inner();
                let ask = MeetingRequest::Chat(text);
                let spent = self.spend(now, Some(who), &ask);
                let MeetingRequest::Chat(text) = ask else { return };
                if let Err(refusal) = spent.and_then(|()| self.say(Asker::Participant(who), text, by)) {
                    // It left or was removed while its words were on their way.
                    tracing::debug!(participant = %who, %refusal, "a text of a phone is not taken");
                }
                return;
            }
            FromGuest::Texted(progress) => {
                self.texted(progress);
                return;
            }
            FromGuest::Readers(readers) => return self.readers_are(now, who, readers),
            FromGuest::Watch(on) => {
                if let Some(guest) = self.guests.get_mut(&who) {
                    guest.watches = on;
                }
                self.show_roster(now, who);
                return;
            }
            FromGuest::AdmitAll => Fact::AdmitAll { by: Asker::Participant(who) },
            FromGuest::OrganiserPin => Fact::OrganiserPin { who },
            FromGuest::Began { notice, length } => Fact::NoticeBegan { notice, length },
            FromGuest::Told { notice, outcome, carried } => {
                let outcome = match outcome {
                    media::PlayOutcome::Completed => NoticeResult::Completed,
                    media::PlayOutcome::Interrupted => NoticeResult::Interrupted,
                    media::PlayOutcome::Failed => NoticeResult::Failed,
                };
                self.fact(now, Fact::Told { notice, outcome, carried });
                // Its line has come before, should the rules have given it up already.
                self.acts.push_back(MeetingAct::Carried { notice, carried });
                return;
            }
            FromGuest::Reported { notice, received_permille } => {
                self.acts.push_back(MeetingAct::WriteLine { notice, received_permille });
                Fact::Reported { notice, received_permille }
            }
        };
        self.fact(now, fact);
    }

    fn heard(&mut self, now: Instant, heard: BridgeEvent) {
        match heard {
            BridgeEvent::Speaking { who, .. } => {
                self.speaking.clone_from(&who);
                let speaking: Arc<[ParticipantId]> = who.into();
                for page in self.inside() {
                    if let Some(page) = self.pages.get(&page) {
                        page.feed.speaking(Arc::clone(&speaking));
                    }
                }
            }
            BridgeEvent::Peer { peer, change } => {
                let found = self.pages.iter_mut().find(|(_, page)| page.peer.as_ref().is_some_and(|p| p.id() == peer));
                if let Some((who, page)) = found {
                    let who = *who;
                    page.consent = match change {
                        PeerChange::Connected => true,
                        PeerChange::Alive(alive) => alive,
                        PeerChange::Gone => false,
                    };
                    tracing::debug!(meeting = %self.name, participant = %who, ?change, "browser connection");
                    self.report_alive(now, who);
                }
            }
            BridgeEvent::RecorderFailed { .. } => self.recorder_failed(now),
        }
    }

    /// N-12: the recorder is gone, so the state is off and everybody is told.
    fn recorder_failed(&mut self, now: Instant) {
        if self.recording.take().is_some() {
            // Whichever recorder it was that failed: what is off must not be recorded.
            self.acts.push_back(MeetingAct::Untap);
            tracing::error!(meeting = %self.name, "recording stopped by itself: see the recordings directory and its disk");
            self.fact(now, Fact::CaptureIs { what: CaptureKind::Recording, state: Capture::Off });
        }
    }

    fn snapshot(&self, now: Instant, viewer: Option<ParticipantId>) -> Snapshot {
        match viewer.map(|viewer| self.policy.snapshot(viewer, now)) {
            Some(Some(view)) => roster::snapshot(&view, self.beside(), now),
            Some(None) => roster::nobody(),
            None => roster::operator(&self.policy.rows(now), self.beside(), now, self.captures()),
        }
    }

    // === Telling ===

    fn tell_stopping(&mut self, now: Instant, who: ParticipantId) {
        if let Some(by) = self.stopping {
            let comes_back = self.snapshot.outlasts_a_restart(&self.name);
            self.tell_page(who, ToPage::Stopping { within_seconds: by.saturating_duration_since(now).as_secs(), comes_back });
        }
    }

    fn answer(&mut self, answer: Result<Granted, MeetingRefusal>) {
        if let Some(asked) = self.asked.take() {
            // Whoever asked may be gone.
            let _ = asked.send(answer);
        }
    }

    fn tell_guest(&mut self, now: Instant, who: ParticipantId, what: ToGuest) {
        let Some(guest) = self.guests.get_mut(&who) else { return };
        if guest.to_guest.try_send(what).is_err() {
            tracing::error!(meeting = %self.name, participant = %who, cause = %Cause::Stalled, "the call takes no more words");
            self.guest_left(now, who, true);
        }
    }
}

/// Who a device is, as far as it has shown it (M-1).
fn origin(label: &str, known: bool, phone: &Phone) -> ParticipantOrigin {
    if known {
        return ParticipantOrigin::Device(KnownDevice { label: label.to_owned(), proven_by: phone.proof.clone() });
    }
    let address = phone.address.parse::<SocketAddr>().map_or_else(|_| phone.address.clone(), |address| address.ip().to_string());
    let caller = phone.caller.to_string();
    ParticipantOrigin::Elsewhere(if caller.is_empty() { address } else { format!("{caller} ({address})") })
}

impl Machine for MeetingTask {
    type Input = MeetingInput;
    type Output = MeetingAct;

    fn handle(&mut self, now: Instant, request: MeetingInput) {
        self.take(now, request);
        // However fast requests come, pages are shown what they have led to.
        self.show_what_is_due(now);
    }

    fn wake(&mut self, now: Instant) {
        self.show_what_is_due(now);
        self.policy.wake(now);
        while let Some(effect) = self.policy.poll() {
            self.acts.push_back(MeetingAct::Policy(effect));
        }
        let due = self.lines.due(Some(now)).into_iter();
        self.acts.extend(due.map(|notice| MeetingAct::WriteLine { notice, received_permille: None }));
    }

    fn poll(&mut self) -> Option<MeetingAct> {
        let act = self.acts.pop_front();
        if act.is_none() {
            // Everything that an ask led to has been done, and nothing refused it.
            self.answer(Ok(Granted::Done));
        }
        act
    }

    fn deadline(&self) -> Option<Instant> {
        self.policy.deadline().into_iter().chain(self.lines.deadline()).chain(self.showing.due()).min()
    }
}

impl MachineOwner for MeetingTask {
    type Machine = Self;

    fn machine(&mut self) -> &mut Self {
        self
    }

    async fn perform(&mut self, act: MeetingAct) -> DriveFlow {
        match act {
            MeetingAct::Policy(effect) => self.perform_effect(effect).await,
            MeetingAct::Negotiate { who, sdp, reply } => {
                let answer = self.negotiate(who, sdp).await;
                let _ = reply.send(answer);
            }
            MeetingAct::Carried { notice, carried } => self.carried(notice, carried),
            MeetingAct::WriteLine { notice, received_permille } => self.write_line(notice, received_permille),
            MeetingAct::Untap => self.bridge.stop_recording().await,
            MeetingAct::Forget(who) => {
                self.guests.remove(&who);
                self.joins.remove(&who);
                self.origins.remove(&who);
            }
            MeetingAct::ComeBack { join, had, reply } => {
                // A store that does not answer has said so in the log; the page then knocks like anybody.
                let seated = self.shared.store.take_seat(had.number(), self.name.as_str()).await.unwrap_or(false);
                let joined = self.join_page(machine::now(), join, Some(had).filter(|_| seated));
                let _ = reply.send(joined);
            }
            // Not written, there is one copy less; the store has said in the log why.
            MeetingAct::Copy(copy) => drop(self.shared.store.chat(*copy).await),
            MeetingAct::Mute(change) => drop(self.shared.store.mute(change).await),
            MeetingAct::Relay(input) => {
                if let Some(relay) = &self.shared.relay {
                    relay.say(input).await;
                }
            }
        }
        if !(self.over && self.acts.is_empty()) {
            return DriveFlow::Continue;
        }
        // The ask that ended the meeting was done; nothing polls for more after the last act.
        self.answer(Ok(Granted::Done));
        DriveFlow::Stop
    }
}
