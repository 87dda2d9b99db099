//! A browser's leg ([`WebRtcPeer`]): one connection of the WebRTC stack, driven without a socket or a clock.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use webrtc::peer_connection::RTCPeerConnection;
use webrtc::peer_connection::event::RTCPeerConnectionEvent;
use webrtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use webrtc::peer_connection::state::RTCPeerConnectionState;
use webrtc::rtp_transceiver::RTCRtpSenderId;
use webrtc::sansio::Protocol;
use webrtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use zeroize::Zeroizing;

use crate::codec::{CodecError, CodecKind, Encoder, EncoderSettings};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::rtp::feedback::ReportedLoss;
use crate::rtp::payload::{PayloadContent, PayloadFormat};
use crate::rtp::receive::AudioReceiver;
use crate::rtp::rtcp::fraction_lost;

use super::super::leg::{DueDatagram, MediaLeg};
use super::super::shared_mix::{SharedMix, TickSound};
use super::packets::received;
use crate::rtp::stun;

/// Time without a datagram after which ICE consent counts as lost: browsers repeat their check every 2.5 s (RFC 7675 section 5.1).
pub(super) const CONSENT_LOST: Duration = Duration::from_secs(6);
/// Time without a datagram, or without a completed handshake, after which a peer is given up.
pub(super) const PEER_GIVEN_UP: Duration = Duration::from_secs(75);

/// One WebRTC connection with one Opus stream each way.
pub(crate) struct WebRtcPeer {
    connection: RTCPeerConnection,
    stream: SendStream,
    encoder: Box<dyn Encoder>,
    receiver: AudioReceiver,
    ice: IceCredentials,
    created: Instant,
    last_datagram: Option<Instant>,
    connected: bool,
    alive: bool,
    failed: bool,
    payload: Vec<u8>,
    /// Of our packets, by the browser's reports.
    reported_loss: ReportedLoss,
    /// The last payload came from the shared encoder.
    shares_payloads: bool,
}

/// A change of a peer's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerChange {
    /// The handshake is complete; audio can flow.
    Connected,
    /// ICE consent is alive again, or was lost (M-5).
    Alive(bool),
    /// The connection has ended.
    Gone,
}

/// The RTP stream that carries the mix: where its next packet stands.
pub(super) struct SendStream {
    pub(super) sender: RTCRtpSenderId,
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
}

/// Our half of the credentials of ICE (RFC 8445 section 5.3).
pub(super) struct IceCredentials {
    pub(super) ufrag: String,
    pub(super) password: Zeroizing<String>,
}

impl WebRtcPeer {
    /// A peer whose answer is about to be sent.
    ///
    /// # Errors
    /// When the library refuses its settings for Opus.
    pub(super) fn new(
        now: Instant,
        connection: RTCPeerConnection,
        stream: SendStream,
        ice: IceCredentials,
    ) -> Result<Self, CodecError> {
        let opus = PayloadFormat { payload_type: stream.payload_type, content: PayloadContent::Audio(CodecKind::Opus) };
        let receiver = AudioReceiver::new(CodecKind::Opus, &[opus])?;
        Ok(Self {
            connection,
            stream,
            encoder: CodecKind::Opus.encoder(EncoderSettings::default())?,
            receiver,
            ice,
            created: now,
            last_datagram: None,
            connected: false,
            alive: false,
            failed: false,
            payload: Vec::with_capacity(400),
            reported_loss: ReportedLoss::default(),
            shares_payloads: false,
        })
    }

    /// Our half of the user name in its STUN checks: how the worker knows a peer's first datagram.
    #[must_use]
    pub(crate) fn ufrag(&self) -> &str {
        &self.ice.ufrag
    }

    /// Whether a STUN check with our user name comes from somebody who has this peer's password.
    #[must_use]
    pub(crate) fn is_checked_by(&self, datagram: &[u8]) -> bool {
        stun::is_genuine(datagram, &self.ice.password)
    }

