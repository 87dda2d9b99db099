//! [`Session`]: the signalling of one participant (`/rtc/v1`), without socket, media and clock.
//!
//! It joins, offers and subscribes, keeps the connection alive, and after a loss comes back: to its presence where the server still has it,
//! as a new presence where not. Its owner opens WebSockets and the peer connection as it is told, and says what came of that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use prost::Message as _;

use super::back_off::BackOff;
use super::negotiation::{Answer, Negotiation};
use super::proto::{
    AddTrackRequest, JoinResponse, LeaveAction, LeaveRequest, MuteTrackRequest, ParticipantInfo, Ping, Request, Response,
    SignalRequest, SignalResponse, SyncState, TrackPublishedResponse, TrackSource, TrackType, UpdateParticipantMetadata,
};
use super::roster::Roster;
use crate::common::machine::Machine;
use crate::media::{OfferRequest, RemotePeerEvent};

/// Lines for audio that are added at once; a server that wants more of them asks again.
const MOST_LINES: usize = 200;
/// How long a peer connection may be without a path before the session resumes: holes of some seconds heal by themselves.
const PATH_LOST: Duration = Duration::from_secs(2);
/// How long a connection may take to be there after a join or a resume; then it is joined anew.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// What pings follow where the server does not say.
const PING_EVERY: Duration = Duration::from_secs(5);
/// Silence after which the WebSocket is dead, where the server does not say.
const SILENT_FOR: Duration = Duration::from_secs(15);

/// What a participant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Hears everybody, and publishes nothing.
    Ear,
    /// Publishes one microphone, and hears nobody.
    Microphone,
}

/// What happens to a session.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SessionInput {
    /// The WebSocket is open.
    Opened,
    /// A message of the server.
    Frame(Vec<u8>),
    /// The WebSocket is closed, or was refused with this status.
    Closed(Option<u16>),
    /// The offer that was asked for; `None`: the peer connection is over.
    Offer(Option<String>),
    /// Whether the peer connection has taken the answer.
    Answered(bool),
    /// From the peer connection.
    Peer(RemotePeerEvent),
    /// Show this as muted, or as open.
    Mute(bool),
    /// Name and attributes from now on.
    Describe { name: String, attributes: BTreeMap<String, String> },
    /// Tracks that are not to be heard: of these identities.
    Ignore(BTreeSet<String>),
    /// Leave.
    Leave,
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SessionOutput {
    /// Open a WebSocket, with a token of this moment: to come back as the presence of this sid, or to join. The one before is closed.
    Connect { resume: Option<String> },
    /// Send a message.
    Send(Vec<u8>),
    /// Make a peer connection in the place of the one before.
    NewPeer,
    /// Say [`SessionInput::Offer`].
    MakeOffer(OfferRequest),
    /// Give the answer to the peer connection.
    Answer(Answer),
    /// A candidate of the server.
    Candidate(String),
    /// Tell the owner.
    Event(SessionEvent),
}

/// What the owner of a session is told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum SessionEvent {
    /// It is in the room, and sound passes; or it does not for now.
    Connected(bool),
    /// Who else is there: a whole state.
    People(Vec<ParticipantInfo>),
    /// The room is recorded, with its metadata.
    Room { recorded: bool, metadata: String },
    /// The server has closed our microphone, or opened it.
    Muted(bool),
    /// It is out for good, for this `DisconnectReason`.
    Over(i32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A WebSocket is being opened; `true`: to resume.
    Connecting(bool),
    /// In the room.
    Joined,
    /// Until then nothing is tried.
    Waiting(Instant),
    Over,
}

/// See the file's paragraph.
pub(super) struct Session {
    part: Part,
    cid: String,
    phase: Phase,
    /// Our presence, once there is one that can be resumed.
    sid: Option<String>,
    /// Sound passes.
    works: bool,
    back_off: BackOff,
    negotiation: Negotiation,
    roster: Roster,
    /// Our microphone's track.
    track: Option<TrackPublishedResponse>,
    muted: bool,
    described: Option<(String, BTreeMap<String, String>)>,
    timers: Timers,
    out: VecDeque<SessionOutput>,
}

