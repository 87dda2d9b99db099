//! [`RemotePeer`]: one connection of the WebRTC stack to an SFU, driven without a socket or a clock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use webrtc::peer_connection::RTCPeerConnection;
use webrtc::peer_connection::event::RTCPeerConnectionEvent;
use webrtc::peer_connection::message::{RTCMessage, TaggedRTCMessage};
use webrtc::peer_connection::sdp::RTCSessionDescription;
use webrtc::peer_connection::state::{RTCIceConnectionState, RTCPeerConnectionState};
use webrtc::peer_connection::transport::RTCIceCandidateInit;
use webrtc::sansio::Protocol as _;
use webrtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use crate::common::ids::TrackId;
use crate::dsp::frame::Frame;
use crate::net::ice_tcp::ACTIVE_PORT;
use crate::rtp::receive::ReceiverStats;
use crate::rtp::rtcp::fraction_lost;

use super::super::super::leg::DueDatagram;
use super::super::negotiation::{NegotiationError, PeerFactory, setup};
use super::super::packets::received;
use super::candidates::RemoteCandidates;
use super::lines::Lines;
use super::negotiation::{Channels, add_line, add_track, connection, stream_at, terms};
use super::offer::{OfferRequest, RemotePeerSettings};
use super::publication::Publication;

/// Time without a datagram after which the path counts as lost: checks of consent are answered every 2 s, reports come every second.
const PATH_LOST: Duration = Duration::from_secs(4);
/// Time without an answer to a check after which it counts as lost as well: others may reach us while we reach nobody. Four checks are not
/// lost by chance.
const UNHEARD: Duration = Duration::from_secs(8);
/// What begins the answer to a check (RFC 8489 section 5).
const CHECK_ANSWERED: [u8; 2] = [0x01, 0x01];
/// Time without a datagram after which the connection is given up.
const GIVEN_UP: Duration = Duration::from_secs(75);
/// Octets of messages that may wait for a data channel; one more is refused.
const DATA_WAITING: usize = 256 << 10;

/// From a connection to whoever signals it. Never waited for: one that finds a full queue is lost and counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemotePeerEvent {
    /// A path works and keys are agreed on: at first, and again after [`RemotePeerEvent::Disconnected`].
    Connected,
    /// Nothing comes any more; ICE may find another path (RFC 8445 section 9).
    Disconnected,
    /// The connection is over.
    Failed,
    /// A message came by a data channel.
    Data {
        /// By the one that is reliable and ordered.
        reliable: bool,
        /// The message.
        bytes: Vec<u8>,
    },
}

/// Figures of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemotePeerStats {
    /// RTP packets sent, repairs not counted.
    pub sent: u64,
    /// What has become of the packets of each track that is carried.
    pub tracks: Vec<(TrackId, ReceiverStats)>,
}

/// See the file's paragraph.
pub(crate) struct RemotePeer {
    connection: RTCPeerConnection,
    channels: Channels,
    publication: Option<Publication>,
    lines: Lines,
    candidates: RemoteCandidates,
    last_datagram: Instant,
    last_answered_check: Instant,
    /// ICE looks for a path anew, and has not found one yet.
    restarts: bool,
    path: Path,
    events: VecDeque<RemotePeerEvent>,
}

/// What was told last of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Opening,
    Works,
    Lost,
    Over,
}

impl RemotePeer {
    /// A connection that has offered nothing yet, with its candidates at `candidates`. `seed` gives SSRC and the first numbers of RTP; it
    /// must be unpredictable outside tests.
    ///
    /// # Errors
    /// [`NegotiationError::Setup`].
    pub(crate) fn new(
        now: Instant,
        factory: &PeerFactory,
        settings: RemotePeerSettings,
        candidates: &[SocketAddr],
        seed: u64,
    ) -> Result<Self, NegotiationError> {
        let (mut connection, channels) = connection(factory, now, candidates, GIVEN_UP)?;
        for _ in 0..settings.audio_lines {
            add_line(&mut connection)?;
        }
        let publication = match settings.publishes {
            Some(name) => {
                let ssrc = (seed >> 32) as u32 | 1;
                let sender = add_track(&mut connection, name, ssrc)?;
                Some(Publication::new(sender, ssrc, seed as u32).map_err(setup)?)
            }
            None => None,
        };
        Ok(Self {
            connection,
            channels,
            publication,
            lines: Lines::default(),
            candidates: RemoteCandidates::default(),
            last_datagram: now,
            last_answered_check: now,
            restarts: false,
            path: Path::Opening,
            events: VecDeque::new(),
        })
    }

