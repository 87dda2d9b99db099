//! One participant in a room: its [session](super::session), WebSocket and peer connection, in a task of its own.
#![allow(clippy::disallowed_methods, reason = "a driver: it has the clock and its task")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::chat::{self, ChatReader, ReceivedText};
use super::negotiation::Answer;
use super::proto::ParticipantInfo;
use super::session::{Part, Session, SessionEvent, SessionInput, SessionOutput};
use super::settings::LiveKitSettings;
use super::token::{self, Grants, Identity};
use super::websocket::{Socket, SocketAddress, SocketEvent};
use crate::common::ids::TrackId;
use crate::common::log_limit::LogLimit;
use crate::common::machine::{self, Machine as _};
use crate::common::redact::Redacted;
use crate::common::units::unix_millis;
use crate::media::{BridgeHandle, MediaEnd, RemotePeerEvent, RemotePeerHandle, RemotePeerSettings};

/// Asks that may wait. Full: the room waits.
const ASKS: usize = 32;
/// Events of a peer connection that may wait. Full: lost, and the session's own timers notice what is missing.
const PEER_EVENTS: usize = 128;
/// Lines for audio that an ear offers at first, as LiveKit's own clients do.
const FIRST_LINES: usize = 3;
/// Events for the room that may wait; states replace older ones, so only texts can be too many: the oldest are lost.
const EVENTS: usize = 64;

/// A participant to be.
pub(super) struct ParticipantSetup {
    pub(super) settings: Arc<LiveKitSettings>,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) room: String,
    pub(super) part: Part,
    pub(super) who: Identity,
    pub(super) bridge: BridgeHandle,
    /// Whose voice it publishes.
    pub(super) end: Option<MediaEnd>,
    pub(super) seed: u64,
}

/// What a participant is asked.
#[derive(Debug)]
pub(super) enum ParticipantAsk {
    /// Show its microphone as closed, or as open.
    Mute(bool),
    /// Its name, and its attributes.
    Describe(String, BTreeMap<String, String>),
    /// Identities that are not to be heard.
    Ignore(BTreeSet<String>),
    /// Write in the chat.
    Say(Redacted<String>),
}

/// What a participant tells its room.
#[derive(Debug)]
pub(super) enum ParticipantEvent {
    /// Sound passes, or it does not for now.
    Connected(bool),
    /// Who else is there, and where the sound of a track (by its sid) arrives: a whole state.
    People(Vec<ParticipantInfo>, BTreeMap<String, TrackId>),
    /// The room is recorded, with its metadata.
    Room { recorded: bool, metadata: String },
    /// Its microphone was closed by the server, or opened.
    Muted(bool),
    /// Somebody has written in the chat, so that it could read that.
    Text(ReceivedText),
    /// It is out for good, for this `DisconnectReason`.
    Over(i32),
}

/// Asks go by it; dropped, the participant leaves.
pub(super) type ParticipantHandle = mpsc::Sender<ParticipantAsk>;

/// Has a participant join. It tells `events` what happens, with `slot` to say to whom.
pub(super) fn join<S: Copy + Send + 'static>(
    setup: ParticipantSetup,
    slot: S,
    events: mpsc::Sender<(S, ParticipantEvent)>,
) -> ParticipantHandle {
    let (handle, inbox) = mpsc::channel(ASKS);
    tokio::spawn(Participant::new(setup).run(inbox, slot, events));
    handle
}

struct Peer {
    handle: RemotePeerHandle,
    events: mpsc::Receiver<RemotePeerEvent>,
}

struct Participant {
    setup: ParticipantSetup,
    session: Session,
    socket: Option<Socket>,
    peer: Option<Peer>,
    people: Vec<ParticipantInfo>,
    /// Names of tracks by their sids.
    tracks: BTreeMap<String, TrackId>,
    /// Tracks that lines carry now.
    carried: BTreeMap<String, TrackId>,
    chat: ChatReader,
    /// Packets sent by the reliable channel.
    sequence: u32,
    waiting: VecDeque<ParticipantEvent>,
    log: LogLimit,
}

