//! What the state of a meeting wants done is done here: on the bridge, in the store, by the relay, at the calls of devices.
#![allow(clippy::disallowed_methods, reason = "part of the meeting's task: files are named by the time of day")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::mpsc;

use super::input::TaskInput;
use crate::common::ids::{MeetingName, ParticipantId, PeerId};
use crate::common::redact::Redacted;
use crate::media::{BridgeEvent, BridgeHandle, Gate, PeerHandle, PortHandle};
use crate::meeting::guest::{Knock, ToGuest};
use crate::meeting::recording::{ActiveRecording, FinishingRecording};
use crate::meeting::service::RoomAsk;
use crate::meeting::settings::MeetingsShared;
use crate::meeting::state::{KnockingDevice, MeetingAct, MeetingInput};
use crate::policy::Admission;
use crate::relay::driver::RelayEvents;
use crate::store::ChatCopy;

/// The ends of one device's call.
struct GuestEnds {
    port: PortHandle,
    to_guest: mpsc::Sender<ToGuest>,
}

/// By what things come back to the meeting.
pub(super) struct OwnQueues {
    /// What was started apart from the task says here what came of it.
    pub(super) mailbox: mpsc::WeakSender<TaskInput>,
    /// For the bridge, its peers and the recorder.
    pub(super) bridge_events: mpsc::Sender<BridgeEvent>,
    /// For the relay.
    pub(super) relay_events: RelayEvents,
}

/// What the acts of one meeting are done with.
pub(super) struct MeetingEffects {
    pub(super) meeting: MeetingName,
    pub(super) shared: Arc<MeetingsShared>,
    pub(super) own: OwnQueues,
    bridge: BridgeHandle,
    /// The room of the meeting's service.
    room: Option<mpsc::Sender<RoomAsk>>,
    guests: BTreeMap<ParticipantId, GuestEnds>,
    peers: BTreeMap<PeerId, PeerHandle>,
    recording: Option<ActiveRecording>,
    /// The recording that ended last, until the meeting closes.
    finishing: Option<FinishingRecording>,
}

impl MeetingEffects {
    pub(super) fn new(
        meeting: MeetingName,
        shared: Arc<MeetingsShared>,
        (bridge, room): (BridgeHandle, Option<mpsc::Sender<RoomAsk>>),
        own: OwnQueues,
    ) -> Self {
        let (guests, peers, recording, finishing) = (BTreeMap::new(), BTreeMap::new(), None, None);
        Self { meeting, shared, own, bridge, room, guests, peers, recording, finishing }
    }

    /// Keeps the ends of a device that knocks; the rest is for the state.
    pub(super) fn take_in(&mut self, knock: Knock) -> KnockingDevice {
        let Knock { who, call, name, device, phone, identity, known, heir_of, language, text, port, to_guest } = knock;
        let (id, predecessor) = (port.id(), heir_of);
        self.guests.insert(who, GuestEnds { port, to_guest });
        KnockingDevice { who, call, port: id, name, device, phone, identity, known, predecessor, language, text }
    }