    fn take_media(&mut self, now: Instant) {
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            match message {
                RTCMessage::RtpPacket(_, packet) => {
                    // The stack reports by its own count.
                    let _ = self.receiver.insert(now, &received(&packet));
                }
                RTCMessage::RtcpPacket(_, packets) => {
                    let ssrc = self.stream.ssrc;
                    let shares = packets.iter().filter_map(|packet| fraction_lost(packet.as_ref(), ssrc));
                    shares.for_each(|share| self.reported_loss.reported(share));
                }
                _ => {}
            }
        }
    }

    /// The next change of the connection, if any. To be drained after `receive` and `wake`.
    pub(crate) fn poll_change(&mut self, now: Instant) -> Option<PeerChange> {
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
        let silent_since = self.last_datagram.unwrap_or(self.created);
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

    /// Encodes for this peer alone. Its encoder is brought to the state of the shared one first, where that made the last payload.
    fn encode_own(&mut self, frame: &Frame, mix: Option<&SharedMix>) -> Option<Bytes> {
        if std::mem::replace(&mut self.shares_payloads, false) {
            mix.into_iter().flat_map(|mix| mix.history(CodecKind::Opus)).for_each(|frame| drop(self.encode(frame)));
        }
        self.encode(frame)
    }

    fn encode(&mut self, frame: &Frame) -> Option<Bytes> {
        self.payload.clear();
        if let Some(percent) = self.reported_loss.percent() {
            self.encoder.expect_loss(percent);
        }
        self.encoder.encode(frame.samples(), &mut self.payload).ok()?;
        Some(Bytes::copy_from_slice(&self.payload))
    }

    /// Ends the connection: a DTLS close_notify (RFC 5246 section 7.2.1) is still to be transmitted.
    pub(crate) fn close(&mut self) {
        let _ = self.connection.close();
    }
}

impl MediaLeg for WebRtcPeer {
    /// The address at which the WebRTC socket is advertised.
    type Socket = SocketAddr;

    fn set_complexity(&mut self, complexity: u8) {
        self.encoder.set_complexity(complexity);
    }

    fn receive(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        self.last_datagram = Some(now);
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
        // A datagram that the stack refuses is the browser's fault and changes nothing.
        let _ = self.connection.handle_read(message);
        self.take_media(now);
    }

    fn pull(&mut self, now: Instant, frame: &mut Frame) {
        self.receiver.pull(now, frame);
    }

    fn send(&mut self, now: Instant, mix: TickSound<'_>) {
        let timestamp = self.stream.timestamp;
        self.stream.timestamp = self.stream.timestamp.wrapping_add(960);
        if !self.connected || self.failed {
            return;
        }
        let payload = match mix {
            TickSound::Common(mix) => {
                mix.expect_loss(CodecKind::Opus, self.reported_loss.percent());
                match mix.payload(CodecKind::Opus).map(Bytes::copy_from_slice) {
                    Some(payload) => {
                        self.shares_payloads = true;
                        Some(payload)
                    }
                    None => self.encode_own(mix.frame(), Some(mix)),
                }
            }
            TickSound::Own(frame, mix) => self.encode_own(frame, mix),
            TickSound::Nothing => self.encode(&Frame::silence(Hz::FULL)),
        };
        let Some(payload) = payload else { return };
        let header = rtp::header::Header {
            version: 2,
            payload_type: self.stream.payload_type,
            sequence_number: self.stream.sequence,
            timestamp,
            ssrc: self.stream.ssrc,
            ..Default::default()
        };
        self.stream.sequence = self.stream.sequence.wrapping_add(1);
        if let Some(mut sender) = self.connection.rtp_sender(self.stream.sender) {
            // The stack refuses packets before the keys are agreed on; the browser could not decrypt them either.
            let _ = sender.write_rtp(now, rtp::Packet { header, payload });
        }
    }

    fn wake(&mut self, now: Instant) {
        if self.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
            // An error of the stack is reported as a change of state too.
            let _ = self.connection.handle_timeout(now);
            self.take_media(now);
        }
    }

    fn poll_transmit(&mut self, _now: Instant) -> Option<DueDatagram<SocketAddr>> {
        let message = self.connection.poll_write()?;
        let (socket, to) = (message.transport.local_addr, message.transport.peer_addr);
        Some(DueDatagram { socket, to, bytes: message.message.to_vec(), packet: None })
    }
}
