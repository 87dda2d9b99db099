//! One live meeting: drives the [`Policy`] and performs its effects.
//!
//! [`MeetingTask`] turns requests of pages and calls into facts, and hands the policy's effects to `perform`, which talks to
//! media, pages and calls. What the policy decides is done in its order; nothing is decided here.
#![allow(clippy::disallowed_methods, reason = "this task drives a machine: it has the clock and is spawned here")]

mod chat;
mod effects;
mod events;
mod ledger;
mod mutes;
mod pages;
mod sms_readers;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::{Instant, SystemTime};

use tokio::sync::{mpsc, oneshot};

use super::messages::{Ask, Granted, KnownDevice, Refusal, Snapshot, ToPage};
use super::page_feed::Feed;
use super::recording::{Finishing, Recording};
use super::registry::{Hall, MeetingSettings, Shared};
use super::request_rate::Asks;
use super::roster::Origin;
use super::{FromGuest, JoinPage, Knock, OfferError, Request, ToGuest, roster};
use crate::common::cause::Cause;
use crate::common::ids::{CallId, MeetingName, NoticeId, ParticipantId};
use crate::common::machine::{self, Flow, Machine, Owner, drive};
use crate::common::redact::Redacted;
use crate::common::units::unix_millis;
use crate::media::{self, BridgeHandle, Gate, MeetingHeard, PeerChange, PeerHandle, PortHandle};
use crate::policy::{
    Admission, Asker, Capture, CaptureKind, Carried, Effect, Fact, Muted, Outcome, Policy, Role, Standing, Switch, Via,
};
use crate::relay;
use crate::store::{ChatCopy, MuteChange, Phone};
use chat::Chat;

/// What the bridge and its peers may have to say; full: counted there and said again with the next change.
const HEARD_QUEUE: usize = 256;

struct Page {
    role: Role,
    feed: Feed,
    peer: Option<PeerHandle>,
    /// The right to a seat, until there is a connection to seat.
    admission: Option<Admission>,
    seated: bool,
    gate: Gate,
    connected: bool,
    consent: bool,
    asks: Asks,
    from: Option<IpAddr>,
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
    asks: Asks,
    language: String,
    /// The chat is shown on its display.
    text: bool,
    /// It wants to know who is inside.
    watches: bool,
    /// Sound has passed between it and the meeting.
    joined: bool,
}