impl Participant {
    fn new(setup: ParticipantSetup) -> Self {
        let session = Session::new(setup.part, setup.who.identity.clone(), setup.seed);
        Self {
            setup,
            session,
            socket: None,
            peer: None,
            people: Vec::new(),
            tracks: BTreeMap::new(),
            carried: BTreeMap::new(),
            chat: ChatReader::default(),
            sequence: 0,
            waiting: VecDeque::new(),
            log: LogLimit::default(),
        }
    }

    async fn run<S: Copy>(
        mut self,
        mut inbox: mpsc::Receiver<ParticipantAsk>,
        slot: S,
        events: mpsc::Sender<(S, ParticipantEvent)>,
    ) {
        self.perform().await;
        loop {
            let deadline = self.session.deadline();
            tokio::select! {
                permit = events.reserve(), if !self.waiting.is_empty() => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send((slot, event)),
                    _ => break,
                },
                ask = inbox.recv() => match ask {
                    Some(ask) => self.ask(ask).await,
                    None => break,
                },
                event = next_socket_event(&mut self.socket) => self.socket_event(event),
                event = next_peer_event(&mut self.peer) => self.peer_event(event),
                () = machine::sleep_until(deadline) => self.session.wake(machine::now()),
            }
            self.perform().await;
        }
        self.input(SessionInput::Leave);
        self.perform().await;
        self.close_peer().await;
    }

    fn input(&mut self, input: SessionInput) {
        self.session.handle(machine::now(), input);
    }

    async fn ask(&mut self, ask: ParticipantAsk) {
        match ask {
            ParticipantAsk::Mute(muted) => self.input(SessionInput::Mute(muted)),
            ParticipantAsk::Describe(name, attributes) => self.input(SessionInput::Describe { name, attributes }),
            ParticipantAsk::Ignore(identities) => self.input(SessionInput::Ignore(identities)),
            ParticipantAsk::Say(text) => self.say(text.expose()).await,
        }
    }

    async fn say(&mut self, text: &str) {
        let Some(peer) = &self.peer else { return };
        let id = format!("{}-{}", self.setup.who.identity, self.sequence);
        let millis = i64::try_from(unix_millis(SystemTime::now())).unwrap_or(0);
        for packet in chat::write(&id, text, millis, &mut self.sequence) {
            if !peer.handle.send_data(true, packet).await {
                tracing::debug!(identity = self.setup.who.identity, "a line of the chat cannot be sent");
                return;
            }
        }
    }

    fn socket_event(&mut self, event: SocketEvent) {
        let input = match event {
            SocketEvent::Opened => SessionInput::Opened,
            SocketEvent::Frame(bytes) => SessionInput::Frame(bytes),
            SocketEvent::Closed(end) => {
                self.socket = None;
                if let Some(unlogged) = self.log.admit(machine::now()) {
                    tracing::warn!(identity = self.setup.who.identity, %end, unlogged, "the LiveKit server is tried again");
                }
                SessionInput::Closed(end.status())
            }
        };
        self.input(input);
    }

    fn peer_event(&mut self, event: RemotePeerEvent) {
        if let RemotePeerEvent::Data { bytes, .. } = &event
            && let Some(text) = self.chat.read(machine::now(), bytes)
        {
            self.tell(ParticipantEvent::Text(text));
        }
        self.input(SessionInput::Peer(event));
    }

    /// Keeps an event for the room. A state takes the place of an older one of its kind.
    fn tell(&mut self, event: ParticipantEvent) {
        let is_text = matches!(event, ParticipantEvent::Text(_));
        let kind = std::mem::discriminant(&event);
        self.waiting.retain(|waiting| is_text || std::mem::discriminant(waiting) != kind);
        if self.waiting.len() >= EVENTS
            && let Some(oldest) = self.waiting.iter().position(|waiting| matches!(waiting, ParticipantEvent::Text(_)))
        {
            self.waiting.remove(oldest);
        }
        self.waiting.push_back(event);
    }

    // === What the session wants ===

    async fn perform(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                SessionOutput::Connect { resume } => self.connect(resume),
                SessionOutput::Send(bytes) => {
                    if self.socket.as_ref().is_some_and(|socket| !socket.send(bytes)) {
                        self.socket = None;
                        self.input(SessionInput::Closed(None));
                    }
                }
                SessionOutput::NewPeer => self.new_peer().await,
                SessionOutput::MakeOffer(request) => {
                    let offer = match &self.peer {
                        Some(peer) => peer.handle.offer(request).await,
                        None => None,
                    };
                    self.input(SessionInput::Offer(offer));
                }
                SessionOutput::Answer(answer) => self.answer(answer).await,
                SessionOutput::Candidate(candidate) => {
                    if let Some(peer) = &self.peer {
                        peer.handle.candidate(candidate).await;
                    }
                }
                SessionOutput::Event(event) => self.session_event(event).await,
            }
        }
    }

    fn connect(&mut self, resume: Option<String>) {
        let grants = Grants {
            room: self.setup.room.clone(),
            room_join: true,
            can_publish: self.setup.part == Part::Microphone,
            can_subscribe: self.setup.part == Part::Ear,
            can_publish_data: true,
            can_update_own_metadata: true,
            ..Grants::default()
        };
        let token = token::sign(&self.setup.settings, &self.setup.who, &grants, unix_millis(SystemTime::now()) / 1000);
        let address = SocketAddress { url: self.setup.settings.url.clone(), token, resume };
        self.socket = Some(Socket::connect(address, Arc::clone(&self.setup.tls)));
    }

    async fn new_peer(&mut self) {
        self.close_peer().await;
        let (publishes, audio_lines) = match self.setup.part {
            Part::Ear => (None, FIRST_LINES),
            Part::Microphone => (Some(self.setup.who.identity.clone()), 0),
        };
        let (told, events) = mpsc::channel(PEER_EVENTS);
        match self.setup.bridge.open_remote(RemotePeerSettings { publishes, audio_lines }, told).await {
            Ok(handle) => {
                if let Some(end) = self.setup.end {
                    self.setup.bridge.publish(end, Some(handle.id())).await;
                }
                self.peer = Some(Peer { handle, events });
            }
            Err(error) => tracing::error!(%error, "a connection to LiveKit cannot be made"),
        }
    }

    async fn close_peer(&mut self) {
        if let Some(peer) = self.peer.take() {
            if let Some(end) = self.setup.end {
                self.setup.bridge.publish(end, None).await;
            }
            peer.handle.close().await;
        }
        self.carried.clear();
    }

    async fn answer(&mut self, Answer { sdp, lines }: Answer) {
        let Some(peer) = &self.peer else { return self.input(SessionInput::Answered(false)) };
        let mut carried = BTreeMap::new();
        let mut map = Vec::new();
        for (mid, sid) in lines {
            let track = *self.tracks.entry(sid.clone()).or_insert_with(|| self.setup.bridge.new_track());
            carried.insert(sid, track);
            map.push((mid, track));
        }
        let taken = peer.handle.answer(sdp, map).await;
        if let Err(error) = &taken {
            tracing::warn!(%error, identity = self.setup.who.identity, "LiveKit's answer cannot be used");
        }
        self.input(SessionInput::Answered(taken.is_ok()));
        if self.carried != carried {
            self.tracks.retain(|sid, _| carried.contains_key(sid));
            self.carried = carried;
            self.tell_people();
        }
    }

    fn tell_people(&mut self) {
        self.tell(ParticipantEvent::People(self.people.clone(), self.carried.clone()));
    }

    async fn session_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Connected(connected) => self.tell(ParticipantEvent::Connected(connected)),
            SessionEvent::People(people) => {
                self.people = people;
                self.tell_people();
            }
            SessionEvent::Room { recorded, metadata } => self.tell(ParticipantEvent::Room { recorded, metadata }),
            SessionEvent::Muted(muted) => self.tell(ParticipantEvent::Muted(muted)),
            SessionEvent::Over(reason) => {
                self.close_peer().await;
                self.socket = None;
                self.tell(ParticipantEvent::Over(reason));
            }
        }
    }
}

async fn next_socket_event(socket: &mut Option<Socket>) -> SocketEvent {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

/// A peer connection whose events have ended is over.
async fn next_peer_event(peer: &mut Option<Peer>) -> RemotePeerEvent {
    match peer {
        Some(Peer { events, .. }) => match events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}
