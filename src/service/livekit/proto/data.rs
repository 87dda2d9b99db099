//! What travels by data channels: chat, as text streams and in its older form.

use std::collections::HashMap;

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct DataPacket {
    #[prost(string, tag = "4")]
    pub(in crate::service::livekit) participant_identity: String,
    /// To these alone; to all where there is none.
    #[prost(string, repeated, tag = "5")]
    pub(in crate::service::livekit) destination_identities: Vec<String>,
    #[prost(oneof = "DataValue", tags = "9, 13, 14, 15")]
    pub(in crate::service::livekit) value: Option<DataValue>,
    /// Counts the packets of one sender from 1.
    #[prost(uint32, tag = "16")]
    pub(in crate::service::livekit) sequence: u32,
    #[prost(string, tag = "17")]
    pub(in crate::service::livekit) participant_sid: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(in crate::service::livekit) enum DataValue {
    #[prost(message, tag = "9")]
    Chat(ChatMessage),
    #[prost(message, tag = "13")]
    Header(StreamHeader),
    #[prost(message, tag = "14")]
    Chunk(StreamChunk),
    #[prost(message, tag = "15")]
    Trailer(StreamTrailer),
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct ChatMessage {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) id: String,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    pub(in crate::service::livekit) timestamp: i64,
    /// When it was edited: such a message replaces an older one.
    #[prost(int64, optional, tag = "3")]
    pub(in crate::service::livekit) edit_timestamp: Option<i64>,
    #[prost(string, tag = "4")]
    pub(in crate::service::livekit) message: String,
    #[prost(bool, tag = "5")]
    pub(in crate::service::livekit) deleted: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::service::livekit) struct StreamHeader {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) stream_id: String,
    #[prost(int64, tag = "2")]
    pub(in crate::service::livekit) timestamp: i64,
    #[prost(string, tag = "3")]
    pub(in crate::service::livekit) topic: String,
    #[prost(string, tag = "4")]
    pub(in crate::service::livekit) mime_type: String,
    #[prost(uint64, optional, tag = "5")]
    pub(in crate::service::livekit) total_length: Option<u64>,
    #[prost(map = "string, string", tag = "8")]
    pub(in crate::service::livekit) attributes: HashMap<String, String>,
    #[prost(message, optional, tag = "9")]
    pub(in crate::service::livekit) text_header: Option<TextHeader>,
    /// The whole of a short text.
    #[prost(bytes = "vec", optional, tag = "11")]
    pub(in crate::service::livekit) inline_content: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct TextHeader {
    /// 0: a new text; others change or take back an older one.
    #[prost(int32, tag = "1")]
    pub(in crate::service::livekit) operation_type: i32,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct StreamChunk {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) stream_id: String,
    #[prost(uint64, tag = "2")]
    pub(in crate::service::livekit) chunk_index: u64,
    #[prost(bytes = "vec", tag = "3")]
    pub(in crate::service::livekit) content: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(in crate::service::livekit) struct StreamTrailer {
    #[prost(string, tag = "1")]
    pub(in crate::service::livekit) stream_id: String,
    /// Why it ends before its end; empty: it is complete.
    #[prost(string, tag = "2")]
    pub(in crate::service::livekit) reason: String,
}
