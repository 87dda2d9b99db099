//! [`WebRtcPeer`]: one browser's connection, driven without a socket or a clock.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use webrtc::crypto::{self, SignatureScheme};
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::interceptor::Registry;
use webrtc::media_stream::MediaStreamTrack;
use webrtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use webrtc::peer_connection::configuration::RTCConfigurationBuilder;
use webrtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use webrtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
use webrtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use webrtc::peer_connection::event::RTCPeerConnectionEvent;
use webrtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use webrtc::peer_connection::sdp::RTCSessionDescription;
use webrtc::peer_connection::state::RTCPeerConnectionState;
use webrtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCDtlsRole, RTCIceCandidate};
use webrtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use webrtc::rtp_transceiver::RTCRtpSenderId;
use webrtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use webrtc::sansio::Protocol;
use webrtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use zeroize::Zeroizing;

use crate::codec::{CodecKind, Encoder, EncoderSettings};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::rtp::packet::Packet;
use crate::rtp::receive::AudioReceiver;

use super::super::shared_mix::{SharedMix, TickSound};
use super::super::stun;

/// Our payload type for Opus where the offer leaves the choice to us.
pub(super) const OPUS_PAYLOAD_TYPE: u8 = 111;
/// Silence on the path after which ICE consent counts as lost: browsers repeat their check every 2.5 s (RFC 7675 section 5.1).
const CONSENT_LOST: Duration = Duration::from_secs(6);
/// A peer that never completed its handshake, or was silent for this long, is given up.
pub const PEER_GIVEN_UP: Duration = Duration::from_secs(75);

/// Why an offer could not be answered. The text is for people.
#[derive(Debug, thiserror::Error)]
pub enum NegotiationError {
    /// The offer cannot be read, or holds no audio we speak.
    #[error("the browser's offer cannot be used: it must hold Opus audio")]
    BadOffer,
    /// The offer wants a data channel: nothing here speaks SCTP, and nobody's octets reach it.
    #[error("the browser's offer cannot be used: it holds a data channel, and there are none here")]
    DataChannel,
    /// Our own side failed.
    #[error("the connection could not be set up on our side")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Builds peers: the certificate that serves all of them is made once.
pub struct PeerFactory {
    pub(super) certificate: RTCCertificate,
}

/// One WebRTC connection with one Opus stream each way.
pub struct WebRtcPeer {
    connection: RTCPeerConnection,
    sender: RTCRtpSenderId,
    ssrc: u32,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    encoder: Box<dyn Encoder>,
    receiver: AudioReceiver,
    ufrag: String,
    password: Zeroizing<String>,
    created: Instant,
    last_heard: Option<Instant>,
    connected: bool,
    alive: bool,
    failed: bool,
    payload: Vec<u8>,
    /// The last packet was one that many were sent.
    follows: bool,
}

/// A change in a peer's condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerChange {
    /// The handshake is complete; audio can flow.
    Connected,
    /// ICE consent is alive again, or was lost (M-5).
    Alive(bool),
    /// Nothing will come any more.
    Gone,
}

fn setup<E: std::error::Error + Send + Sync + 'static>(error: E) -> NegotiationError {
    NegotiationError::Setup(Box::new(error))
}

pub(super) fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: vec![],
    }
}

impl PeerFactory {
    /// Makes the certificate that all peers show in their DTLS handshake (ECDSA P-256).
    ///
    /// # Errors
    /// When the crypto provider cannot make one.
    pub fn new() -> Result<Self, NegotiationError> {
        let provider = crypto::default_provider().map_err(setup)?;
        let parameters = CertificateParams::new(vec!["roomgate".to_owned()]).map_err(setup)?;
        let certificate =
            RTCCertificate::generate(provider.crypto(), SignatureScheme::EcdsaP256Sha256, parameters).map_err(setup)?;
        Ok(Self { certificate })
    }

