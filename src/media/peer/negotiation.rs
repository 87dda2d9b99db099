//! Offer and answer of a browser: a [`WebRtcPeer`] comes out, and the answer for the page.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use webrtc::crypto::{self, SignatureScheme};
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::interceptor::Registry;
use webrtc::media_stream::MediaStreamTrack;
use webrtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use webrtc::peer_connection::configuration::RTCConfigurationBuilder;
use webrtc::peer_connection::configuration::interceptor_registry::configure_rtcp_reports;
use webrtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MediaEngine};
use webrtc::peer_connection::configuration::setting_engine::SettingEngineBuilder;
use webrtc::peer_connection::sdp::RTCSessionDescription;
use webrtc::peer_connection::transport::{
    CandidateConfig, CandidateHostConfig, RTCDtlsRole, RTCIceCandidate, RTCIceCandidateInit,
};
use webrtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use webrtc::rtp_transceiver::RTCRtpSenderId;
use webrtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use zeroize::Zeroizing;

use crate::codec::CodecKind;

use super::connection::{CONSENT_LOST, IceCredentials, PEER_GIVEN_UP, SendStream, WebRtcPeer};

/// Our payload type for Opus where the offer leaves the choice to us.
pub(super) const OPUS_PAYLOAD_TYPE: u8 = 111;

/// Why an offer could not be answered. The text is shown to the user.
#[derive(Debug, thiserror::Error)]
pub enum NegotiationError {
    /// The offer cannot be read, or holds no audio in Opus.
    #[error("the browser's offer cannot be used: it must hold Opus audio")]
    BadOffer,
    /// The offer wants a data channel: SCTP is not offered, so that no octets of strangers reach its implementation.
    #[error("the browser's offer cannot be used: it holds a data channel, and there are none here")]
    DataChannel,
    /// The answer to an offer of ours does not fit it.
    #[error("the answer to our offer cannot be used")]
    BadAnswer,
    /// The connection could not be created locally.
    #[error("the connection could not be set up on our side")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Negotiates peers; all of them use one certificate.
pub(crate) struct PeerFactory {
    pub(super) certificate: RTCCertificate,
}

pub(super) fn setup<E: std::error::Error + Send + Sync + 'static>(error: E) -> NegotiationError {
    NegotiationError::Setup(Box::new(error))
}

pub(super) fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: format!("minptime=10;{}", CodecKind::Opus.row().fmtp.unwrap_or_default()),
        rtcp_feedback: vec![],
    }
}

impl PeerFactory {
    /// Makes the certificate that all peers show in their DTLS handshake (ECDSA P-256).
    ///
    /// # Errors
    /// When the crypto provider cannot make one.
    pub(crate) fn new() -> Result<Self, NegotiationError> {
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
    /// [`NegotiationError::BadOffer`] and [`NegotiationError::DataChannel`] for a fault of the browser, [`NegotiationError::Setup`] for a
    /// local one.
    pub(crate) fn negotiate(
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
        let mut connection = self.connection(now, &ufrag, &password)?;
        let ssrc = u32::from_le_bytes([seed[24], seed[25], seed[26], seed[27]]) | 1;
        let sender = connection.add_track(track(ssrc)).map_err(setup)?;
        let description = RTCSessionDescription::offer(offer).map_err(|_| NegotiationError::BadOffer)?;
        connection.set_remote_description(now, description).map_err(|_| NegotiationError::BadOffer)?;
        for address in candidates {
            connection.add_local_candidate(host_candidate(*address)?).map_err(setup)?;
        }
        let answer = connection.create_answer(None).map_err(|_| NegotiationError::BadOffer)?;
        connection.set_local_description(now, answer).map_err(|_| NegotiationError::BadOffer)?;
        let answer = connection.local_description().ok_or(NegotiationError::BadOffer)?.sdp;
        let payload_type = opus_payload_type(&mut connection, sender).ok_or(NegotiationError::BadOffer)?;
        let stream = SendStream {
            sender,
            ssrc,
            payload_type,
            sequence: u16::from_le_bytes([seed[28], seed[29]]),
            timestamp: u32::from_le_bytes([seed[28], seed[29], seed[30], seed[31]]),
        };
        let ice = IceCredentials { ufrag, password: Zeroizing::new(password) };
        let peer = WebRtcPeer::new(now, connection, stream, ice).map_err(setup)?;
        Ok((peer, without_repeated_candidates(&answer)))
    }

    /// A connection that waits for an offer: ICE-lite, DTLS server, Opus alone.
    fn connection(&self, now: Instant, ufrag: &str, password: &str) -> Result<RTCPeerConnection, NegotiationError> {
        let settings = SettingEngineBuilder::new()
            .with_answering_dtls_role(RTCDtlsRole::Server)
            .with_lite(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_ice_credentials(ufrag.to_owned(), password.to_owned())
            .with_host_acceptance_min_wait(Some(Duration::ZERO))
            .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
            // A silent browser is given up by a rule of ours (M-5); the stack would do so after 30 s.
            .with_ice_timeouts(Some(CONSENT_LOST), Some(PEER_GIVEN_UP), None)
            .with_ice_connection_attempts(Some(Duration::from_millis(50)), Some(7))
            .build();
        let mut media = MediaEngine::default();
        media
            .register_codec(RTCRtpCodecParameters { rtp_codec: opus(), payload_type: OPUS_PAYLOAD_TYPE }, RtpCodecKind::Audio)
            .map_err(setup)?;
        let configuration = RTCConfigurationBuilder::new().with_certificates(vec![self.certificate.clone()]).build();
        RTCPeerConnectionBuilder::new()
            .with_configuration(configuration)
            .with_setting_engine(settings)
            .with_media_engine(media)
            .with_interceptor_registry(configure_rtcp_reports(Registry::new()))
            .build(now)
            .map_err(setup)
    }
}

/// The track on which the mix is sent.
fn track(ssrc: u32) -> MediaStreamTrack {
    MediaStreamTrack::new(
        "meeting".to_owned(),
        "mix".to_owned(),
        "meeting".to_owned(),
        RtpCodecKind::Audio,
        vec![RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            codec: opus(),
            ..Default::default()
        }],
    )
}

pub(super) fn host_candidate(address: SocketAddr) -> Result<RTCIceCandidateInit, NegotiationError> {
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
    RTCIceCandidate::from(&candidate).to_json().map_err(setup)
}

/// The payload type of Opus in the answer: the offer chooses it.
fn opus_payload_type(connection: &mut RTCPeerConnection, sender: RTCRtpSenderId) -> Option<u8> {
    let mut sender = connection.rtp_sender(sender)?;
    let codecs = &sender.get_parameters().rtp_parameters.codecs;
    codecs.iter().find(|codec| codec.rtp_codec.mime_type.eq_ignore_ascii_case(MIME_TYPE_OPUS)).map(|codec| codec.payload_type)
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

/// Removes the candidates that the library prints twice: browsers accept them, people who read an answer are misled.
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