    // === Offer and answer ===

    /// The next offer; it takes the place of one that was not answered. `None`: the connection is over.
    pub(crate) fn offer(&mut self, now: Instant, request: OfferRequest) -> Option<String> {
        for _ in 0..request.audio_lines {
            add_line(&mut self.connection).ok()?;
        }
        if request.restart_ice {
            self.connection.restart_ice();
            self.candidates.restart();
            self.restarts = true;
        }
        let offer = self.connection.create_offer(None).ok()?;
        self.connection.set_local_description(now, offer).ok()?;
        self.connection.local_description().map(|offer| offer.sdp)
    }

    /// Takes the answer to the last offer, with what its lines carry.
    ///
    /// # Errors
    /// [`NegotiationError::BadAnswer`] where it does not fit the offer; all stays as it was.
    pub(crate) fn answer(&mut self, now: Instant, sdp: String, lines: Vec<(String, TrackId)>) -> Result<(), NegotiationError> {
        let answer = RTCSessionDescription::answer(self.candidates.strip(&sdp)).map_err(|_| NegotiationError::BadAnswer)?;
        self.connection.set_remote_description(now, answer).map_err(|_| NegotiationError::BadAnswer)?;
        let early = self.candidates.answered(now);
        early.into_iter().for_each(|candidate| self.add_candidate(candidate));
        if let Some(publication) = &mut self.publication {
            publication.agree(terms(&mut self.connection, publication.sender()));
        }
        let connection = &mut self.connection;
        self.lines.assign(lines, |mid| stream_at(connection, mid)).map_err(setup)
    }

    /// A candidate of the SFU, as in `a=candidate`.
    pub(crate) fn candidate(&mut self, candidate: String) {
        if let Some(candidate) = self.candidates.take(candidate) {
            self.add_candidate(candidate);
        }
    }

    /// One that cannot be read, or is of a kind that we have no path for, is none.
    fn add_candidate(&mut self, candidate: String) {
        let candidate = RTCIceCandidateInit { candidate, ..Default::default() };
        let _ = self.connection.add_remote_candidate(candidate);
    }