    /// Answers a browser's offer with the given host candidates.
    ///
    /// `seed` gives SSRC and ICE credentials; it must be unpredictable outside tests.
    ///
    /// # Errors
    /// [`NegotiationError::BadOffer`] and [`NegotiationError::DataChannel`] for what the browser did wrong, [`NegotiationError::Setup`] for our own trouble.
    pub fn negotiate(
        &self,
        now: Instant,
        offer: String,
        candidates: &[SocketAddr],
        seed: [u8; 32],
    ) -> Result<(WebRtcPeer, String), NegotiationError> {
        if wants_data_channel(&offer) {
            return Err(NegotiationError::DataChannel);
        }
        let (ufrag, password) = credentials(&seed);
        let settings = SettingEngineBuilder::new()
            .with_answering_dtls_role(RTCDtlsRole::Server)
            .with_lite(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_ice_credentials(ufrag.clone(), password.clone())
            .with_host_acceptance_min_wait(Some(Duration::ZERO))
            .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
            // When a silent browser is given up is our own rule (M-5); the stack would say so after 30 s.
            .with_ice_timeouts(Some(CONSENT_LOST), Some(PEER_GIVEN_UP), None)
            .with_ice_connection_attempts(Some(Duration::from_millis(50)), Some(7))
            .build();
        let mut media = MediaEngine::default();
        media
            .register_codec(RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OPUS_PAYLOAD_TYPE }, RtpCodecKind::Audio)
            .map_err(setup)?;
        let registry = configure_rtcp_reports(Registry::new());
        let configuration = RTCConfigurationBuilder::new().with_certificates(vec![self.certificate.clone()]).build();
        let mut connection = RTCPeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(settings)
            .with_media_engine(media)
            .with_interceptor_registry(registry)
            .build(now)
            .map_err(setup)?;

        let ssrc = u32::from_le_bytes([seed[24], seed[25], seed[26], seed[27]]) | 1;
        let track = MediaStreamTrack::new(
            "meeting".to_owned(),
            "mix".to_owned(),
            "meeting".to_owned(),
            RtpCodecKind::Audio,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
                codec: opus(),
                ..Default::default()
            }],
        );
        let sender = connection.add_track(track).map_err(setup)?;
        let description = RTCSessionDescription::offer(offer).map_err(|_| NegotiationError::BadOffer)?;
        connection.set_remote_description(now, description).map_err(|_| NegotiationError::BadOffer)?;
        for address in candidates {
            let candidate = CandidateHostConfig {
                base_config: CandidateConfig {
                    network: "udp".to_owned(),
                    address: address.ip().to_string(),
                    port: address.port(),
                    component: 1,
                    ..Default::default()
                },
                ..Default::default()
            }
            .new_candidate_host()
            .map_err(setup)?;
            connection.add_local_candidate(RTCIceCandidate::from(&candidate).to_json().map_err(setup)?).map_err(setup)?;
        }
        let answer = connection.create_answer(None).map_err(|_| NegotiationError::BadOffer)?;
        connection.set_local_description(now, answer).map_err(|_| NegotiationError::BadOffer)?;
        let answer = connection.local_description().ok_or(NegotiationError::BadOffer)?.sdp;
        let answer = without_repeated_candidates(&answer);
        let payload_type = connection
            .rtp_sender(sender)
            .and_then(|mut sender| {
                sender
                    .get_parameters()
                    .rtp_parameters
                    .codecs
                    .iter()
                    .find(|codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case(MIME_TYPE_OPUS))
                    .map(|codec| codec.payload_type)
            })
            .ok_or(NegotiationError::BadOffer)?;
        let encoder = CodecKind::Opus.encoder(EncoderSettings::default()).map_err(setup)?;
        let receiver = AudioReceiver::new(CodecKind::Opus, payload_type).map_err(setup)?;
        let peer = WebRtcPeer {
            connection,
            sender,
            ssrc,
            payload_type,
            sequence: u16::from_le_bytes([seed[28], seed[29]]),
            timestamp: u32::from_le_bytes([seed[28], seed[29], seed[30], seed[31]]),
            encoder,
            receiver,
            ufrag,
            password: Zeroizing::new(password),
            created: now,
            last_heard: None,
            connected: false,
            alive: false,
            failed: false,
            payload: Vec::with_capacity(400),
            follows: false,
        };
        Ok((peer, answer))
    }
}

/// Whether an offer has a section for SCTP (RFC 8841), whatever ends its lines: the stack would begin to listen for it.
fn wants_data_channel(offer: &str) -> bool {
    let is_application = |line: &str| line.trim_start().get(..13).is_some_and(|head| head.eq_ignore_ascii_case("m=application"));
    let (other, rest) = (["a=sctp-port", "a=sctpmap"], offer.split(['\r', '\n']));
    rest.into_iter().any(|line| is_application(line) || other.iter().any(|name| line.trim_start().starts_with(name)))
}

/// ICE user name fragment and password from random bytes (RFC 8445 section 5.3: at least 24 and 128 bits).
fn credentials(seed: &[u8; 32]) -> (String, String) {
    use base64::Engine as _;
    let text = Zeroizing::new(base64::engine::general_purpose::STANDARD_NO_PAD.encode(&seed[..24]));
    let (ufrag, password) = text.split_at(8);
    (ufrag.to_owned(), password.to_owned())
}

/// The library prints each candidate twice; a browser takes it, a reader of the answer stumbles.
fn without_repeated_candidates(sdp: &str) -> String {
    let mut seen: Vec<&str> = Vec::new();
    let mut kept = String::with_capacity(sdp.len());
    for line in sdp.split_inclusive("\r\n") {
        if line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates") {
            if seen.contains(&line) {
                continue;
            }
            seen.push(line);
        }
        kept.push_str(line);
    }
    kept
}