#[derive(Debug, Clone, Copy)]
struct Timers {
    ping_every: Duration,
    silent_for: Duration,
    ping_at: Option<Instant>,
    heard_at: Option<Instant>,
    /// There is no path since then.
    no_path_since: Option<Instant>,
}

impl Session {
    /// A session that joins at once. `cid` names its track; `seed` spreads attempts of many sessions over time.
    pub(super) fn new(part: Part, cid: String, seed: u64) -> Self {
        let (ping_every, silent_for) = (PING_EVERY, SILENT_FOR);
        let mut session = Self {
            part,
            cid,
            phase: Phase::Connecting(false),
            sid: None,
            works: false,
            back_off: BackOff::new(seed),
            negotiation: Negotiation::default(),
            roster: Roster::default(),
            track: None,
            muted: false,
            described: None,
            timers: Timers { ping_every, silent_for, ping_at: None, heard_at: None, no_path_since: None },
            out: VecDeque::new(),
        };
        session.out.push_back(SessionOutput::Connect { resume: None });
        session
    }

    fn event(&mut self, event: SessionEvent) {
        self.out.push_back(SessionOutput::Event(event));
    }

    fn send(&mut self, request: Request) {
        self.out.push_back(SessionOutput::Send(SignalRequest { message: Some(request) }.encode_to_vec()));
    }

    // === Coming and going ===

    /// A WebSocket is there, and the server will say whether we are in.
    fn opened(&mut self, now: Instant) {
        self.timers.heard_at = Some(now);
        self.timers.ping_at = now.checked_add(self.timers.ping_every);
    }

    /// The WebSocket is gone. One that was refused for a reason that no patience mends ends the session.
    fn closed(&mut self, now: Instant, status: Option<u16>) {
        (self.timers.ping_at, self.timers.heard_at) = (None, None);
        match (self.phase, status) {
            // It was of no use any more: the next one is due already.
            (Phase::Over | Phase::Waiting(_), _) => {}
            // The presence is not there any more.
            (Phase::Connecting(true), Some(_)) => self.join_anew(now),
            _ => self.wait(now),
        }
    }

    fn wait(&mut self, now: Instant) {
        let at = self.back_off.next(now);
        self.phase = Phase::Waiting(at);
        if !self.works {
            self.event(SessionEvent::Connected(false));
        }
    }

    fn try_again(&mut self) {
        let resume = self.sid.clone();
        self.phase = Phase::Connecting(resume.is_some());
        self.out.push_back(SessionOutput::Connect { resume });
    }

    /// Forgets the presence: the next attempt joins.
    fn join_anew(&mut self, now: Instant) {
        self.sid = None;
        self.wait(now);
    }

    fn over(&mut self, reason: i32) {
        self.phase = Phase::Over;
        (self.timers.ping_at, self.timers.heard_at, self.timers.no_path_since) = (None, None, None);
        self.event(SessionEvent::Over(reason));
    }

    fn leave(&mut self) {
        if self.phase == Phase::Joined {
            // 1: CLIENT_INITIATED.
            self.send(Request::Leave(LeaveRequest { reason: 1, action: LeaveAction::Disconnect.into() }));
        }
        self.over(1);
    }

    fn sent_away(&mut self, now: Instant, leave: LeaveRequest) {
        match leave.action() {
            LeaveAction::Disconnect => self.over(leave.reason),
            LeaveAction::Resume => self.wait(now),
            LeaveAction::Reconnect => self.join_anew(now),
        }
    }

    // === Messages ===

