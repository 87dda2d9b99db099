//! How a connection to an SFU is set up: full ICE, DTLS, Opus alone, repair by NACK, and two data channels.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use webrtc::data_channel::{RTCDataChannelId, RTCDataChannelInit};
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::ice::tcp_type::TcpType;
use webrtc::interceptor::{
    NackGeneratorBuilder, NackResponderBuilder, ReceiverReportBuilder, Registry, SenderReportBuilder, Slot,
};
use webrtc::media_stream::MediaStreamTrack;
use webrtc::peer_connection::configuration::RTCConfigurationBuilder;
use webrtc::peer_connection::configuration::media_engine::MediaEngine;
use webrtc::peer_connection::configuration::setting_engine::{SctpMaxMessageSize, SettingEngine, SettingEngineBuilder};
use webrtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit};
use webrtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use webrtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use webrtc::rtp_transceiver::{RTCRtpSenderId, RTCRtpTransceiverDirection, RTCRtpTransceiverInit};

use crate::net::ice_tcp::ACTIVE_PORT;

use super::super::negotiation::{NegotiationError, OPUS_PAYLOAD_TYPE, PeerFactory, host_candidate, opus, setup};
use super::publication::SendTerms;
use super::stale_streams::WithoutStaleStreams;

/// The header extension for the level of a packet's sound (RFC 6464).
pub(super) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// Between two checks of a path while none has succeeded, and how many: beyond them the library gives up without a word.
const CHECK_EVERY: Duration = Duration::from_millis(50);
const CHECKS: u16 = 600;
/// Packets that are kept for NACKs: more than a second of sound, after which nobody asks.
const KEPT_FOR_NACK: u16 = 64;
/// Octets of the largest message of a data channel; SFUs cut longer texts into pieces of 15,000.
const LARGEST_MESSAGE: u32 = 16_384;
/// Octets of messages that may lie half received.
const DATA_BUFFER: u32 = 128 << 10;

/// The two data channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channels {
    pub(super) reliable: RTCDataChannelId,
    pub(super) lossy: RTCDataChannelId,
}

/// A connection that has offered nothing yet, with host candidates at these addresses.
pub(super) fn connection(
    factory: &PeerFactory,
    now: Instant,
    candidates: &[SocketAddr],
    longest_silence: Duration,
) -> Result<(RTCPeerConnection, Channels), NegotiationError> {
    let registry = Registry::new()
        .with(Slot::NackResponder, NackResponderBuilder::new().with_size(KEPT_FOR_NACK).build())
        .with(Slot::NackGenerator, WithoutStaleStreams::new(NackGeneratorBuilder::new().with_size(KEPT_FOR_NACK).build()))
        .with(Slot::ReceiverReport, WithoutStaleStreams::new(ReceiverReportBuilder::new().build()))
        .with(Slot::SenderReport, SenderReportBuilder::new().build());
    let configuration = RTCConfigurationBuilder::new().with_certificates(vec![factory.certificate.clone()]).build();
    let mut connection = RTCPeerConnectionBuilder::new()
        .with_configuration(configuration)
        .with_setting_engine(settings(longest_silence))
        .with_media_engine(media()?)
        .with_interceptor_registry(registry)
        .build(now)
        .map_err(setup)?;
    let reliable = connection.create_data_channel("_reliable", None).map_err(setup)?.id();
    let unordered = RTCDataChannelInit { ordered: false, max_retransmits: Some(0), ..Default::default() };
    let lossy = connection.create_data_channel("_lossy", Some(unordered)).map_err(setup)?.id();
    for address in candidates {
        connection.add_local_candidate(local_candidate(*address)?).map_err(setup)?;
    }
    // Empty: there are no more.
    connection.add_local_candidate(Default::default()).map_err(setup)?;
    Ok((connection, Channels { reliable, lossy }))
}