impl WebRtcPeer {
    /// Our half of the user name in its STUN checks: how the worker knows a peer's first datagram.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// Whether a STUN check with our user name comes from somebody who has this peer's password.
    #[must_use]
    pub fn is_checked_by(&self, datagram: &[u8]) -> bool {
        stun::is_genuine(datagram, &self.password)
    }

    /// A datagram for this peer arrived at `local` from `from`.
    pub fn receive(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        self.last_heard = Some(now);
        let message = TaggedBytesMut {
            now,
            transport: TransportContext {
                local_addr: local,
                peer_addr: from,
                ecn: None,
                transport_protocol: TransportProtocol::UDP,
            },
            message: BytesMut::from(datagram),
        };
        // A datagram the stack refuses is the peer's fault and changes nothing here.
        let _ = self.connection.handle_read(message);
        self.take_media(now);
    }

    fn take_media(&mut self, now: Instant) {
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            if let RTCMessage::RtpPacket(_, packet) = message {
                let header = &packet.header;
                self.receiver.insert(
                    now,
                    &Packet {
                        pt: header.payload_type,
                        marker: header.marker,
                        seq: header.sequence_number,
                        timestamp: header.timestamp,
                        ssrc: header.ssrc,
                        payload: &packet.payload,
                    },
                );
            }
        }
    }

    /// The next change of condition, if any. To be drained after `receive` and `wake`.
    pub fn poll_change(&mut self, now: Instant) -> Option<PeerChange> {
        while let Some(event) = self.connection.poll_event() {
            if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(state) = event {
                match state {
                    RTCPeerConnectionState::Connected if !self.connected => {
                        self.connected = true;
                        self.alive = true;
                        return Some(PeerChange::Connected);
                    }
                    RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => self.failed = true,
                    _ => {}
                }
            }
        }
        let silent_since = self.last_heard.unwrap_or(self.created);
        let silent = now.saturating_duration_since(silent_since);
        if self.failed || silent > PEER_GIVEN_UP {
            self.failed = true;
            return Some(PeerChange::Gone);
        }
        let alive = self.connected && silent < CONSENT_LOST;
        if self.connected && alive != self.alive {
            self.alive = alive;
            return Some(PeerChange::Alive(alive));
        }
        None
    }

    /// The next datagram to send: from our address, to the browser's.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, SocketAddr, BytesMut)> {
        self.connection.poll_write().map(|message| (message.transport.local_addr, message.transport.peer_addr, message.message))
    }

    /// When `wake` is wanted next.
    pub fn deadline(&mut self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    /// A deadline has passed.
    pub fn wake(&mut self, now: Instant) {
        // The stack reports here what it reports as a state change too.
        let _ = self.connection.handle_timeout(now);
        self.take_media(now);
    }

    /// The browser's next 20 ms, at 48 kHz.
    pub fn pull(&mut self, now: Instant, frame: &mut Frame) {
        self.receiver.pull(now, frame);
    }

    /// Sends 20 ms (48 kHz) to the browser.
    pub fn send(&mut self, now: Instant, meeting: TickSound<'_>) {
        let timestamp = self.timestamp;
        self.timestamp = self.timestamp.wrapping_add(960);
        if !self.connected || self.failed {
            return;
        }
        let payload = match meeting {
            TickSound::Common(mix) => match mix.payload(CodecKind::Opus).map(Bytes::copy_from_slice) {
                Some(payload) => {
                    self.follows = true;
                    Some(payload)
                }
                None => self.encode_own(mix.frame(), Some(mix)),
            },
            TickSound::Own(frame, mix) => self.encode_own(frame, mix),
            TickSound::Nothing => self.encode(&Frame::silence(Hz::FULL)),
        };
        let Some(payload) = payload else { return };
        let header = rtp::header::Header {
            version: 2,
            payload_type: self.payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Default::default()
        };
        self.sequence = self.sequence.wrapping_add(1);
        if let Some(mut sender) = self.connection.rtp_sender(self.sender) {
            // Before the keys are there the stack refuses; nothing is lost that could have been heard.
            let _ = sender.write_rtp(now, rtp::Packet { header, payload });
        }
    }

    /// Goes on where the common encoder stood, if that was followed; nothing of this past is sent.
    fn encode_own(&mut self, frame: &Frame, mix: Option<&SharedMix>) -> Option<Bytes> {
        if std::mem::replace(&mut self.follows, false) {
            mix.into_iter().flat_map(|mix| mix.past(CodecKind::Opus)).for_each(|frame| drop(self.encode(frame)));
        }
        self.encode(frame)
    }

    fn encode(&mut self, frame: &Frame) -> Option<Bytes> {
        self.payload.clear();
        self.encoder.encode(frame.samples(), &mut self.payload).ok()?;
        Some(Bytes::copy_from_slice(&self.payload))
    }

    /// Tells the browser that this is over (DTLS close_notify); what it says is still to be transmitted.
    pub fn close(&mut self) {
        let _ = self.connection.close();
    }
}