/// What a request leads to that cannot be done at once.
pub(super) enum Act {
    Policy(Effect),
    Negotiate {
        who: ParticipantId,
        sdp: String,
        reply: oneshot::Sender<Result<String, OfferError>>,
    },
    Carried {
        notice: NoticeId,
        carried: Option<Carried>,
    },
    WriteLine {
        notice: NoticeId,
        received_permille: Option<u16>,
    },
    Untap,
    Forget(ParticipantId),
    Relay(relay::Input),
    /// A page that may have had a seat in the last run (M-5).
    ComeBack {
        join: JoinPage,
        had: ParticipantId,
        reply: oneshot::Sender<Result<ParticipantId, Refusal>>,
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
    shared: Arc<Shared>,
    hall: Arc<Hall>,
    /// When this run of the meeting began, in milliseconds since 1970.
    run: u64,
    bridge: BridgeHandle,
    heard: mpsc::Sender<MeetingHeard>,
    pages: BTreeMap<ParticipantId, Page>,
    guests: BTreeMap<ParticipantId, Guest>,
    chat: Chat,
    joins: roster::Joins,
    origins: roster::Origins,
    recording: Option<Recording>,
    /// The recording that ended last, until the meeting closes.
    finishing: Option<Finishing>,
    lines: ledger::Lines,
    speaking: Vec<ParticipantId>,
    raised: events::Raised,
    showing: pages::Showing,
    /// How the microphones of devices were closed that have left.
    departed: VecDeque<(ParticipantId, Muted)>,
    acts: VecDeque<Act>,
    asked: Option<oneshot::Sender<Result<Granted, Refusal>>>,
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
        (shared, hall): (Arc<Shared>, Arc<Hall>),
        mailbox: mpsc::WeakSender<Request>,
        mut inbox: mpsc::Receiver<Request>,
    ) {
        tokio::spawn(async move {
            let (heard, mut hears) = mpsc::channel(HEARD_QUEUE);
            let bridge = shared.media.open_bridge(heard.clone()).await;
            tokio::spawn(async move {
                while let Some(heard) = hears.recv().await {
                    let Some(mailbox) = mailbox.upgrade() else { return };
                    if mailbox.send(Request::Heard(heard)).await.is_err() {
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
                policy: Policy::new(settings.policy),
                shared,
                hall,
                bridge,
                heard,
                pages: BTreeMap::new(),
                guests: BTreeMap::new(),
                chat: Chat::default(),
                joins: roster::Joins::new(),
                origins: roster::Origins::new(),
                recording: None,
                finishing: None,
                lines: ledger::Lines::default(),
                speaking: Vec::new(),
                raised: events::Raised::default(),
                showing: pages::Showing::default(),
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
        self.policy.handle(now, fact);
        while let Some(effect) = self.policy.poll() {
            self.acts.push_back(Act::Policy(effect));
        }
    }

    fn take(&mut self, now: Instant, request: Request) {
        match request {
            Request::JoinPage(join, reply) => {
                let unknown = join.resume.filter(|who| join.role == Role::External && !self.pages.contains_key(who));
                if let Some(had) = unknown.filter(|_| now < self.shared.seats_until) {
                    self.acts.push_back(Act::ComeBack { join, had, reply });
                    return;
                }
                let joined = self.join_page(now, join, false);
                // A page that left while it joined is noticed by its closed queue.
                let _ = reply.send(joined);
            }
            Request::Offer { who, sdp, reply } => match self.pages.get_mut(&who).is_none_or(|page| page.asks.offer(now)) {
                true => self.acts.push_back(Act::Negotiate { who, sdp, reply }),
                false => drop(reply.send(Err(OfferError::TooFast))),
            },
            Request::ConnectionLost(who) => self.connection_lost(now, who),
            Request::PageReloaded(who) => self.fact(now, Fact::Reloaded { who }),
            Request::Ask { who, ask, reply } => {
                self.asked = Some(reply);
                if let Err(refusal) = self.spend(now, who, &ask).and_then(|()| self.ask(now, who, ask)) {
                    self.answer(Err(refusal));
                }
            }
            Request::Snapshot { viewer, reply } => {
                let _ = reply.send(self.snapshot(now, viewer));
            }
            Request::Chat(reply) => {
                let _ = reply.send(self.chat.lines());
            }
            Request::Calling(word) => {
                for who in self.inside() {
                    if self.policy.snapshot(who, now).is_some_and(|view| view.may_admit) {
                        self.tell_page(who, word.clone());
                    }
                }
            }
            Request::Knock(knock) => self.knock(now, *knock),
            Request::Guest(who, what) => self.guest_says(now, who, what),
            Request::Heard(heard) => self.heard(now, heard),
            Request::Stopping { by } => {
                self.stopping = Some(by);
                for who in self.pages.keys().copied().collect::<Vec<_>>() {
                    self.tell_stopping(now, who);
                }
            }
            Request::Close(cause) => {
                tracing::info!(meeting = %self.name, %cause, "meeting ends");
                self.closing = true;
                self.stopped = cause == Cause::Draining;
                self.fact(now, if cause == Cause::Draining { Fact::Stopped } else { Fact::End { by: Asker::Operator } });
            }
        }
    }

    fn ask(&mut self, now: Instant, who: Option<ParticipantId>, ask: Ask) -> Result<(), Refusal> {
        let by = who.map_or(Asker::Operator, Asker::Participant);
        let fact = match (ask, who) {
            (Ask::MuteSelf(on), Some(who)) => Fact::MuteSelf { who, to: Switch::To(on) },
            (Ask::Hand(on), Some(who)) => Fact::Hand { who, to: Switch::To(on) },
            (Ask::Leave, Some(who)) => {
                self.leave(now, who, "left");
                return Ok(());
            }
            (Ask::Close, Some(who)) => {
                if let Some(page) = self.pages.get_mut(&who) {
                    page.connected = false;
                }
                Fact::Closed { who }
            }
            (Ask::MuteSelf(_) | Ask::Hand(_) | Ask::Leave | Ask::Close, None) => return Err(Refusal::NoSuchParticipant),
            (Ask::Admit(who), _) => Fact::Admit { by, who },
            (Ask::AdmitAll, _) => Fact::AdmitAll { by },
            (Ask::Deny(who), _) => Fact::Deny { by, who },
            (Ask::Mute(who, on), _) => Fact::Mute { by, who, on },
            (Ask::Remove(who), _) => Fact::Remove { by, who },
            (Ask::Recording(want), _) => Fact::Capture { what: CaptureKind::Recording, by, want },
            (Ask::Transcription(want), _) => Fact::Capture { what: CaptureKind::Transcription, by, want },
            (Ask::End, _) => Fact::End { by },
            (Ask::ConfirmReader(device, reader), who) => return self.ask_of_reader(now, who, device, reader, true),
            (Ask::RemoveReader(device, reader), who) => return self.ask_of_reader(now, who, device, reader, false),
            (Ask::Chat(text), _) => return self.say(by, text, None),
        };
        self.fact(now, fact);
        Ok(())
    }

    fn knock(&mut self, now: Instant, knock: Knock) {
        let Knock { who, call, name, device, phone, identity, known, heir_of, language, text, port, to_guest } = knock;
        tracing::info!(meeting = %self.name, participant = %who, %device, "device knocks");
        let muted = self.kept_mute(&identity).and(heir_of.map(|old| self.mute_of(old)).unwrap_or_default());
        let name = self.own_name(&name, if known { "" } else { "caller" }, Some(&identity), who);
        let refused = self.turned_away(now, &identity);
        self.origins.insert(who, origin(&device, known, &phone));
        let asks = Asks::new(now);
        self.guests.insert(
            who,
            Guest { call, to_guest, port, phone, device, identity, known, asks, language, text, watches: false, joined: false },
        );
        if let Some(cause) = refused {
            self.acts.push_back(Act::Policy(Effect::Dismiss { who, cause }));
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
        if !self.hall.admits_anonymous(&self.name) {
            return Some(Cause::AnonymousOff);
        }
        let mut knocks = self.hall.knocks.lock().unwrap_or_else(PoisonError::into_inner);
        // Its calls are budgeted where they come in.
        knocks.knock(now, None, identity).is_err().then_some(Cause::Denied)
    }

    /// The device is forgotten only after what follows from its leaving is done: a notice cut short is ledgered by its name (N-8).
    fn guest_left(&mut self, now: Instant, who: ParticipantId, lost: bool) {
        self.depart_muted(who, lost);
        self.fact(now, Fact::Left { who });
        self.acts.push_back(Act::Forget(who));
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
                let ask = Ask::Chat(text);
                let spent = self.spend(now, Some(who), &ask);
                let Ask::Chat(text) = ask else { return };
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
                    media::Outcome::Completed => Outcome::Completed,
                    media::Outcome::Interrupted => Outcome::Interrupted,
                    media::Outcome::Failed => Outcome::Failed,
                };
                self.fact(now, Fact::Told { notice, outcome, carried });
                // Its line has come before, should the rules have given it up already.
                self.acts.push_back(Act::Carried { notice, carried });
                return;
            }
            FromGuest::Reported { notice, received_permille } => {
                self.acts.push_back(Act::WriteLine { notice, received_permille });
                Fact::Reported { notice, received_permille }
            }
        };
        self.fact(now, fact);
    }

    fn heard(&mut self, now: Instant, heard: MeetingHeard) {
        match heard {
            MeetingHeard::Speaking { who, .. } => {
                self.speaking.clone_from(&who);
                let speaking: Arc<[ParticipantId]> = who.into();
                for page in self.inside() {
                    if let Some(page) = self.pages.get(&page) {
                        page.feed.speaking(Arc::clone(&speaking));
                    }
                }
            }
            MeetingHeard::Peer { peer, change } => {
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
            MeetingHeard::RecorderFailed { .. } => self.recorder_failed(now),
        }
    }

    /// N-12: the recorder is gone, so the state is off and everybody is told.
    fn recorder_failed(&mut self, now: Instant) {
        if self.recording.take().is_some() {
            // Whichever recorder it was that failed: what is off must not be recorded.
            self.acts.push_back(Act::Untap);
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
            self.tell_page(who, ToPage::Stopping { within_seconds: by.saturating_duration_since(now).as_secs() });
        }
    }

    fn answer(&mut self, answer: Result<Granted, Refusal>) {
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
fn origin(label: &str, known: bool, phone: &Phone) -> Origin {
    if known {
        return Origin::Device(KnownDevice { label: label.to_owned(), proven_by: phone.proof.clone() });
    }
    let address = phone.address.parse::<SocketAddr>().map_or_else(|_| phone.address.clone(), |address| address.ip().to_string());
    let caller = phone.caller.to_string();
    Origin::Elsewhere(if caller.is_empty() { address } else { format!("{caller} ({address})") })
}

impl Machine for MeetingTask {
    type Input = Request;
    type Output = Act;

    fn handle(&mut self, now: Instant, request: Request) {
        self.take(now, request);
        // However fast requests come, pages are shown what they have led to.
        self.show_what_is_due(now);
    }

    fn wake(&mut self, now: Instant) {
        self.show_what_is_due(now);
        self.policy.wake(now);
        while let Some(effect) = self.policy.poll() {
            self.acts.push_back(Act::Policy(effect));
        }
        let due = self.lines.due(Some(now)).into_iter();
        self.acts.extend(due.map(|notice| Act::WriteLine { notice, received_permille: None }));
    }

    fn poll(&mut self) -> Option<Act> {
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

impl Owner for MeetingTask {
    type Machine = Self;

    fn machine(&mut self) -> &mut Self {
        self
    }

    async fn perform(&mut self, act: Act) -> Flow {
        match act {
            Act::Policy(effect) => self.perform_effect(effect).await,
            Act::Negotiate { who, sdp, reply } => {
                let answer = self.negotiate(who, sdp).await;
                let _ = reply.send(answer);
            }
            Act::Carried { notice, carried } => self.carried(notice, carried),
            Act::WriteLine { notice, received_permille } => self.write_line(notice, received_permille),
            Act::Untap => self.bridge.stop_recording().await,
            Act::Forget(who) => {
                self.guests.remove(&who);
                self.joins.remove(&who);
                self.origins.remove(&who);
            }
            Act::ComeBack { join, had, reply } => {
                // A store that does not answer has said so in the log; the page then knocks like anybody.
                let seated = self.shared.store.take_seat(had.number(), self.name.as_str()).await.unwrap_or(false);
                let joined = self.join_page(machine::now(), join, seated);
                let _ = reply.send(joined);
            }
            // Not written, there is one copy less; the store has said in the log why.
            Act::Copy(copy) => drop(self.shared.store.chat(*copy).await),
            Act::Mute(change) => drop(self.shared.store.mute(change).await),
            Act::Relay(input) => {
                if let Some(relay) = &self.shared.relay {
                    relay.say(input).await;
                }
            }
        }
        if !(self.over && self.acts.is_empty()) {
            return Flow::Continue;
        }
        // The ask that ended the meeting was done; nothing polls for more after the last act.
        self.answer(Ok(Granted::Done));
        Flow::Stop
    }
}