    fn frame(&mut self, now: Instant, bytes: &[u8]) {
        self.timers.heard_at = Some(now);
        // What cannot be read is the server's fault, and nothing that we would miss.
        let Ok(SignalResponse { message: Some(response) }) = SignalResponse::decode(bytes) else { return };
        match response {
            Response::Join(join) => self.admitted(now, *join),
            Response::Reconnect(_) => self.resumed(now),
            Response::Answer(answer) => self.out.extend(self.negotiation.answered(answer).map(SessionOutput::Answer)),
            Response::Trickle(trickle) => self.out.extend(Negotiation::candidate(&trickle).map(SessionOutput::Candidate)),
            Response::Update(update) => {
                self.roster.update(update.participants);
                self.people_changed();
            }
            Response::TrackPublished(track) if self.part == Part::Microphone && track.cid == self.cid => {
                self.track = Some(track);
                self.show_muted();
                self.want_offer(OfferRequest::default());
            }
            Response::TrackPublished(_) => {}
            Response::Leave(leave) => self.sent_away(now, leave),
            Response::Mute(mute) => {
                if self.track_sid() == Some(mute.sid.as_str()) && self.muted != mute.muted {
                    self.muted = mute.muted;
                    self.event(SessionEvent::Muted(mute.muted));
                }
            }
            Response::RoomUpdate(update) => {
                if let Some(room) = update.room {
                    self.event(SessionEvent::Room { recorded: room.active_recording, metadata: room.metadata });
                }
            }
            Response::MediaSections(wanted) => {
                let audio_lines = usize::try_from(wanted.num_audios).unwrap_or(0).min(MOST_LINES);
                self.want_offer(OfferRequest { audio_lines, restart_ice: false });
            }
            Response::Pong(_) => {}
        }
    }

    /// The server has let us in, and says how the room is.
    fn admitted(&mut self, now: Instant, join: JoinResponse) {
        let positive = |seconds: i32| u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs);
        self.timers.ping_every = positive(join.ping_interval).unwrap_or(PING_EVERY);
        self.timers.silent_for = positive(join.ping_timeout).unwrap_or(SILENT_FOR);
        self.opened(now);
        self.sid = join.participant.map(|own| own.sid);
        self.track = None;
        self.roster.joined(self.sid.clone(), join.other_participants);
        self.joined(now);
        if let Some(room) = join.room {
            self.event(SessionEvent::Room { recorded: room.active_recording, metadata: room.metadata });
        }
        self.people_changed();
    }

    /// In the room as a new presence.
    fn joined(&mut self, now: Instant) {
        self.phase = Phase::Joined;
        self.works = false;
        self.negotiation = Negotiation::default();
        self.timers.no_path_since = Some(now);
        self.out.push_back(SessionOutput::NewPeer);
        match self.part {
            Part::Ear => self.want_offer(OfferRequest::default()),
            Part::Microphone => {
                let request = AddTrackRequest {
                    cid: self.cid.clone(),
                    name: "microphone".to_owned(),
                    r#type: TrackType::Audio.into(),
                    muted: self.muted,
                    source: TrackSource::Microphone.into(),
                    disable_red: true,
                };
                self.send(Request::AddTrack(request));
                self.describe_again();
            }
        }
    }

    /// Back as the same presence: the server is told what it may have forgotten, and all paths are tried anew.
    fn resumed(&mut self, now: Instant) {
        self.phase = Phase::Joined;
        self.opened(now);
        let (offer, answer) = self.negotiation.last();
        self.roster.resumed();
        let subscription = (self.part == Part::Ear).then(|| self.roster.subscribed());
        let publish_tracks = self.track.clone().into_iter().collect();
        let state = SyncState { answer, subscription, publish_tracks, data_channels: Vec::new(), offer };
        self.send(Request::SyncState(state));
        self.timers.no_path_since = Some(now);
        self.show_muted();
        self.describe_again();
        self.negotiation.forget_pending();
        self.want_offer(OfferRequest { audio_lines: 0, restart_ice: true });
    }

    fn want_offer(&mut self, request: OfferRequest) {
        self.out.extend(self.negotiation.want(request).map(SessionOutput::MakeOffer));
    }

    // === People ===

    /// Subscribes to what is to be heard, and tells the owner who is there.
    fn people_changed(&mut self) {
        if self.part == Part::Microphone {
            return;
        }
        for change in self.roster.subscriptions() {
            self.send(Request::Subscription(change));
        }
        self.event(SessionEvent::People(self.roster.people()));
    }

    // === Our own microphone ===

    fn track_sid(&self) -> Option<&str> {
        self.track.as_ref()?.track.as_ref().map(|track| track.sid.as_str())
    }

    fn show_muted(&mut self) {
        if self.phase == Phase::Joined
            && let Some(sid) = self.track_sid().map(str::to_owned)
        {
            self.send(Request::Mute(MuteTrackRequest { sid, muted: self.muted }));
        }
    }

    fn describe_again(&mut self) {
        if let Some((name, attributes)) = self.described.clone() {
            let attributes = attributes.into_iter().collect();
            let request = UpdateParticipantMetadata { metadata: String::new(), name, attributes, request_id: 0 };
            self.send(Request::UpdateMetadata(request));
        }
    }

    fn peer_event(&mut self, now: Instant, event: &RemotePeerEvent) {
        match event {
            RemotePeerEvent::Connected => {
                self.timers.no_path_since = None;
                self.negotiation.has_path();
                self.back_off.succeeded();
                self.works = true;
                self.event(SessionEvent::Connected(true));
            }
            RemotePeerEvent::Disconnected => {
                self.timers.no_path_since.get_or_insert(now);
                self.works = false;
                self.event(SessionEvent::Connected(false));
            }
            RemotePeerEvent::Failed if self.phase != Phase::Over => {
                self.works = false;
                self.join_anew(now);
            }
            RemotePeerEvent::Failed | RemotePeerEvent::Data { .. } => {}
        }
    }

    // === Time ===

    /// There has been no path for too long: first the presence is resumed, then it is joined anew.
    fn path_deadline(&self) -> Option<Instant> {
        let patience = if self.negotiation.restarts() { CONNECTS_WITHIN } else { PATH_LOST.max(self.first_path()) };
        self.timers.no_path_since.filter(|_| self.phase == Phase::Joined)?.checked_add(patience)
    }

    fn first_path(&self) -> Duration {
        if self.negotiation.has_answer() { PATH_LOST } else { CONNECTS_WITHIN }
    }
}

