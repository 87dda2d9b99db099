//! [`MeetingState`]: the contract of a meeting with its owner, and the way of an input through it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::act::{MeetingAct, MeetingReply};
use super::chat_log::ChatLog;
use super::event_log::EventLog;
use super::input::{MeetingInput, MeetingTime, RequestReply};
use super::kept_mutes::KeptMutes;
use super::knock_rules::KnockRules;
use super::ledger_queue::LedgerQueue;
use super::log_limits::{StrangerLog, StrangerLogLimits};
use super::page_views::PageViews;
use super::participants::ParticipantTable;
use super::recording::RecordingState;
use crate::common::cause::Cause;
use crate::common::ids::{Ids, MeetingName, NoticeId, ParticipantId};
use crate::common::machine::Machine;
use crate::media::{BridgeEvent, PeerChange};
use crate::meeting::guest::ToGuest;
use crate::meeting::messages::{Granted, MeetingRefusal, ToPage};
use crate::meeting::mutes::MuteRegistry;
use crate::meeting::settings::{ConfiguredMeetings, MeetingSettings};
use crate::policy::{Asker, Capability, Capture, CaptureKind, Effect, Fact, Policy, PolicySettings, SentPackets, Standing};

/// What a meeting begins with.
pub(in crate::meeting) struct MeetingSetup {
    pub(in crate::meeting) name: MeetingName,
    pub(in crate::meeting) settings: MeetingSettings,
    /// Names presences.
    pub(in crate::meeting) ids: Ids,
    /// What is configured of all meetings.
    pub(in crate::meeting) configured: Arc<ConfiguredMeetings>,
    /// Microphones that stay closed (K-4).
    pub(in crate::meeting) mutes: MuteRegistry,
    /// Until then pages come back that had a seat in the last run (M-5).
    pub(in crate::meeting) seats_until: Instant,
    /// Chat by SMS is to be had.
    pub(in crate::meeting) by_sms: bool,
}

/// What is decided once all that was decided before it is done.
pub(super) enum Step {
    /// The policy wants this.
    Effect(Effect),
    /// A notice left in these packets: its line has come before, should the rules have given it up already.
    Carried { notice: NoticeId, carried: Option<SentPackets> },
    /// A notice's line waits no longer.
    WriteLine { notice: NoticeId, received_permille: Option<u16> },
    /// A device has left: forgotten after what follows from that, so that a notice cut short is in the ledger by its name (N-8).
    ForgetGuest(ParticipantId),
    /// Somebody has left the room of the service: forgotten after the seat is taken away.
    ForgetRemote(ParticipantId),
}

/// A live meeting. One [`handle`](Self::handle) or [`wake`](Self::wake), then [`poll`](Self::poll) until `None`, then wait for
/// [`deadline`](Self::deadline); the result of an act is handled before the next `poll`.
pub(in crate::meeting) struct MeetingState {
    pub(super) name: MeetingName,
    pub(super) title: String,
    pub(super) policy: Policy,
    /// What the policy goes by.
    pub(super) rules: PolicySettings,
    pub(super) ids: Ids,
    pub(super) entry: KnockRules,
    pub(super) seats_until: Instant,
    pub(super) by_sms: bool,
    /// It takes place in the room of a service.
    pub(super) in_room: bool,
    pub(super) people: ParticipantTable,
    pub(super) mutes: KeptMutes,
    pub(super) chat: ChatLog,
    pub(super) recording: RecordingState,
    pub(super) ledger: LedgerQueue,
    pub(super) events: EventLog,
    pub(super) views: PageViews,
    log_limits: StrangerLogLimits,
    /// When the input came that is being handled.
    now: MeetingTime,
    pub(super) steps: VecDeque<Step>,
    pub(super) acts: VecDeque<MeetingAct>,
    /// Whoever has asked, until all that follows from it is done.
    pub(super) asked: Option<RequestReply>,
    /// The daemon ends it, which everybody but the daemon goes on with (K-4).
    pub(super) closing: bool,
    /// The gateway stops by then (O-4).
    pub(super) stopping: Option<Instant>,
    /// The gateway stops now: who is dismissed comes back to the next run.
    pub(super) stopped: bool,
    pub(super) over: bool,
    end_said: bool,
}