    /// Tracks that are carried now.
    pub(crate) fn tracks(&self) -> impl Iterator<Item = TrackId> + '_ {
        self.lines.tracks()
    }

    // === Sound ===

    /// Puts a track's next 20 ms (48 kHz) into `frame`. False, and it is unchanged, where no line carries the track.
    pub(crate) fn pull(&mut self, now: Instant, track: TrackId, frame: &mut Frame) -> bool {
        self.lines.pull(now, track, frame)
    }

    /// Publishes 20 ms: a frame at 48 kHz and its level in dBov; `None`: silence.
    pub(crate) fn publish(&mut self, now: Instant, sound: Option<(&Frame, f32)>) {
        let Some(publication) = &mut self.publication else { return };
        if self.path != Path::Works {
            return publication.skip();
        }
        if let Some(packet) = publication.packet(sound)
            && let Some(mut sender) = self.connection.rtp_sender(publication.sender())
        {
            // The stack refuses packets before the keys are agreed on; the SFU could not decrypt them either.
            let _ = sender.write_rtp(now, packet);
        }
    }

    /// Effort of its encoder from now on, 0 to 10.
    pub(crate) fn set_complexity(&mut self, complexity: u8) {
        if let Some(publication) = &mut self.publication {
            publication.set_complexity(complexity);
        }
    }

    // === Data ===

    /// Sends a message by one of the data channels. False: the channel is not open, or has no room.
    pub(crate) fn send_data(&mut self, now: Instant, reliable: bool, bytes: &[u8]) -> bool {
        let channel = if reliable { self.channels.reliable } else { self.channels.lossy };
        let Some(mut channel) = self.connection.data_channel(channel) else { return false };
        channel.outstanding_bytes() + bytes.len() <= DATA_WAITING && channel.send(now, BytesMut::from(bytes)).is_ok()
    }

    // === Datagrams and time ===

    /// A datagram from `from` has arrived at the socket of the candidate `local`.
    pub(crate) fn receive(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        self.last_datagram = now;
        if datagram.starts_with(&CHECK_ANSWERED) {
            self.last_answered_check = now;
        }
        let transport_protocol = if local.port() == ACTIVE_PORT { TransportProtocol::TCP } else { TransportProtocol::UDP };
        let transport = TransportContext { local_addr: local, peer_addr: from, ecn: None, transport_protocol };
        // A datagram that the stack refuses is the peer's fault and changes nothing.
        let _ = self.connection.handle_read(TaggedBytesMut { now, transport, message: BytesMut::from(datagram) });
        self.take_messages(now);
    }

    fn take_messages(&mut self, now: Instant) {
        while let Some(TaggedRTCMessage { message, .. }) = self.connection.poll_read() {
            match message {
                RTCMessage::RtpPacket(stream, packet) => {
                    self.lines.insert(now, &stream, &received(&packet));
                }
                RTCMessage::RtcpPacket(_, packets) => {
                    let Some(publication) = &mut self.publication else { continue };
                    let ssrc = publication.ssrc();
                    let shares = packets.iter().filter_map(|packet| fraction_lost(packet.as_ref(), ssrc));
                    shares.for_each(|share| publication.reported_loss.reported(share));
                }
                RTCMessage::DataChannelMessage(channel, message) => {
                    let bytes = message.data.to_vec();
                    self.events.push_back(RemotePeerEvent::Data { reliable: channel != self.channels.lossy, bytes });
                }
                _ => {}
            }
        }
    }

    /// Lets every timer that has expired take effect; to be called once a frame.
    pub(crate) fn wake(&mut self, now: Instant) {
        if self.path != Path::Works || self.restarts {
            let tcp = self.candidates.tcp(now);
            tcp.into_iter().for_each(|candidate| self.add_candidate(candidate));
        }
        if self.connection.poll_timeout().is_some_and(|deadline| deadline <= now) {
            // An error of the stack is reported as a change of state too.
            let _ = self.connection.handle_timeout(now);
            self.take_messages(now);
        }
    }

    /// The next event, if any. To be drained after `receive` and `wake`.
    pub(crate) fn poll_event(&mut self, now: Instant) -> Option<RemotePeerEvent> {
        while let Some(event) = self.connection.poll_event() {
            match event {
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(RTCPeerConnectionState::Connected) => {
                    self.tell(Path::Works, RemotePeerEvent::Connected);
                }
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(
                    RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed,
                ) => self.tell(Path::Over, RemotePeerEvent::Failed),
                RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(
                    RTCIceConnectionState::Connected | RTCIceConnectionState::Completed,
                ) => self.restarts = false,
                _ => {}
            }
        }
        let silent = now.saturating_duration_since(self.last_datagram);
        let is_lost = silent > PATH_LOST || now.saturating_duration_since(self.last_answered_check) > UNHEARD;
        match self.path {
            Path::Works if is_lost => self.tell(Path::Lost, RemotePeerEvent::Disconnected),
            Path::Lost if !is_lost => self.tell(Path::Works, RemotePeerEvent::Connected),
            Path::Opening | Path::Lost if silent > GIVEN_UP => self.tell(Path::Over, RemotePeerEvent::Failed),
            _ => {}
        }
        self.events.pop_front()
    }

    fn tell(&mut self, path: Path, event: RemotePeerEvent) {
        if self.path != path && self.path != Path::Over {
            self.path = path;
            self.events.push_back(event);
        }
    }

    /// The next datagram due.
    pub(crate) fn poll_transmit(&mut self) -> Option<DueDatagram<SocketAddr>> {
        let message = self.connection.poll_write()?;
        let (socket, to) = (message.transport.local_addr, message.transport.peer_addr);
        Some(DueDatagram { socket, to, bytes: message.message.to_vec(), packet: None })
    }

    /// Figures so far.
    pub(crate) fn stats(&self) -> RemotePeerStats {
        RemotePeerStats { sent: self.publication.as_ref().map_or(0, Publication::sent), tracks: self.lines.stats() }
    }

    /// Ends the connection: a DTLS close_notify (RFC 5246 section 7.2.1) is still to be transmitted.
    pub(crate) fn close(&mut self) {
        let _ = self.connection.close();
    }
}
