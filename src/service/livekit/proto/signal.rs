//! What client and server say over the WebSocket.

use std::collections::HashMap;

use super::models::{ParticipantInfo, Room, TrackInfo, TrackSource, TrackType};

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct WrappedJoinRequest {
    /// 0: none.
    #[prost(int32, tag = "1")]
    pub(in crate::service::livekit) compression: i32,
    #[prost(bytes = "vec", tag = "2")]
    pub(in crate::service::livekit) join_request: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct JoinRequest {
    #[prost(message, optional, tag = "1")]
    pub(in crate::service::livekit) client_info: Option<ClientInfo>,
    #[prost(message, optional, tag = "2")]
    pub(in crate::service::livekit) connection_settings: Option<ConnectionSettings>,
    /// Comes back to a presence.
    #[prost(bool, tag = "7")]
    pub(in crate::service::livekit) reconnect: bool,
    #[prost(string, tag = "9")]
    pub(in crate::service::livekit) participant_sid: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct ClientInfo {
    #[prost(int32, tag = "1")]
    pub(in crate::service::livekit) sdk: i32,
    #[prost(string, tag = "2")]
    pub(in crate::service::livekit) version: String,
    /// Version of the protocol.
    #[prost(int32, tag = "3")]
    pub(in crate::service::livekit) protocol: i32,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct ConnectionSettings {
    #[prost(bool, tag = "1")]
    pub(in crate::service::livekit) auto_subscribe: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct SignalRequest {
    #[prost(oneof = "Request", tags = "1, 3, 4, 5, 6, 8, 12, 15, 16")]
    pub(in crate::service::livekit) message: Option<Request>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(in crate::service::livekit) enum Request {
    #[prost(message, tag = "1")]
    Offer(SessionDescription),
    #[prost(message, tag = "3")]
    Trickle(TrickleRequest),
    #[prost(message, tag = "4")]
    AddTrack(AddTrackRequest),
    #[prost(message, tag = "5")]
    Mute(MuteTrackRequest),
    #[prost(message, tag = "6")]
    Subscription(UpdateSubscription),
    #[prost(message, tag = "8")]
    Leave(LeaveRequest),
    #[prost(message, tag = "12")]
    SyncState(SyncState),
    #[prost(message, tag = "15")]
    UpdateMetadata(UpdateParticipantMetadata),
    #[prost(message, tag = "16")]
    Ping(Ping),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct SignalResponse {
    #[prost(oneof = "Response", tags = "1, 2, 4, 5, 6, 8, 9, 11, 19, 20, 25")]
    pub(in crate::service::livekit) message: Option<Response>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(in crate::service::livekit) enum Response {
    #[prost(message, boxed, tag = "1")]
    Join(Box<JoinResponse>),
    #[prost(message, tag = "2")]
    Answer(SessionDescription),
    #[prost(message, tag = "4")]
    Trickle(TrickleRequest),
    #[prost(message, tag = "5")]
    Update(ParticipantUpdate),
    #[prost(message, tag = "6")]
    TrackPublished(TrackPublishedResponse),
    #[prost(message, tag = "8")]
    Leave(LeaveRequest),
    #[prost(message, tag = "9")]
    Mute(MuteTrackRequest),
    #[prost(message, tag = "11")]
    RoomUpdate(RoomUpdate),
    #[prost(message, tag = "19")]
    Reconnect(ReconnectResponse),
    #[prost(message, tag = "20")]
    Pong(Pong),
    #[prost(message, tag = "25")]
    MediaSections(MediaSectionsRequirement),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct JoinResponse {
    #[prost(message, optional, tag = "1")]
    pub(in crate::service::livekit) room: Option<Room>,
    #[prost(message, optional, tag = "2")]
    pub(in crate::service::livekit) participant: Option<ParticipantInfo>,
    #[prost(message, repeated, tag = "3")]
    pub(in crate::service::livekit) other_participants: Vec<ParticipantInfo>,
    #[prost(string, tag = "4")]
    pub(in crate::service::livekit) server_version: String,
    /// Seconds without a message after which the connection is dead.
    #[prost(int32, tag = "10")]
    pub(in crate::service::livekit) ping_timeout: i32,
    /// Seconds between two pings.
    #[prost(int32, tag = "11")]
    pub(in crate::service::livekit) ping_interval: i32,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct ReconnectResponse {
    #[prost(uint32, tag = "4")]
    pub(in crate::service::livekit) last_message_seq: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct SessionDescription {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) r#type: String,
    #[prost(string, tag = "2")]
    pub(in crate::service::livekit) sdp: String,
    /// Of an offer; an answer bears that of its offer.
    #[prost(uint32, tag = "3")]
    pub(in crate::service::livekit) id: u32,
    /// In an answer: which track each line carries.
    #[prost(map = "string, string", tag = "4")]
    pub(in crate::service::livekit) mid_to_track_id: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct TrickleRequest {
    /// JSON: an `RTCIceCandidateInit`.
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) candidate_init: String,
    /// 0: the connection that the client offers.
    #[prost(int32, tag = "2")]
    pub(in crate::service::livekit) target: i32,
    #[prost(bool, tag = "3")]
    pub(in crate::service::livekit) r#final: bool,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct AddTrackRequest {
    /// The client's name of it: the track's id in its `msid`.
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) cid: String,
    #[prost(string, tag = "2")]
    pub(in crate::service::livekit) name: String,
    #[prost(enumeration = "TrackType", tag = "3")]
    pub(in crate::service::livekit) r#type: i32,
    #[prost(bool, tag = "6")]
    pub(in crate::service::livekit) muted: bool,
    #[prost(enumeration = "TrackSource", tag = "8")]
    pub(in crate::service::livekit) source: i32,
    #[prost(bool, tag = "13")]
    pub(in crate::service::livekit) disable_red: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct TrackPublishedResponse {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) cid: String,
    #[prost(message, optional, tag = "2")]
    pub(in crate::service::livekit) track: Option<TrackInfo>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct MuteTrackRequest {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) sid: String,
    #[prost(bool, tag = "2")]
    pub(in crate::service::livekit) muted: bool,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct UpdateSubscription {
    #[prost(string, repeated, tag = "1")]
    pub(in crate::service::livekit) track_sids: Vec<String>,
    #[prost(bool, tag = "2")]
    pub(in crate::service::livekit) subscribe: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct SyncState {
    #[prost(message, optional, tag = "1")]
    pub(in crate::service::livekit) answer: Option<SessionDescription>,
    #[prost(message, optional, tag = "2")]
    pub(in crate::service::livekit) subscription: Option<UpdateSubscription>,
    #[prost(message, repeated, tag = "3")]
    pub(in crate::service::livekit) publish_tracks: Vec<TrackPublishedResponse>,
    #[prost(message, repeated, tag = "4")]
    pub(in crate::service::livekit) data_channels: Vec<DataChannelInfo>,
    #[prost(message, optional, tag = "5")]
    pub(in crate::service::livekit) offer: Option<SessionDescription>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct DataChannelInfo {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) label: String,
    #[prost(uint32, tag = "2")]
    pub(in crate::service::livekit) id: u32,
    #[prost(int32, tag = "3")]
    pub(in crate::service::livekit) target: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct UpdateParticipantMetadata {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) metadata: String,
    #[prost(string, tag = "2")]
    pub(in crate::service::livekit) name: String,
    #[prost(map = "string, string", tag = "3")]
    pub(in crate::service::livekit) attributes: HashMap<String, String>,
    #[prost(uint32, tag = "4")]
    pub(in crate::service::livekit) request_id: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct ParticipantUpdate {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::service::livekit) participants: Vec<ParticipantInfo>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct RoomUpdate {
    #[prost(message, optional, tag = "1")]
    pub(in crate::service::livekit) room: Option<Room>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct LeaveRequest {
    /// Why: a `DisconnectReason`.
    #[prost(int32, tag = "2")]
    pub(in crate::service::livekit) reason: i32,
    #[prost(enumeration = "LeaveAction", tag = "3")]
    pub(in crate::service::livekit) action: i32,
}

/// What the server wants a client to do that it has sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(in crate::service::livekit) enum LeaveAction {
    /// Stay away.
    Disconnect = 0,
    /// Come back to its presence.
    Resume = 1,
    /// Join anew.
    Reconnect = 2,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct Ping {
    /// Milliseconds.
    #[prost(int64, tag = "1")]
    pub(in crate::service::livekit) timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct Pong {
    #[prost(int64, tag = "1")]
    pub(in crate::service::livekit) last_ping_timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct MediaSectionsRequirement {
    /// Lines for audio that are wanted beside those that there are; 0: an offer is wanted all the same.
    #[prost(uint32, tag = "1")]
    pub(in crate::service::livekit) num_audios: u32,
}