impl Machine for Session {
    type Input = SessionInput;
    type Output = SessionOutput;

    fn handle(&mut self, now: Instant, input: SessionInput) {
        match input {
            SessionInput::Opened => self.opened(now),
            SessionInput::Frame(bytes) if self.phase != Phase::Over => self.frame(now, &bytes),
            SessionInput::Frame(_) => {}
            SessionInput::Closed(status) => self.closed(now, status),
            SessionInput::Offer(Some(sdp)) => {
                if let Some(offer) = self.negotiation.offered(sdp) {
                    self.send(Request::Offer(offer));
                }
            }
            SessionInput::Offer(None) | SessionInput::Answered(false) => {
                if self.phase == Phase::Joined {
                    self.join_anew(now);
                }
            }
            SessionInput::Answered(true) => self.out.extend(self.negotiation.settled().map(SessionOutput::MakeOffer)),
            SessionInput::Peer(event) => self.peer_event(now, &event),
            SessionInput::Mute(muted) => {
                if std::mem::replace(&mut self.muted, muted) != muted {
                    self.show_muted();
                }
            }
            SessionInput::Describe { name, attributes } => {
                let described = Some((name, attributes));
                if self.described != described {
                    self.described = described;
                    if self.phase == Phase::Joined {
                        self.describe_again();
                    }
                }
            }
            SessionInput::Ignore(identities) => {
                if self.roster.ignore(identities) && self.phase == Phase::Joined {
                    self.people_changed();
                }
            }
            SessionInput::Leave => self.leave(),
        }
    }

    fn wake(&mut self, now: Instant) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if let Phase::Waiting(at) = self.phase
            && at <= now
        {
            return self.try_again();
        }
        if is_due(self.timers.heard_at.and_then(|at| at.checked_add(self.timers.silent_for))) {
            return self.closed(now, None);
        }
        if is_due(self.path_deadline()) {
            self.timers.no_path_since = None;
            if self.negotiation.restarts() || !self.negotiation.has_answer() {
                return self.join_anew(now);
            }
            return self.wait(now);
        }
        if is_due(self.timers.ping_at) {
            self.timers.ping_at = now.checked_add(self.timers.ping_every);
            if self.phase == Phase::Joined {
                self.send(Request::Ping(Ping { timestamp: 0 }));
            }
        }
    }

    fn poll(&mut self) -> Option<SessionOutput> {
        self.out.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        let silent = self.timers.heard_at.and_then(|at| at.checked_add(self.timers.silent_for));
        let waiting = if let Phase::Waiting(at) = self.phase { Some(at) } else { None };
        [waiting, silent, self.path_deadline(), self.timers.ping_at].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;
