//! Our messages against those of LiveKit's own library: `golden.txt` was written by PyPI's `livekit-protocol` 1.1.29, with fields that we
//! do not read set as well.

use std::collections::HashMap;

use prost::Message;

use super::models::Permission;
use super::signal::{Pong, RoomUpdate};
use super::*;

fn golden(name: &str) -> Vec<u8> {
    let lines = include_str!("golden.txt").lines().filter_map(|line| line.split_once(' '));
    let hex = lines.into_iter().find(|(known, _)| *known == name).expect(name).1.as_bytes();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    hex.chunks(2).map(octet).collect()
}

fn map(key: &str, value: &str) -> HashMap<String, String> {
    HashMap::from([(key.to_owned(), value.to_owned())])
}

fn description(kind: &str) -> SessionDescription {
    let mid_to_track_id = if kind == "answer" { map("1", "TR_1") } else { HashMap::new() };
    SessionDescription { r#type: kind.to_owned(), sdp: "v=0".to_owned(), id: 4, mid_to_track_id }
}

fn track() -> TrackInfo {
    TrackInfo {
        sid: "TR_1".to_owned(),
        r#type: TrackType::Audio.into(),
        name: "mic".to_owned(),
        muted: true,
        source: TrackSource::ScreenShareAudio.into(),
        mime_type: "audio/red".to_owned(),
        encryption: 1,
    }
}

fn person() -> ParticipantInfo {
    ParticipantInfo {
        sid: "PA_1".to_owned(),
        identity: "anna".to_owned(),
        state: ParticipantState::Disconnected.into(),
        tracks: vec![track()],
        metadata: "{}".to_owned(),
        name: "Änna".to_owned(),
        version: 9,
        permission: Some(Permission { hidden: true, recorder: true, agent: true }),
        kind: Kind::Agent.into(),
        attributes: map("handRaisedAt", "1"),
    }
}

fn room() -> Room {
    Room { sid: "RM_1".to_owned(), name: "board".to_owned(), metadata: "m".to_owned(), active_recording: true }
}

/// Whether we write the octets that LiveKit's library writes.
fn written(name: &str, message: &impl Message) {
    assert_eq!(message.encode_to_vec(), golden(name), "{name}");
}

#[test]
fn what_we_ask_is_written_as_by_their_library() {
    let client_info = Some(ClientInfo { sdk: 8, version: "0.1".to_owned(), protocol: 16 });
    let connection_settings = Some(ConnectionSettings { auto_subscribe: true });
    let join = JoinRequest { client_info, connection_settings, reconnect: true, participant_sid: "PA_1".to_owned() };
    written("join_request", &join);
    written("wrapped", &WrappedJoinRequest { compression: 0, join_request: vec![1, 2] });
    written("list_participants", &RoomName { room: "board".to_owned() });
    written("list_rooms", &ListRoomsRequest { names: vec!["board".to_owned()] });
}

fn requests() -> [(&'static str, Request); 9] {
    let trickle = TrickleRequest { candidate_init: "{}".to_owned(), target: 1, r#final: true };
    let add_track = AddTrackRequest {
        cid: "c".to_owned(),
        name: "microphone".to_owned(),
        r#type: TrackType::Video.into(),
        muted: true,
        source: TrackSource::Microphone.into(),
        disable_red: true,
    };
    let subscription =
        |sids: &[&str]| UpdateSubscription { track_sids: sids.iter().map(|sid| (*sid).to_owned()).collect(), subscribe: true };
    let source = TrackSource::Microphone.into();
    let published = TrackInfo { sid: "TR_1".to_owned(), muted: true, source, ..TrackInfo::default() };
    let sync_state = SyncState {
        answer: Some(description("answer")),
        subscription: Some(subscription(&["TR_1"])),
        publish_tracks: vec![TrackPublishedResponse { cid: "c".to_owned(), track: Some(published) }],
        data_channels: Vec::new(),
        offer: Some(description("offer")),
    };
    let (metadata, name) = ("m".to_owned(), "n".to_owned());
    [
        ("q_offer", Request::Offer(description("offer"))),
        ("q_trickle", Request::Trickle(trickle)),
        ("q_add_track", Request::AddTrack(add_track)),
        ("q_mute", Request::Mute(MuteTrackRequest { sid: "TR_1".to_owned(), muted: true })),
        ("q_subscription", Request::Subscription(subscription(&["TR_1", "TR_2"]))),
        ("q_leave", Request::Leave(LeaveRequest { reason: 1, action: LeaveAction::Reconnect.into() })),
        ("q_sync_state", Request::SyncState(sync_state)),
        (
            "q_metadata",
            Request::UpdateMetadata(UpdateParticipantMetadata { metadata, name, attributes: map("k", "v"), request_id: 5 }),
        ),
        ("q_ping", Request::Ping(Ping { timestamp: 1_700_000_000_000 })),
    ]
}

#[test]
fn requests_are_written_as_by_their_library() {
    for (name, request) in requests() {
        written(name, &SignalRequest { message: Some(request) });
    }
}

#[test]
fn responses_of_their_library_are_read() {
    let join = JoinResponse {
        room: Some(room()),
        participant: Some(person()),
        other_participants: vec![person()],
        server_version: "1.13.5".to_owned(),
        ping_timeout: 15,
        ping_interval: 5,
    };
    let trickle = TrickleRequest { candidate_init: "{}".to_owned(), target: 1, r#final: true };
    let published = TrackPublishedResponse { cid: "c".to_owned(), track: Some(track()) };
    let expected = [
        ("a_join", Some(Response::Join(Box::new(join)))),
        ("a_answer", Some(Response::Answer(description("answer")))),
        ("a_trickle", Some(Response::Trickle(trickle))),
        ("a_update", Some(Response::Update(ParticipantUpdate { participants: vec![person()] }))),
        ("a_published", Some(Response::TrackPublished(published))),
        ("a_leave", Some(Response::Leave(LeaveRequest { reason: 5, action: LeaveAction::Resume.into() }))),
        ("a_mute", Some(Response::Mute(MuteTrackRequest { sid: "TR_1".to_owned(), muted: true }))),
        ("a_room", Some(Response::RoomUpdate(RoomUpdate { room: Some(room()) }))),
        ("a_reconnect", Some(Response::Reconnect(ReconnectResponse { last_message_seq: 8 }))),
        ("a_pong", Some(Response::Pong(Pong { last_ping_timestamp: 6 }))),
        ("a_sections", Some(Response::MediaSections(MediaSectionsRequirement { num_audios: 2 }))),
        ("a_speakers", None),
        ("a_token", None),
    ];
    for (name, message) in expected {
        assert_eq!(SignalResponse::decode(golden(name).as_slice()).expect(name).message, message, "{name}");
    }
    assert!(person().is_recorder());
    let listed = ListParticipantsResponse::decode(golden("participants").as_slice()).expect("a list");
    assert_eq!(listed.participants, [person()]);
    assert_eq!(ListRoomsResponse::decode(golden("rooms").as_slice()).expect("a list").rooms, [room()]);
}

#[test]
fn data_packets_of_their_library_are_read() {
    let chat = ChatMessage { id: "i".to_owned(), timestamp: 7, edit_timestamp: Some(8), message: "hi".to_owned(), deleted: true };
    let header = StreamHeader {
        stream_id: "s".to_owned(),
        timestamp: 7,
        topic: "lk.chat".to_owned(),
        mime_type: "text/plain".to_owned(),
        total_length: Some(2),
        attributes: map("k", "v"),
        text_header: Some(TextHeader { operation_type: 2 }),
        inline_content: Some(b"hi".to_vec()),
    };
    let chunk = StreamChunk { stream_id: "s".to_owned(), chunk_index: 1, content: b"hi".to_vec() };
    let trailer = StreamTrailer { stream_id: "s".to_owned(), reason: "why".to_owned() };
    let expected = [
        ("d_chat", Some(DataValue::Chat(chat))),
        ("d_header", Some(DataValue::Header(header))),
        ("d_chunk", Some(DataValue::Chunk(chunk))),
        ("d_trailer", Some(DataValue::Trailer(trailer))),
        ("d_user", None),
    ];
    for (name, value) in expected {
        let packet = DataPacket::decode(golden(name).as_slice()).expect(name);
        assert_eq!((packet.value, packet.sequence, packet.participant_sid.as_str()), (value, 3, "PA_1"), "{name}");
        assert_eq!((packet.participant_identity.as_str(), packet.destination_identities), ("anna", vec!["bert".to_owned()]));
    }
}