impl MeetingState {
    /// A meeting in which nobody is yet.
    pub(in crate::meeting) fn new(now: MeetingTime, setup: MeetingSetup) -> Self {
        let MeetingSetup { name, settings, ids, configured, mutes, seats_until, by_sms } = setup;
        let (mut policy, in_room) = (Policy::new(settings.policy.clone()), settings.room.is_some());
        if in_room {
            // Whoever is in the room learns of a recording there; one of ours would go unnoticed (N-1).
            policy.handle(now.instant, Fact::CaptureConfigured { what: CaptureKind::Recording, configured: false });
        }
        Self {
            title: settings.title,
            policy,
            in_room,
            rules: settings.policy,
            ids,
            entry: KnockRules::new(name.clone(), configured),
            seats_until,
            by_sms,
            people: ParticipantTable::default(),
            mutes: KeptMutes::new(mutes, name.clone(), now.unix_millis),
            chat: ChatLog::default(),
            recording: RecordingState::default(),
            ledger: LedgerQueue::default(),
            events: EventLog::new(name.clone()),
            views: PageViews::default(),
            log_limits: StrangerLogLimits::default(),
            now,
            steps: VecDeque::new(),
            acts: VecDeque::new(),
            asked: None,
            closing: false,
            stopping: None,
            stopped: false,
            over: false,
            end_said: false,
            name,
        }
    }

    /// Takes one input that happened at `now`.
    pub(in crate::meeting) fn handle(&mut self, now: MeetingTime, input: MeetingInput) {
        self.now = now;
        self.take(input);
        // However fast requests come, pages are shown what they have led to.
        self.show_due();
    }

    /// A deadline has passed.
    pub(in crate::meeting) fn wake(&mut self, now: MeetingTime) {
        self.now = now;
        self.show_due();
        self.policy.wake(now.instant);
        self.follow_policy();
        let due = self.ledger.due(Some(now.instant)).into_iter();
        self.steps.extend(due.map(|notice| Step::WriteLine { notice, received_permille: None }));
    }

    /// The next thing to do, if any.
    pub(in crate::meeting) fn poll(&mut self) -> Option<MeetingAct> {
        while self.acts.is_empty() {
            let Some(step) = self.steps.pop_front() else { break };
            self.step(step);
        }
        if self.acts.is_empty() {
            // Everything that a request led to has been done, and nothing refused it.
            self.answer(Ok(Granted::Done));
        }
        let act = self.acts.pop_front();
        if act.is_none() && self.over && !std::mem::replace(&mut self.end_said, true) {
            return Some(MeetingAct::End);
        }
        act
    }

    /// When [`wake`](Self::wake) is wanted next.
    pub(in crate::meeting) fn deadline(&self) -> Option<Instant> {
        self.policy.deadline().into_iter().chain(self.ledger.deadline()).chain(self.views.due()).min()
    }

    /// The meeting closes, with its last acts: what is open is closed, and what waits for the ledger is written.
    pub(in crate::meeting) fn close(&mut self, now: MeetingTime) {
        self.now = now;
        if self.recording.end() {
            self.acts.push_back(MeetingAct::FinishRecording);
        }
        let readers = self.people.guests.iter().filter(|(_, guest)| guest.entered_relay);
        for who in readers.map(|(who, _)| *who).collect::<Vec<_>>() {
            self.sms_ends(who);
        }
        let peers = self.people.pages.values().filter_map(|page| page.peer);
        self.acts.extend(peers.map(MeetingAct::ClosePeer));
        for notice in self.ledger.due(None) {
            self.write_line(notice, None);
        }
    }

    /// Now.
    pub(super) const fn instant(&self) -> Instant {
        self.now.instant
    }

    /// The time of day, in milliseconds since 1970.
    pub(super) const fn unix_millis(&self) -> u64 {
        self.now.unix_millis
    }

