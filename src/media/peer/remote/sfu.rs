//! The SFU's side of a [`RemotePeer`](super::RemotePeer), for tests: it answers, hums on the lines that it is told to, and hears what is
//! published. It lives in virtual time.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use webrtc::data_channel::RTCDataChannelId;
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::media_stream::MediaStreamTrack;
use webrtc::peer_connection::configuration::RTCConfigurationBuilder;
use webrtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use webrtc::peer_connection::configuration::media_engine::MediaEngine;
use webrtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use webrtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use webrtc::peer_connection::sdp::RTCSessionDescription;
use webrtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use webrtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use webrtc::rtp_transceiver::{RTCRtpSenderId, RTCRtpTransceiverId};
use webrtc::sansio::Protocol as _;
use webrtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use super::super::negotiation::{OPUS_PAYLOAD_TYPE, PeerFactory, host_candidate, opus};
use super::negotiation::AUDIO_LEVEL;
use crate::codec::{CodecKind, Decoder, Encoder, EncoderSettings};
use crate::common::units::Hz;
use crate::dsp::tone::Sine;

/// One connection of an SFU.
pub(crate) struct Sfu {
    connection: RTCPeerConnection,
    address: SocketAddr,
    speakers: Vec<Speaker>,
    streams: u32,
    decoder: Box<dyn Decoder>,
    /// What was published, as it came.
    pub(crate) published: Vec<rtp::Packet>,
    listener: Vec<i16>,
    /// Messages by data channels.
    pub(crate) data: Vec<Vec<u8>>,
    /// The first by which one came.
    channel: Option<RTCDataChannelId>,
}

struct Speaker {
    name: u64,
    sender: RTCRtpSenderId,
    ssrc: u32,
    sequence: u16,
    encoder: Box<dyn Encoder>,
    hum: Sine,
    silent: bool,
    timestamp: u32,
}

