//! [`LiveKit`]: the service, and the task of each of its rooms.
#![allow(clippy::disallowed_methods, reason = "a driver: it has the clock and its tasks")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::participant::{self, ParticipantEvent, ParticipantHandle, ParticipantSetup};
use super::room_service::{RoomListing, RoomService};
use super::room_state::{RoomInput, RoomOutput, RoomState, Slot};
use super::settings::LiveKitSettings;
use super::token::{self, Grants, Identity};
use crate::common::log_limit::LogLimit;
use crate::common::machine::{self, Machine as _};
use crate::common::units::unix_millis;
use crate::meeting::service::{MeetingService, RoomAsk, RoomFact, RoomSetup, Support, Traits};
use crate::net::tls::{self, TlsError, Trust};

/// Events of all participants of a room that may wait. Full: each keeps its own, and states replace older ones.
const EVENTS: usize = 64;
/// Facts that wait for the meeting here; states replace older ones.
const FACTS: usize = 64;

/// A LiveKit server, by what is configured of it.
pub struct LiveKit {
    settings: Arc<LiveKitSettings>,
    tls: Arc<rustls::ClientConfig>,
    api: Arc<RoomService>,
}

impl LiveKit {
    /// A server that is asked when the first meeting needs it.
    ///
    /// # Errors
    /// The authorities that are to be trusted cannot be read.
    pub fn new(settings: LiveKitSettings) -> Result<Self, TlsError> {
        let trust = settings.ca.clone().map_or(Trust::System, Trust::Authorities);
        let tls = tls::client(&trust)?;
        let api = Arc::new(RoomService::new(&settings.url, &tls));
        Ok(Self { settings: Arc::new(settings), tls, api })
    }
}

impl MeetingService for LiveKit {
    fn traits(&self) -> Traits {
        Traits {
            recording: Support::Signals,
            transcription: Support::Signals,
            chat: Support::Signals,
            hand: Support::Signals,
            mute: Support::Signals,
        }
    }

    fn open(&self, room: RoomSetup, link: mpsc::Receiver<RoomAsk>, facts: mpsc::Sender<RoomFact>) {
        let (settings, tls, api) = (Arc::clone(&self.settings), Arc::clone(&self.tls), Arc::clone(&self.api));
        let (told, events) = mpsc::channel(EVENTS);
        let (looked, looks) = mpsc::channel(1);
        let (state, waiting) = (RoomState::new(machine::now(), nonce()), VecDeque::new());
        let task = RoomTask {
            room,
            settings,
            tls,
            api,
            state,
            participants: BTreeMap::new(),
            told,
            looked,
            waiting,
            log: LogLimit::default(),
        };
        tokio::spawn(task.run(link, (events, looks), facts));
    }
}

/// Eight hexadecimal digits that no other room of any gateway has.
fn nonce() -> String {
    // Without randomness nothing of this daemon would have begun.
    format!("{:08x}", getrandom::u32().unwrap_or_default())
}

struct RoomTask {
    room: RoomSetup,
    settings: Arc<LiveKitSettings>,
    tls: Arc<rustls::ClientConfig>,
    api: Arc<RoomService>,
    state: RoomState,
    participants: BTreeMap<Slot, ParticipantHandle>,
    told: mpsc::Sender<(Slot, ParticipantEvent)>,
    looked: mpsc::Sender<Option<RoomListing>>,
    waiting: VecDeque<RoomFact>,
    log: LogLimit,
}

type Arrivals = (mpsc::Receiver<(Slot, ParticipantEvent)>, mpsc::Receiver<Option<RoomListing>>);

