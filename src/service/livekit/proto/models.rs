//! Rooms, participants and tracks.

use std::collections::HashMap;

/// What kind of participant somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(in crate::service::livekit) enum Kind {
    Standard = 0,
    Ingress = 1,
    /// A recorder, or whatever else takes sound and pictures out of the room.
    Egress = 2,
    Sip = 3,
    Agent = 4,
    Connector = 7,
    Bridge = 8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(in crate::service::livekit) enum ParticipantState {
    Joining = 0,
    Joined = 1,
    Active = 2,
    Disconnected = 3,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(in crate::service::livekit) enum TrackType {
    Audio = 0,
    Video = 1,
    Data = 2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(in crate::service::livekit) enum TrackSource {
    Unknown = 0,
    Camera = 1,
    Microphone = 2,
    ScreenShare = 3,
    ScreenShareAudio = 4,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct Room {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) sid: String,
    #[prost(string, tag = "2")]
    pub(in crate::service::livekit) name: String,
    #[prost(string, tag = "8")]
    pub(in crate::service::livekit) metadata: String,
    #[prost(bool, tag = "10")]
    pub(in crate::service::livekit) active_recording: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct ParticipantInfo {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) sid: String,
    #[prost(string, tag = "2")]
    pub(in crate::service::livekit) identity: String,
    #[prost(enumeration = "ParticipantState", tag = "3")]
    pub(in crate::service::livekit) state: i32,
    #[prost(message, repeated, tag = "4")]
    pub(in crate::service::livekit) tracks: Vec<TrackInfo>,
    #[prost(string, tag = "5")]
    pub(in crate::service::livekit) metadata: String,
    #[prost(string, tag = "9")]
    pub(in crate::service::livekit) name: String,
    /// Counts the changes of one presence.
    #[prost(uint32, tag = "10")]
    pub(in crate::service::livekit) version: u32,
    #[prost(message, optional, tag = "11")]
    pub(in crate::service::livekit) permission: Option<Permission>,
    #[prost(enumeration = "Kind", tag = "14")]
    pub(in crate::service::livekit) kind: i32,
    #[prost(map = "string, string", tag = "15")]
    pub(in crate::service::livekit) attributes: HashMap<String, String>,
}

#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct Permission {
    #[prost(bool, tag = "7")]
    pub(in crate::service::livekit) hidden: bool,
    #[prost(bool, tag = "8")]
    pub(in crate::service::livekit) recorder: bool,
    #[prost(bool, tag = "11")]
    pub(in crate::service::livekit) agent: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct TrackInfo {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) sid: String,
    #[prost(enumeration = "TrackType", tag = "2")]
    pub(in crate::service::livekit) r#type: i32,
    #[prost(string, tag = "3")]
    pub(in crate::service::livekit) name: String,
    #[prost(bool, tag = "4")]
    pub(in crate::service::livekit) muted: bool,
    #[prost(enumeration = "TrackSource", tag = "9")]
    pub(in crate::service::livekit) source: i32,
    #[prost(string, tag = "11")]
    pub(in crate::service::livekit) mime_type: String,
    /// 0: not encrypted between its ends.
    #[prost(int32, tag = "16")]
    pub(in crate::service::livekit) encryption: i32,
}

impl TrackInfo {
    /// Sound that people hear, and that no one between its ends is kept from hearing.
    pub(in crate::service::livekit) fn is_sound(&self) -> bool {
        self.r#type() == TrackType::Audio && self.encryption == 0
    }

    /// Somebody's microphone.
    pub(in crate::service::livekit) fn is_microphone(&self) -> bool {
        self.is_sound() && self.source() != TrackSource::ScreenShareAudio
    }
}

impl ParticipantInfo {
    /// A program that takes part: it hears everybody.
    pub(in crate::service::livekit) fn is_agent(&self) -> bool {
        self.kind() == Kind::Agent || self.permission.is_some_and(|permission| permission.agent)
    }

    /// It records, and is not among those who hear and speak.
    pub(in crate::service::livekit) fn is_recorder(&self) -> bool {
        self.kind() == Kind::Egress || self.permission.is_some_and(|permission| permission.recorder)
    }
}

/// Of `livekit_room.proto`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct RoomName {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) room: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct ListParticipantsResponse {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::service::livekit) participants: Vec<ParticipantInfo>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct ListRoomsRequest {
    #[prost(string, repeated, tag = "1")]
    pub(in crate::service::livekit) names: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct ListRoomsResponse {
    #[prost(message, repeated, tag = "1")]
    pub(in crate::service::livekit) rooms: Vec<Room>,
}
