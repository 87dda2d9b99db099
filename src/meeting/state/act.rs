//! What a meeting wants done.

use tokio::sync::oneshot;

use super::input::{JoinReply, OfferReply, RequestReply};
use super::ledger_queue::PendingLine;
use crate::common::ids::{ParticipantId, PeerId};
use crate::common::redact::Redacted;
use crate::media::{Gate, MediaEnd};
use crate::meeting::guest::ToGuest;
use crate::meeting::join::JoinPage;
use crate::meeting::messages::{ChatLine, Granted, MeetingRefusal, OfferError, Snapshot};
use crate::meeting::service::RoomAsk;
use crate::policy::Admission;
use crate::relay::RelayInput;
use crate::store::MuteChange;
use crate::telemetry::events::Draft;

/// An answer on its way to whoever has asked.
#[derive(Debug)]
pub(in crate::meeting) enum MeetingReply {
    Joined(JoinReply, Result<ParticipantId, MeetingRefusal>),
    Offered(OfferReply, Result<String, OfferError>),
    Asked(RequestReply, Result<Granted, MeetingRefusal>),
    Snapshot(oneshot::Sender<Snapshot>, Box<Snapshot>),
    Chat(oneshot::Sender<Vec<ChatLine>>, Vec<ChatLine>),
}

impl MeetingReply {
    /// Answers. Whoever has asked may be gone; a page that left while it joined is noticed by its closed queue.
    pub(in crate::meeting) fn send(self) {
        match self {
            Self::Joined(reply, joined) => drop(reply.send(joined)),
            Self::Offered(reply, answer) => drop(reply.send(answer)),
            Self::Asked(reply, granted) => drop(reply.send(granted)),
            Self::Snapshot(reply, snapshot) => drop(reply.send(*snapshot)),
            Self::Chat(reply, lines) => drop(reply.send(lines)),
        }
    }
}

/// Done in this order. Those with a result are followed by the input that says it, before the next act is asked for.
#[derive(Debug)]
pub(in crate::meeting) enum MeetingAct {
    /// Give a device a seat on the bridge, with both directions shut.
    SeatPort { who: ParticipantId, admission: Admission },
    /// Give a browser, or somebody in the room of the service, a seat on the bridge.
    Seat { end: MediaEnd, admission: Admission, gate: Gate },
    /// Give the seat of one end of a participant to another one.
    ReplaceEnd { old: MediaEnd, new: MediaEnd },
    /// Ask something of the room of the service.
    AskRoom(RoomAsk),
    /// What may pass to and from a seat from now on.
    Gate { end: MediaEnd, gate: Gate },
    /// Take a seat away.
    Unseat(MediaEnd),
    /// Answer an offer, then say [`PeerOpened`](super::MeetingInput::PeerOpened).
    OpenPeer { who: ParticipantId, sdp: String, reply: OfferReply },
    /// Close a browser's connection.
    ClosePeer(PeerId),
    /// Make a file and record the mix, then say [`RecordingStarted`](super::MeetingInput::RecordingStarted).
    StartRecording,
    /// Leave out what passes now, or take it up again.
    PauseRecording(bool),
    /// End the recording; its last page is still to reach the disk.
    FinishRecording,
    /// The recorder has failed: what is off must not be recorded.
    AbandonRecording,
    /// Say this to a device's call. Where its queue is full, say [`GuestStalled`](super::MeetingInput::GuestStalled).
    TellGuest { who: ParticipantId, what: ToGuest },
    /// A device has left: its queue and its media are no longer needed.
    ReleaseGuest(ParticipantId),
    /// Answer.
    Reply(MeetingReply),
    /// Ask the store for a seat of the last run, then say [`SeatTaken`](super::MeetingInput::SeatTaken) (M-5).
    TakeSeat { join: Box<JoinPage>, had: ParticipantId, reply: JoinReply },
    /// Keep a seat over a restart (M-5).
    KeepSeat(ParticipantId),
    /// Nobody comes back to this seat.
    GiveUpSeat(ParticipantId),
    /// Keep a closed microphone closed (K-4).
    KeepMute(MuteChange),
    /// Keep a copy of a text that was sent to this device, as long as copies live (C-8).
    CopyChat { device: String, text: Redacted<String>, at: u64 },
    /// Write a line of the ledger (N-8).
    WriteLedger(Box<PendingLine>),
    /// For the relay of chat by SMS. Of what was keyed it says [`RelayAnswered`](super::MeetingInput::RelayAnswered), in its own time.
    Relay(RelayInput),
    /// For those who listen to events (M-17).
    Raise(Draft),
    /// Count an alarm (N-6).
    CountAlarm,
    /// The meeting is over; nothing follows.
    End,
}