    /// Does an act. What comes back is its result, for the state.
    pub(super) async fn perform(&mut self, act: MeetingAct) -> Option<MeetingInput> {
        let store = &self.shared.store;
        match act {
            MeetingAct::OpenPeer { who, sdp, reply } => {
                let opened = self.bridge.open_peer(sdp, self.own.bridge_events.clone()).await;
                let opened = opened.map(|(peer, answer)| {
                    let id = peer.id();
                    self.peers.insert(id, peer);
                    (id, answer)
                });
                return Some(MeetingInput::PeerOpened { who, opened, reply });
            }
            MeetingAct::TakeSeat { join, had, reply } => {
                // A store that does not answer has said so in the log; the page then knocks like anybody.
                let seated = store.take_seat(had.number(), self.meeting.as_str()).await.unwrap_or(false);
                return Some(MeetingInput::SeatTaken { join, had, seated, reply });
            }
            MeetingAct::StartRecording => return Some(MeetingInput::RecordingStarted(self.start_recording().await)),
            MeetingAct::TellGuest { who, what } => return self.tell_guest(who, what),
            MeetingAct::SeatPort { who, admission } => self.seat_port(who, admission).await,
            MeetingAct::Gate { end, gate } => self.bridge.gate(end, gate).await,
            MeetingAct::Unseat(end) => self.bridge.unseat(end).await,
            MeetingAct::Seat { end, admission, gate } => self.bridge.seat(end, admission, gate).await,
            MeetingAct::ReplaceEnd { old, new } => self.bridge.replace(old, new).await,
            MeetingAct::AskRoom(ask) => {
                if let Some(room) = &self.room {
                    // A room whose link has ended has said so by its last fact.
                    let _ = room.send(ask).await;
                }
            }
            MeetingAct::ClosePeer(peer) => self.close_peer(peer).await,
            MeetingAct::PauseRecording(paused) => self.bridge.pause_recording(paused).await,
            MeetingAct::FinishRecording => self.finish_recording().await,
            MeetingAct::AbandonRecording => {
                self.recording = None;
                self.bridge.stop_recording().await;
            }
            MeetingAct::ReleaseGuest(who) => drop(self.guests.remove(&who)),
            MeetingAct::Reply(reply) => reply.send(),
            // What is not written is there no more after a restart; the store says in the log why.
            MeetingAct::KeepSeat(who) => drop(store.keep_seat(who.number(), self.meeting.as_str()).await),
            MeetingAct::GiveUpSeat(who) => drop(store.give_up_seat(who.number()).await),
            MeetingAct::KeepMute(change) => drop(store.mute(change).await),
            MeetingAct::CopyChat { device, text, at } => self.copy_chat(device, text, at).await,
            MeetingAct::WriteLedger(line) => self.write_ledger(*line),
            MeetingAct::Relay(input) => self.tell_relay(input).await,
            MeetingAct::Raise(event) => self.shared.raised.raise(event),
            MeetingAct::CountAlarm => self.shared.counted.alarm(),
            MeetingAct::End => {}
        }
        None
    }

    /// The last of a meeting: its recording reaches the disk, and its bridge closes.
    pub(super) async fn close(mut self) {
        if let Some(finishing) = self.finishing.take() {
            finishing.wait().await;
        }
        self.bridge.close().await;
        tracing::info!(meeting = %self.meeting, "meeting closed");
    }

    fn tell_guest(&self, who: ParticipantId, what: ToGuest) -> Option<MeetingInput> {
        let stalled = self.guests.get(&who)?.to_guest.try_send(what).is_err();
        stalled.then_some(MeetingInput::GuestStalled(who))
    }

    async fn seat_port(&self, who: ParticipantId, admission: Admission) {
        if let Some(guest) = self.guests.get(&who) {
            self.bridge.seat_port(&guest.port, admission, Gate::default()).await;
        }
    }

    async fn close_peer(&mut self, peer: PeerId) {
        if let Some(peer) = self.peers.remove(&peer) {
            peer.close().await;
        }
    }

    /// Whether there is a recording now.
    async fn start_recording(&mut self) -> bool {
        let (directory, events) = (&self.shared.recordings, self.own.bridge_events.clone());
        match ActiveRecording::start(directory, &self.meeting, &self.bridge, events, SystemTime::now()).await {
            Ok(recording) => {
                tracing::info!(meeting = %self.meeting, file = %recording.file().display(), "recording");
                self.recording = Some(recording);
                true
            }
            Err(error) => {
                tracing::error!(meeting = %self.meeting, directory = %directory.display(), %error, "recording cannot be started");
                false
            }
        }
    }

    async fn finish_recording(&mut self) {
        if let Some(recording) = self.recording.take() {
            self.finishing = Some(recording.stop(&self.bridge).await);
        }
    }

    /// C-8: for as long as copies live at the moment.
    async fn copy_chat(&self, device: String, text: Redacted<String>, at: u64) {
        let retention = self.shared.retention.borrow().clone();
        if let Some(dies_at) = retention.dies_at(at) {
            let copy = ChatCopy { device, text, region: retention.region.to_string(), at, dies_at };
            // Not written, there is one copy less; the store has said in the log why.
            drop(self.shared.store.chat(copy).await);
        }
    }
}