    fn take(&mut self, input: MeetingInput) {
        match input {
            MeetingInput::JoinPage(join, reply) => self.page_joins(join, reply),
            MeetingInput::SeatTaken { join, had, seated, reply } => {
                let joined = self.join_page(*join, Some(had).filter(|_| seated));
                self.reply(MeetingReply::Joined(reply, joined));
            }
            MeetingInput::Offer { who, sdp, reply } => self.page_offers(who, sdp, reply),
            MeetingInput::PeerOpened { who, opened, reply } => self.peer_opened(who, opened, reply),
            MeetingInput::ConnectionLost(who) => self.connection_lost(who),
            MeetingInput::PageReloaded(who) => self.fact(Fact::Reloaded { who }),
            MeetingInput::Ask { who, ask, reply } => {
                self.asked = Some(reply);
                if let Err(refusal) = self.spend(who, &ask).and_then(|()| self.ask(who, ask)) {
                    self.answer(Err(refusal));
                }
            }
            MeetingInput::Snapshot { viewer, reply } => {
                let snapshot = Box::new(self.snapshot(viewer));
                self.reply(MeetingReply::Snapshot(reply, snapshot));
            }
            MeetingInput::Chat(reply) => self.reply(MeetingReply::Chat(reply, self.chat.lines())),
            MeetingInput::Calling(progress) => {
                for who in self.pages_inside().into_iter().filter(|who| self.policy.may(*who, Capability::Admit).is_ok()) {
                    self.people.tell_page(who, progress.clone());
                }
            }
            MeetingInput::Knock(device) => self.knock(*device),
            MeetingInput::Guest(who, what) => self.take_guest_input(who, what),
            MeetingInput::GuestStalled(who) => self.guest_stalled(who),
            MeetingInput::Relay(who, event) => self.take_relay_event(who, event),
            MeetingInput::RelayAnswered(who, answer) => self.relay_answered(who, answer),
            MeetingInput::Room(fact) => self.take_room_fact(fact),
            MeetingInput::Bridge(event) => self.take_bridge_event(event),
            MeetingInput::RecordingStarted(made) => self.recording_started(made),
            MeetingInput::Stopping { by } => {
                self.stopping = Some(by);
                for who in self.people.pages.keys() {
                    self.tell_stopping(*who);
                }
            }
            MeetingInput::Reconfigured => self.reconfigured(),
            MeetingInput::Close(cause) => {
                tracing::info!(meeting = %self.name, %cause, "meeting ends");
                self.closing = true;
                self.stopped = cause == Cause::Draining;
                self.fact(if self.stopped { Fact::Stopped } else { Fact::End { by: Asker::Operator } });
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Effect(effect) => self.apply(effect),
            Step::Carried { notice, carried } => {
                let line = self.ledger.carried(notice, carried);
                self.acts.extend(line.map(|line| MeetingAct::WriteLedger(Box::new(line))));
            }
            Step::WriteLine { notice, received_permille } => self.write_line(notice, received_permille),
            Step::ForgetGuest(who) => self.forget_guest(who),
            Step::ForgetRemote(who) => drop(self.people.remote.remove(&who)),
        }
    }

    fn write_line(&mut self, notice: NoticeId, received_permille: Option<u16>) {
        let line = self.ledger.take(notice, received_permille);
        self.acts.extend(line.map(|line| MeetingAct::WriteLedger(Box::new(line))));
    }

    /// Tells the policy what has happened. What it decides is done after what it has decided before.
    pub(super) fn fact(&mut self, fact: Fact) {
        let muted = match &fact {
            Fact::Mute { who, .. } | Fact::MuteSelf { who, .. } => self.policy.muted(*who).map(|muted| (*who, muted.host)),
            _ => None,
        };
        self.policy.handle(self.now.instant, fact);
        self.follow_policy();
        if let Some((who, before)) = muted {
            self.spread_host_mute(who, before);
        }
    }

    fn follow_policy(&mut self) {
        while let Some(effect) = self.policy.poll() {
            self.steps.push_back(Step::Effect(effect));
        }
    }

    /// A host has muted somebody, or the mute was lifted: so it is for every presence that this person has here (K-4).
    fn spread_host_mute(&mut self, who: ParticipantId, before: bool) {
        let Some(on) = self.policy.muted(who).map(|muted| muted.host).filter(|on| *on != before) else { return };
        let Some(identity) = self.people.identity_of(who) else { return };
        for other in self.people.others_of(&identity, who) {
            self.fact(Fact::HostMute { who: other, on });
        }
        let change = self.mutes.muted_by_host(&self.policy, &self.people, &identity, on, self.now.unix_millis);
        self.acts.extend(change.map(MeetingAct::KeepMute));
    }

    // === Bridge and recorder ===

    fn take_bridge_event(&mut self, event: BridgeEvent) {
        match event {
            BridgeEvent::Speaking { who, .. } => {
                let speaking: Arc<[ParticipantId]> = who.into();
                for page in self.pages_inside().iter().filter_map(|who| self.people.pages.get(who)) {
                    page.feed.speaking(Arc::clone(&speaking));
                }
            }
            BridgeEvent::Peer { peer, change } => {
                let found = self.people.pages.iter_mut().find(|(_, page)| page.peer == Some(peer));
                if let Some((who, page)) = found {
                    let who = *who;
                    page.consent = match change {
                        PeerChange::Connected => true,
                        PeerChange::Alive(alive) => alive,
                        PeerChange::Gone => false,
                    };
                    tracing::debug!(meeting = %self.name, participant = %who, ?change, "browser connection");
                    self.report_alive(who);
                }
            }
            BridgeEvent::RecorderFailed { .. } => {
                // N-12: the recorder is gone, whichever it was, so the state is off and everybody is told.
                if self.recording.end() {
                    self.acts.push_back(MeetingAct::AbandonRecording);
                    tracing::error!(meeting = %self.name, "recording stopped by itself: see the recordings directory and its disk");
                    self.fact(Fact::CaptureIs { what: CaptureKind::Recording, state: Capture::Off });
                }
            }
        }
    }

    /// The policy wants this of the recorder.
    pub(super) fn want_recording(&mut self, want: Capture) {
        let change = self.recording.want(want, &mut self.asked);
        self.acts.extend(change.act);
        if let Some(state) = change.is {
            self.fact(Fact::CaptureIs { what: CaptureKind::Recording, state });
        }
    }

    fn recording_started(&mut self, made: bool) {
        let Some((want, asked)) = self.recording.started(made) else { return };
        self.asked = asked;
        if made {
            self.want_recording(want);
        } else {
            self.answer(Err(MeetingRefusal::RecorderFailed));
            self.fact(Fact::CaptureIs { what: CaptureKind::Recording, state: Capture::Off });
        }
    }

    // === Answers and messages ===

    pub(super) fn reply(&mut self, reply: MeetingReply) {
        self.acts.push_back(MeetingAct::Reply(reply));
    }

    /// Answers whoever has asked, if nothing has answered them yet.
    pub(super) fn answer(&mut self, answer: Result<Granted, MeetingRefusal>) {
        if let Some(asked) = self.asked.take() {
            self.acts.push_back(MeetingAct::Reply(MeetingReply::Asked(asked, answer)));
        }
    }

    pub(super) fn tell_guest(&mut self, who: ParticipantId, what: ToGuest) {
        if self.people.guests.contains_key(&who) {
            self.acts.push_back(MeetingAct::TellGuest { who, what });
        }
    }

    pub(super) fn tell_stopping(&self, who: ParticipantId) {
        if let Some(by) = self.stopping {
            let comes_back = self.entry.outlasts_a_restart();
            let within_seconds = by.saturating_duration_since(self.now.instant).as_secs();
            self.people.tell_page(who, ToPage::Stopping { within_seconds, comes_back });
        }
    }

    /// Pages of those inside.
    pub(super) fn pages_inside(&self) -> Vec<ParticipantId> {
        self.people.pages.keys().copied().filter(|who| self.policy.standing(*who) == Some(Standing::In)).collect()
    }

    /// Whether a line of the log about somebody is written; then how many of its kind were not.
    pub(super) fn log_allows(&mut self, who: ParticipantId, kind: StrangerLog) -> Option<u64> {
        if self.people.is_stranger(who) { self.log_limits.allows(self.now.instant, kind) } else { Some(0) }
    }

    /// Shows pages, and devices that watch, what has changed, if it is time.
    pub(super) fn show_due(&mut self) {
        if self.views.show_due(&self.policy, &self.people, self.now.instant) {
            for who in self.people.guests.keys().copied().collect::<Vec<_>>() {
                self.show_roster(who);
            }
        }
    }
}
