//! What happens to a meeting, and when.

use std::time::Instant;

use tokio::sync::oneshot;

use crate::common::cause::Cause;
use crate::common::ids::{CallId, ParticipantId, PeerId, PortId};
use crate::media::{BridgeEvent, NegotiationError};
use crate::meeting::guest::FromGuest;
use crate::meeting::join::JoinPage;
use crate::meeting::messages::{ChatLine, Granted, MeetingRefusal, MeetingRequest, OfferError, Snapshot, ToPage};
use crate::meeting::service::RoomFact;
use crate::relay::RelayAnswer;
use crate::relay::driver::RelayEvent;
use crate::store::Phone;

/// One moment by two clocks: deadlines go by the first; what people read, and what outlives the process, by the second.
#[derive(Debug, Clone, Copy)]
pub(in crate::meeting) struct MeetingTime {
    /// Monotonic.
    pub(in crate::meeting) instant: Instant,
    /// Milliseconds since 1970 (UTC).
    pub(in crate::meeting) unix_millis: u64,
}

/// Where the answer to a page that joins goes.
pub(in crate::meeting) type JoinReply = oneshot::Sender<Result<ParticipantId, MeetingRefusal>>;
/// Where the answer to a WebRTC offer goes.
pub(in crate::meeting) type OfferReply = oneshot::Sender<Result<String, OfferError>>;
/// Where the answer to a request goes.
pub(in crate::meeting) type RequestReply = oneshot::Sender<Result<Granted, MeetingRefusal>>;

/// A device that knocks, as [`Knock`](crate::meeting::Knock) has it, without its media and its queue.
#[derive(Debug, Clone)]
pub(in crate::meeting) struct KnockingDevice {
    pub(in crate::meeting) who: ParticipantId,
    pub(in crate::meeting) call: CallId,
    pub(in crate::meeting) port: PortId,
    pub(in crate::meeting) name: String,
    pub(in crate::meeting) device: String,
    pub(in crate::meeting) phone: Phone,
    pub(in crate::meeting) identity: String,
    pub(in crate::meeting) known: bool,
    pub(in crate::meeting) predecessor: Option<ParticipantId>,
    pub(in crate::meeting) language: String,
    pub(in crate::meeting) text: bool,
}

/// What a meeting takes in.
#[derive(Debug)]
pub(in crate::meeting) enum MeetingInput {
    /// A page joins, or knocks.
    JoinPage(JoinPage, JoinReply),
    /// What came of [`MeetingAct::TakeSeat`](super::MeetingAct::TakeSeat): whether `had` had a seat in the last run (M-5).
    SeatTaken { join: Box<JoinPage>, had: ParticipantId, seated: bool, reply: JoinReply },
    /// A page's WebRTC offer.
    Offer { who: ParticipantId, sdp: String, reply: OfferReply },
    /// What came of [`MeetingAct::OpenPeer`](super::MeetingAct::OpenPeer): the connection and the answer.
    PeerOpened { who: ParticipantId, opened: Result<(PeerId, String), NegotiationError>, reply: OfferReply },
    /// A page's socket is gone (M-5).
    ConnectionLost(ParticipantId),
    /// A page that was closed was loaded anew (M-5).
    PageReloaded(ParticipantId),
    /// Somebody (`None`: the operator) asks for something.
    Ask { who: Option<ParticipantId>, ask: MeetingRequest, reply: RequestReply },
    /// What a viewer (`None`: the operator) may see is wanted.
    Snapshot { viewer: Option<ParticipantId>, reply: oneshot::Sender<Snapshot> },
    /// The chat so far is wanted.
    Chat(oneshot::Sender<Vec<ChatLine>>),
    /// How the call to a device goes (S-9).
    Calling(ToPage),
    /// A device knocks.
    Knock(Box<KnockingDevice>),
    /// Something from a device's call.
    Guest(ParticipantId, FromGuest),
    /// The queue of a device's call is full (N-6).
    GuestStalled(ParticipantId),
    /// What the relay has for a device, or for the people inside.
    Relay(ParticipantId, RelayEvent),
    /// The relay's answer to what was keyed at a device.
    RelayAnswered(ParticipantId, RelayAnswer),
    /// From the room of the meeting's service.
    Room(RoomFact),
    /// From the bridge and its peers.
    Bridge(BridgeEvent),
    /// What came of [`MeetingAct::StartRecording`](super::MeetingAct::StartRecording).
    RecordingStarted(bool),
    /// The gateway stops by then (O-4).
    Stopping { by: Instant },
    /// The configuration is another one (O-2).
    Reconfigured,
    /// The gateway ends the meeting.
    Close(Cause),
}