impl Sfu {
    pub(crate) fn new(now: Instant, address: SocketAddr) -> Self {
        let settings = SettingEngineBuilder::new().with_multicast_dns_mode(MulticastDnsMode::Disabled).build();
        let mut media = MediaEngine::default();
        let codec = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OPUS_PAYLOAD_TYPE };
        media.register_codec(codec, RtpCodecKind::Audio).expect("Opus");
        let level = RTCRtpHeaderExtensionCapability { uri: AUDIO_LEVEL.to_owned() };
        media.register_header_extension(level, RtpCodecKind::Audio, None).expect("an extension");
        let registry = register_default_interceptors(Default::default(), &mut media).expect("interceptors");
        let certificate = PeerFactory::new().expect("a certificate").certificate;
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().with_certificates(vec![certificate]).build())
            .with_setting_engine(settings)
            .with_media_engine(media)
            .with_interceptor_registry(registry)
            .build(now)
            .expect("a connection");
        connection.add_local_candidate(host_candidate(address).expect("a candidate")).expect("takes it");
        Self {
            connection,
            address,
            speakers: Vec::new(),
            streams: 0,
            decoder: CodecKind::Opus.decoder().expect("Opus"),
            published: Vec::new(),
            listener: Vec::new(),
            data: Vec::new(),
            channel: None,
        }
    }

    /// Its answer, in which `names` have a line each that hum their frequency: those who had one keep it. With it, which line is whose.
    pub(crate) fn answer(&mut self, now: Instant, offer: String, names: &[(u64, f32)]) -> (String, Vec<(String, u64)>) {
        let offer = RTCSessionDescription::offer(offer).expect("an offer");
        self.connection.set_remote_description(now, offer).expect("takes it");
        for at in (0..self.speakers.len()).rev() {
            if !names.iter().any(|(name, _)| *name == self.speakers[at].name) {
                let gone = self.speakers.remove(at);
                self.connection.remove_track(gone.sender).expect("is there");
            }
        }
        for (name, freq) in names {
            if !self.speakers.iter().any(|speaker| speaker.name == *name) {
                self.add(*name, *freq);
            }
        }
        let answer = self.connection.create_answer(None).expect("an answer");
        self.connection.set_local_description(now, answer).expect("takes it");
        let sdp = self.connection.local_description().expect("an answer").sdp;
        let senders: Vec<_> = self.speakers.iter().map(|speaker| (speaker.sender, speaker.name)).collect();
        let mids = senders.into_iter().map(|(sender, name)| {
            let line = self.connection.rtp_transceiver(RTCRtpTransceiverId::from(sender)).expect("a line");
            (line.mid().clone().expect("a mid"), name)
        });
        (sdp, mids.collect())
    }

    fn add(&mut self, name: u64, freq: f32) {
        self.streams += 1;
        let ssrc = u32::from(self.address.port()) << 8 | self.streams;
        let coding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: opus(),
            ..Default::default()
        };
        let track =
            MediaStreamTrack::new("room".to_owned(), format!("TR_{name}"), "room".to_owned(), RtpCodecKind::Audio, vec![coding]);
        self.speakers.push(Speaker {
            name,
            sender: self.connection.add_track(track).expect("a track"),
            ssrc,
            sequence: 7,
            encoder: CodecKind::Opus.encoder(EncoderSettings::default()).expect("Opus"),
            hum: Sine::new(Hz::FULL, freq, 8_000.0),
            silent: false,
            timestamp: ssrc.wrapping_mul(7_919),
        });
    }

    /// Somebody sends packets no longer, or again: their timestamps go on meanwhile.
    pub(crate) fn silence(&mut self, name: u64, silent: bool) {
        self.speakers.iter_mut().filter(|speaker| speaker.name == name).for_each(|speaker| speaker.silent = silent);
    }

    /// Sends everybody's next 20 ms.
    pub(crate) fn speak(&mut self, now: Instant) {
        for speaker in &mut self.speakers {
            let (mut samples, mut payload) = ([0; 960], Vec::new());
            speaker.hum.fill(&mut samples);
            speaker.encoder.encode(&samples, &mut payload).expect("encodes");
            speaker.timestamp = speaker.timestamp.wrapping_add(960);
            if speaker.silent {
                continue;
            }
            speaker.sequence = speaker.sequence.wrapping_add(1);
            let header = rtp::header::Header {
                version: 2,
                payload_type: OPUS_PAYLOAD_TYPE,
                sequence_number: speaker.sequence,
                timestamp: speaker.timestamp,
                ssrc: speaker.ssrc,
                ..Default::default()
            };
            let mut sender = self.connection.rtp_sender(speaker.sender).expect("a sender");
            // Refused until the handshake is complete.
            let _ = sender.write_rtp(now, rtp::Packet { header, payload: Bytes::from(payload) });
        }
    }

    /// Sends a message by the channel by which the first one came.
    pub(crate) fn send(&mut self, now: Instant, bytes: &[u8]) {
        let channel = self.channel.expect("a message");
        self.connection.data_channel(channel).expect("a channel").send(now, BytesMut::from(bytes)).expect("sends");
    }

    /// A datagram came.
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let transport =
            TransportContext { local_addr: self.address, peer_addr: from, ecn: None, transport_protocol: TransportProtocol::UDP };
        let _ = self.connection.handle_read(TaggedBytesMut { now, transport, message: BytesMut::from(datagram) });
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            match message {
                RTCMessage::RtpPacket(_, packet) => {
                    self.decoder.decode(&packet.payload, &mut self.listener).expect("Opus");
                    self.published.push(packet);
                }
                RTCMessage::DataChannelMessage(channel, message) => {
                    self.channel.get_or_insert(channel);
                    self.data.push(message.data.to_vec());
                }
                _ => {}
            }
        }
    }

    /// Time has passed; to be called more often than every 20 ms.
    pub(crate) fn wake(&mut self, now: Instant) {
        if self.connection.poll_timeout().is_some_and(|at| at <= now) {
            let _ = self.connection.handle_timeout(now);
        }
        while self.connection.poll_event().is_some() {}
    }

    /// The next datagram it sends, and where to.
    pub(crate) fn poll_transmit(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.connection.poll_write().map(|message| (message.transport.peer_addr, message.message.to_vec()))
    }

    /// What it was published since it was asked last, at 48 kHz.
    pub(crate) fn listener(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.listener)
    }

    /// Where it is.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}