/// A candidate of ours; one for connections that we open is told by its port.
fn local_candidate(address: SocketAddr) -> Result<RTCIceCandidateInit, NegotiationError> {
    if address.port() != ACTIVE_PORT {
        return host_candidate(address);
    }
    let base_config = CandidateConfig {
        network: "tcp".to_owned(),
        address: address.ip().to_string(),
        port: address.port(),
        component: 1,
        ..Default::default()
    };
    let candidate = CandidateHostConfig { base_config, tcp_type: TcpType::Active }.new_candidate_host().map_err(setup)?;
    RTCIceCandidate::from(&candidate).to_json().map_err(setup)
}

fn settings(longest_silence: Duration) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_relay_acceptance_min_wait(Some(Duration::ZERO))
        // The stack would forget our candidates when it takes the path for lost; a rule of ours watches the path.
        .with_ice_timeouts(Some(longest_silence), Some(longest_silence), None)
        .with_ice_connection_attempts(Some(CHECK_EVERY), Some(CHECKS))
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(LARGEST_MESSAGE))
        .with_sctp_max_receive_buffer_size(DATA_BUFFER)
        .build()
}

fn media() -> Result<MediaEngine, NegotiationError> {
    let mut media = MediaEngine::default();
    let codec = RTCRtpCodecParameters { rtp_codec: repaired_opus(), payload_type: OPUS_PAYLOAD_TYPE };
    media.register_codec(codec, RtpCodecKind::Audio).map_err(setup)?;
    let level = RTCRtpHeaderExtensionCapability { uri: AUDIO_LEVEL.to_owned() };
    media.register_header_extension(level, RtpCodecKind::Audio, Some(RTCRtpTransceiverDirection::Sendonly)).map_err(setup)?;
    Ok(media)
}

/// Opus whose lost packets are asked for again.
fn repaired_opus() -> RTCRtpCodec {
    let nack = RTCPFeedback { typ: "nack".to_owned(), parameter: String::new() };
    RTCRtpCodec { rtcp_feedback: vec![nack], ..opus() }
}

/// Adds a line on which audio is received.
pub(super) fn add_line(connection: &mut RTCPeerConnection) -> Result<(), NegotiationError> {
    let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Recvonly, ..Default::default() };
    connection.add_transceiver_from_kind(RtpCodecKind::Audio, Some(init)).map(drop).map_err(setup)
}

/// Adds the line on which the track of this name is sent.
pub(super) fn add_track(connection: &mut RTCPeerConnection, name: String, ssrc: u32) -> Result<RTCRtpSenderId, NegotiationError> {
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec: repaired_opus(),
        ..Default::default()
    };
    let track = MediaStreamTrack::new("device".to_owned(), name, "device".to_owned(), RtpCodecKind::Audio, vec![coding]);
    let init = RTCRtpTransceiverInit { direction: RTCRtpTransceiverDirection::Sendonly, ..Default::default() };
    connection.add_transceiver_from_track(track, Some(init)).map(RTCRtpSenderId::from).map_err(setup)
}

/// What the answer says of what we send; `None`: the SFU does not take it.
pub(super) fn terms(connection: &mut RTCPeerConnection, sender: RTCRtpSenderId) -> Option<SendTerms> {
    let mut sender = connection.rtp_sender(sender)?;
    let parameters = &sender.get_parameters().rtp_parameters;
    let payload_type = parameters.codecs.first()?.payload_type;
    let level = parameters.header_extensions.iter().find(|extension| extension.uri == AUDIO_LEVEL);
    Some(SendTerms { payload_type, level_extension: level.and_then(|level| u8::try_from(level.id).ok()) })
}

/// Name of the stream that is received at a line.
pub(super) fn stream_at(connection: &mut RTCPeerConnection, mid: &str) -> Option<String> {
    let transceivers: Vec<_> = connection.get_transceivers().collect();
    let receiver = transceivers.into_iter().find_map(|id| {
        let transceiver = connection.rtp_transceiver(id)?;
        let receiver = transceiver.receiver();
        (transceiver.mid().as_deref() == Some(mid)).then_some(receiver).flatten()
    })?;
    Some(connection.rtp_receiver(receiver)?.track().track_id().clone())
}
