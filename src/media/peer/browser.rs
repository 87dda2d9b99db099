//! A browser's side of a connection, for tests and benchmarks: it offers Opus, checks its paths with full ICE, and lives in
//! virtual time.

use super::negotiation::{OPUS_PAYLOAD_TYPE, PeerFactory, opus};
use crate::codec::{CodecKind, Encoder, EncoderSettings};
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::time::Instant;
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::interceptor::Registry;
use webrtc::media_stream::MediaStreamTrack;
use webrtc::peer_connection::configuration::RTCConfigurationBuilder;
use webrtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use webrtc::peer_connection::configuration::media_engine::MediaEngine;
use webrtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use webrtc::peer_connection::event::RTCPeerConnectionEvent;
use webrtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use webrtc::peer_connection::sdp::RTCSessionDescription;
use webrtc::peer_connection::state::RTCPeerConnectionState;
use webrtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate};
use webrtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use webrtc::rtp_transceiver::RTCRtpSenderId;
use webrtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use webrtc::sansio::Protocol;
use webrtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use crate::codec::Decoder;
use crate::common::units::Hz;
use crate::dsp::tone::Sine;

/// Samples of 20 ms.
const FRAME: usize = 960;

/// The other end of a [`WebRtcPeer`].
pub(crate) struct Browser {
    connection: RTCPeerConnection,
    sender: RTCRtpSenderId,
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    encoder: Box<dyn Encoder>,
    decoder: Box<dyn Decoder>,
    hum: Option<Sine>,
    listener: Vec<i16>,
    connected: bool,
}

impl Browser {
    /// A browser at `address`, and its offer.
    pub(crate) fn offer(now: Instant, address: SocketAddr) -> (Self, String) {
        let settings = SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build();
        let mut media = MediaEngine::default();
        let codec = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OPUS_PAYLOAD_TYPE };
        media.register_codec(codec, RtpCodecKind::Audio).expect("Opus");
        let certificate = PeerFactory::new().expect("a certificate").certificate;
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().with_certificates(vec![certificate]).build())
            .with_setting_engine(settings)
            .with_media_engine(media)
            .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
            .build(now)
            .expect("a connection");
        let ssrc = u32::from(address.port()) << 8;
        let track = MediaStreamTrack::new(
            "microphone".to_owned(),
            "voice".to_owned(),
            "microphone".to_owned(),
            RtpCodecKind::Audio,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
                codec: opus(),
                ..Default::default()
            }],
        );
        let sender = connection.add_track(track).expect("a track");
        let candidate = CandidateHostConfig {
            base_config: CandidateConfig {
                network: "udp".to_owned(),
                address: address.ip().to_string(),
                port: address.port(),
                component: 1,
                ..Default::default()
            },
            ..Default::default()
        };
        let candidate = RTCIceCandidate::from(&candidate.new_candidate_host().expect("a candidate"));
        connection.add_local_candidate(candidate.to_json().expect("a candidate")).expect("takes it");
        let offer = connection.create_offer(None).expect("an offer");
        connection.set_local_description(now, offer).expect("takes it");
        let offer = connection.local_description().expect("an offer").sdp;
        let browser = Self {
            connection,
            sender,
            address,
            ssrc,
            sequence: 7,
            timestamp: 77,
            encoder: CodecKind::Opus.encoder(EncoderSettings::default()).expect("Opus"),
            decoder: CodecKind::Opus.decoder().expect("Opus"),
            hum: None,
            listener: Vec::new(),
            connected: false,
        };
        (browser, offer)
    }

    /// Takes the answer to its offer.
    pub(crate) fn answered(&mut self, now: Instant, answer: String) {
        let answer = RTCSessionDescription::answer(answer).expect("an answer");
        self.connection.set_remote_description(now, answer).expect("takes it");
    }

    /// Hums from now on.
    pub(crate) fn hums(&mut self, freq: f32, amplitude: f32) {
        self.hum = Some(Sine::new(Hz::FULL, freq, amplitude));
    }

    /// A datagram came.
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let transport =
            TransportContext { local_addr: self.address, peer_addr: from, ecn: None, transport_protocol: TransportProtocol::UDP };
        let _ = self.connection.handle_read(TaggedBytesMut { now, transport, message: BytesMut::from(datagram) });
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message {
                self.decoder.decode(&packet.payload, &mut self.listener).expect("Opus");
            }
        }
    }

    /// Time has passed; to be called more often than every 20 ms.
    pub(crate) fn wake(&mut self, now: Instant) {
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            let _ = self.connection.handle_timeout(now);
        }
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                self.connected = state == RTCPeerConnectionState::Connected;
            }
        }
    }

    /// Sends its next 20 ms: the hum, or silence.
    pub(crate) fn speak(&mut self, now: Instant) {
        let mut samples = [0; FRAME];
        if let Some(hum) = &mut self.hum {
            hum.fill(&mut samples);
        }
        self.say(now, &samples);
    }

    /// Sends these 20 ms.
    pub(crate) fn say(&mut self, now: Instant, samples: &[i16; FRAME]) {
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(960);
        if !self.connected {
            return;
        }
        let mut payload = Vec::new();
        self.encoder.encode(samples, &mut payload).expect("encodes");
        let header = rtp::header::Header {
            version: 2,
            payload_type: OPUS_PAYLOAD_TYPE,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        let mut sender = self.connection.rtp_sender(self.sender).expect("a sender");
        sender.write_rtp(now, rtp::Packet { header, payload: Bytes::from(payload) }).expect("sends");
    }

    /// The next datagram it sends, and where to.
    pub(crate) fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.connection.poll_write().map(|message| (message.transport.peer_addr, message.message.to_vec()))
    }

    /// The handshake is complete.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected
    }

    /// What it has heard since it was asked last, at 48 kHz.
    pub(crate) fn listener(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.listener)
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