impl RoomTask {
    async fn run(mut self, mut link: mpsc::Receiver<RoomAsk>, (mut events, mut looks): Arrivals, facts: mpsc::Sender<RoomFact>) {
        let room = &self.room;
        tracing::info!(meeting = %room.meeting, room = room.room, url = self.settings.url, "the meeting is in a room of a LiveKit server");
        loop {
            let deadline = self.state.deadline();
            tokio::select! {
                permit = facts.reserve(), if !self.waiting.is_empty() => match (permit, self.waiting.pop_front()) {
                    (Ok(permit), Some(fact)) => permit.send(fact),
                    _ => return,
                },
                ask = link.recv() => match ask {
                    Some(ask) => self.state.handle(machine::now(), RoomInput::Ask(ask, unix_millis(SystemTime::now()))),
                    // The meeting is over: participants leave as their handles are dropped.
                    None => return,
                },
                Some((slot, event)) = events.recv() => self.participant_event(slot, event),
                Some(listing) = looks.recv() => self.state.handle(machine::now(), RoomInput::Looked(listing)),
                () = machine::sleep_until(deadline) => self.state.wake(machine::now()),
            }
            self.perform().await;
        }
    }

    /// What a participant says that has left meanwhile is not for the room any more.
    fn participant_event(&mut self, slot: Slot, event: ParticipantEvent) {
        if !self.participants.contains_key(&slot) {
            return;
        }
        if let ParticipantEvent::Over(reason) = event {
            tracing::info!(meeting = %self.room.meeting, ?slot, reason, "out of the LiveKit room");
            self.participants.remove(&slot);
        }
        self.state.handle(machine::now(), RoomInput::Event(slot, event));
    }

    async fn perform(&mut self) {
        while let Some(output) = self.state.poll() {
            match output {
                RoomOutput::Join { slot, part, who, end } => {
                    tracing::info!(meeting = %self.room.meeting, identity = who.identity, "joins the LiveKit room");
                    let setup = ParticipantSetup {
                        settings: Arc::clone(&self.settings),
                        tls: Arc::clone(&self.tls),
                        room: self.room.room.clone(),
                        part,
                        who,
                        bridge: self.room.bridge.clone(),
                        end,
                        seed: getrandom::u64().unwrap_or_default(),
                    };
                    self.participants.insert(slot, participant::join(setup, slot, self.told.clone()));
                }
                RoomOutput::Leave(slot) => drop(self.participants.remove(&slot)),
                RoomOutput::Tell(slot, ask) => {
                    if let Some(participant) = self.participants.get(&slot) {
                        // One that is over takes nothing more, and has said so.
                        let _ = participant.send(ask).await;
                    }
                }
                RoomOutput::Look => self.look(),
                RoomOutput::Fact(fact) => self.tell(fact),
            }
        }
    }

    fn look(&mut self) {
        let grants = Grants { room: self.room.room.clone(), room_admin: true, room_list: true, ..Grants::default() };
        let who = Identity { identity: "roomgate".to_owned(), ..Identity::default() };
        let token = token::sign(&self.settings, &who, &grants, unix_millis(SystemTime::now()) / 1000);
        let (api, room, looked) = (Arc::clone(&self.api), self.room.room.clone(), self.looked.clone());
        let logged = self.log.admit(machine::now());
        let meeting = self.room.meeting.clone();
        tokio::spawn(async move {
            let listing = api.look(&room, &token).await;
            if let (Err(error), Some(unlogged)) = (&listing, logged) {
                tracing::warn!(%meeting, room, %error, unlogged, "who is in the LiveKit room is not known");
            }
            // A room that is closed does not want to know.
            let _ = looked.send(listing.ok()).await;
        });
    }

    /// Keeps a fact for the meeting. A whole state takes the place of an older one.
    fn tell(&mut self, fact: RoomFact) {
        let replaces = |waiting: &RoomFact| match (&fact, waiting) {
            (RoomFact::People(_), RoomFact::People(_)) | (RoomFact::Reachable(_), RoomFact::Reachable(_)) => true,
            (RoomFact::Capture(what, _), RoomFact::Capture(other, _)) => what == other,
            _ => false,
        };
        self.waiting.retain(|waiting| !replaces(waiting));
        if self.waiting.len() >= FACTS {
            // Lines of the chat give way first: nobody who writes a lot keeps the end of a visit from being told.
            let oldest = self.waiting.iter().position(|waiting| matches!(waiting, RoomFact::Chat { .. })).unwrap_or(0);
            self.waiting.remove(oldest);
        }
        self.waiting.push_back(fact);
    }
}
