//! Messages of LiveKit's protocol, as far as a gateway speaks it: fields that it does not read are skipped (proto3).
//!
//! Numbers are those of `livekit_rtc.proto` and `livekit_models.proto` (protocol 16); a test holds them against messages that LiveKit's own
//! library has written.

mod data;
mod models;
mod signal;
#[cfg(test)]
mod tests;

pub(super) use data::{ChatMessage, DataPacket, DataValue, StreamChunk, StreamHeader, StreamTrailer, TextHeader};
pub(super) use models::{
    Kind, ListParticipantsResponse, ListRoomsRequest, ListRoomsResponse, ParticipantInfo, ParticipantState, RoomName,
    TrackSource, TrackType,
};
pub(super) use signal::{
    AddTrackRequest, ClientInfo, ConnectionSettings, JoinRequest, JoinResponse, LeaveAction, LeaveRequest, MuteTrackRequest,
    Ping, Request, Response, SessionDescription, SignalRequest, SignalResponse, SyncState, TrackPublishedResponse,
    TrickleRequest, UpdateParticipantMetadata, UpdateSubscription, WrappedJoinRequest,
};
#[cfg(test)]
pub(super) use {
    models::{Room, TrackInfo},
    signal::{MediaSectionsRequirement, ParticipantUpdate, ReconnectResponse},
};
