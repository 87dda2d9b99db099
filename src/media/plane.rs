//! All ports, peers and bridges of one worker: pure, no socket and no clock.
//!
//! Datagrams come in by [`Plane::receive_rtp`], [`Plane::receive_rtcp`] and [`Plane::receive_webrtc`], time by [`Plane::tick`]
//! (eight slots a frame: a bridge ticks whole in its own, so meetings are spread over the frame) and [`Plane::pace`];
//! datagrams go out by [`Plane::poll_transmit`]. Iteration follows ids, so that the same input gives the same output.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::common::ids::{BridgeId, PeerId, PortId};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::policy::Admission;

use super::bridge::{Bridge, Gate, MediaEnd};
use super::egress::Numbered;
use super::events::BridgeEvent;
use super::peer::{PeerChange, WebRtcPeer};
use super::port::{Channel, DueDatagram, Port};
use super::record::Recorder;
use super::shared_mix::TickSound;
use super::stun;

/// Slots of a 20 ms frame: 2.5 ms each (DESIGN §7).
pub const SLOTS: u8 = 8;

/// Where a datagram leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketId {
    /// By a device's own socket.
    Port(PortId, Channel),
    /// By the WebRTC socket bound to this address.
    WebRtc(SocketAddr),
}

/// A datagram to send.
#[derive(Debug)]
pub struct Transmit {
    /// By which socket.
    pub way: SocketId,
    /// To whom.
    pub to: SocketAddr,
    /// What.
    pub bytes: Vec<u8>,
    /// The RTP packet of a device's port that it is, if it is one.
    pub packet: Option<Numbered>,
}

struct SeatedPeer {
    peer: WebRtcPeer,
    heard: mpsc::Sender<BridgeEvent>,
    addresses: Vec<SocketAddr>,
}

struct Meeting {
    bridge: Bridge,
    heard: mpsc::Sender<BridgeEvent>,
}

/// Everything that ticks on one worker.
#[derive(Default)]
pub struct Plane {
    ports: BTreeMap<PortId, Port>,
    peers: BTreeMap<PeerId, SeatedPeer>,
    bridges: BTreeMap<BridgeId, Meeting>,
    seated: HashMap<MediaEnd, BridgeId>,
    by_ufrag: HashMap<String, PeerId>,
    by_address: HashMap<SocketAddr, PeerId>,
    out: VecDeque<Transmit>,
    unheard: u64,
    strays: u64,
}

/// Addresses a browser may use at a time; beyond it the oldest is forgotten (a check brings it back).
const ADDRESSES: usize = 8;

impl Plane {
    /// Takes a port: a new one, or one moved here from another worker.
    pub fn adopt_port(&mut self, port: Port) {
        self.ports.insert(port.id(), port);
    }

    /// Gives a port away, off its bridge if it had one.
    pub fn release_port(&mut self, id: PortId) -> Option<Port> {
        self.unseat(MediaEnd::Port(id));
        self.ports.remove(&id)
    }

    /// A port, to be told something.
    pub fn port(&mut self, id: PortId) -> Option<&mut Port> {
        self.ports.get_mut(&id)
    }

    /// Closes a port; its goodbye is queued for sending.
    pub fn close_port(&mut self, now: Instant, id: PortId) {
        if let Some(mut port) = self.release_port(id)
            && let Some((to, bytes)) = port.close(now)
        {
            self.out.push_back(Transmit { way: SocketId::Port(id, Channel::Rtcp), to, bytes, packet: None });
        }
    }

    /// Takes a peer.
    pub fn adopt_peer(&mut self, id: PeerId, peer: WebRtcPeer, heard: mpsc::Sender<BridgeEvent>) {
        self.by_ufrag.insert(peer.ufrag().to_owned(), id);
        self.peers.insert(id, SeatedPeer { peer, heard, addresses: Vec::new() });
    }

    /// Closes a peer; what it has to say is queued for sending. Its seat stays, silent, until the meeting takes it away or gives
    /// it to the same participant's next connection (M-5).
    pub fn close_peer(&mut self, id: PeerId) {
        let Some(mut seated) = self.peers.remove(&id) else { return };
        self.by_ufrag.remove(seated.peer.ufrag());
        for address in &seated.addresses {
            forget_address(&mut self.by_address, *address, id);
        }
        seated.peer.close();
        drain_peer(&mut seated.peer, &mut self.out);
    }

    /// Opens a bridge that reports to `heard`.
    pub fn open_bridge(&mut self, id: BridgeId, heard: mpsc::Sender<BridgeEvent>) {
        let slot = u8::try_from(id.number() % u64::from(SLOTS)).unwrap_or(0);
        self.bridges.insert(id, Meeting { bridge: Bridge::new(slot), heard });
    }

    /// Closes a bridge; whoever sat there sits nowhere.
    pub fn close_bridge(&mut self, id: BridgeId) {
        if let Some(meeting) = self.bridges.remove(&id) {
            for end in meeting.bridge.ends() {
                self.seated.remove(&end);
            }
        }
    }

    /// Seats an end (M-8: only with an admission). False if bridge or end are not here; the admission is then spent.
    pub fn seat(&mut self, end: MediaEnd, bridge: BridgeId, admission: Admission, gate: Gate) -> bool {
        let here = match end {
            MediaEnd::Port(port) => self.ports.contains_key(&port),
            MediaEnd::Peer(peer) => self.peers.contains_key(&peer),
        };
        self.unseat(end);
        match self.bridges.get_mut(&bridge) {
            Some(meeting) if here => {
                meeting.bridge.seat(end, admission, gate);
                self.seated.insert(end, bridge);
                true
            }
            _ => false,
        }
    }

    /// Takes an end off its bridge.
    pub fn unseat(&mut self, end: MediaEnd) {
        if let Some(bridge) = self.seated.remove(&end)
            && let Some(meeting) = self.bridges.get_mut(&bridge)
        {
            meeting.bridge.unseat(end);
        }
    }

    /// Gives the seat of `old`, with its admission, to `new`.
    pub fn replace(&mut self, old: MediaEnd, new: MediaEnd) {
        if let Some(bridge) = self.seated.remove(&old)
            && let Some(meeting) = self.bridges.get_mut(&bridge)
        {
            meeting.bridge.replace(old, new);
            self.seated.insert(new, bridge);
        }
    }

    /// Sets what an end may do where it sits.
    pub fn gate(&mut self, end: MediaEnd, gate: Gate) {
        if let Some(bridge) = self.seated.get(&end)
            && let Some(meeting) = self.bridges.get_mut(bridge)
        {
            meeting.bridge.gate(end, gate);
        }
    }

    /// Starts, pauses (`None`, true), resumes (`None`, false) the recording of a bridge.
    pub fn record(&mut self, bridge: BridgeId, recorder: Option<Recorder>, paused: bool) {
        let Some(meeting) = self.bridges.get_mut(&bridge) else { return };
        match recorder {
            Some(recorder) => {
                if meeting.bridge.record(recorder).is_err()
                    && meeting.heard.try_send(BridgeEvent::RecorderFailed { bridge }).is_err()
                {
                    self.unheard += 1;
                }
            }
            None => meeting.bridge.pause_recording(paused),
        }
    }

    /// Ends the recording of a bridge.
    pub fn stop_recording(&mut self, bridge: BridgeId) {
        if let Some(meeting) = self.bridges.get_mut(&bridge) {
            meeting.bridge.stop_recording();
        }
    }

    /// An RTP datagram of a device.
    pub fn receive_rtp(&mut self, now: Instant, port: PortId, from: SocketAddr, datagram: &[u8]) {
        if let Some(port) = self.ports.get_mut(&port) {
            port.receive_rtp(now, from, datagram);
        }
    }

    /// An RTCP datagram of a device.
    pub fn receive_rtcp(&mut self, now: Instant, port: PortId, from: SocketAddr, datagram: &[u8]) {
        if let Some(port) = self.ports.get_mut(&port) {
            port.receive_rtcp(now, from, datagram);
        }
    }

    /// A datagram at a WebRTC socket. Whose it is: by the user name of its STUN check first, by its source after (DESIGN §17).
    pub fn receive_webrtc(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        let named = stun::local_ufrag(datagram).and_then(|ufrag| self.by_ufrag.get(ufrag)).copied();
        let Some(id) = named.or_else(|| self.by_address.get(&from).copied()) else {
            self.strays += 1;
            return;
        };
        let Some(seated) = self.peers.get_mut(&id) else { return };
        if named.is_some() && !seated.peer.is_checked_by(datagram) {
            self.strays += 1;
            return;
        }
        if named.is_some() && self.by_address.insert(from, id) != Some(id) {
            seated.addresses.push(from);
            if seated.addresses.len() > ADDRESSES {
                let oldest = seated.addresses.remove(0);
                forget_address(&mut self.by_address, oldest, id);
            }
        }
        seated.peer.receive(now, local, from, datagram);
        self.after_peer(now, id);
    }

    fn after_peer(&mut self, now: Instant, id: PeerId) {
        let Some(seated) = self.peers.get_mut(&id) else { return };
        drain_peer(&mut seated.peer, &mut self.out);
        let mut gone = false;
        while let Some(change) = seated.peer.poll_change(now) {
            gone = change == PeerChange::Gone;
            if seated.heard.try_send(BridgeEvent::Peer { peer: id, change }).is_err() {
                self.unheard += 1;
            }
            if gone {
                break;
            }
        }
        if gone {
            self.close_peer(id);
        }
    }

    /// One of the eight slots of a frame: the bridges of this slot tick, and the ports that sit nowhere.
    pub fn tick(&mut self, now: Instant, slot: u8) {
        let mut ticked = Vec::new();
        for (id, meeting) in self.bridges.iter_mut().filter(|(_, meeting)| meeting.bridge.slot() == slot) {
            let (ports, peers) = (std::cell::RefCell::new(&mut self.ports), std::cell::RefCell::new(&mut self.peers));
            let outcome = meeting.bridge.tick(
                now,
                |end, frame| match end {
                    MediaEnd::Port(id) => match ports.borrow_mut().get_mut(&id) {
                        Some(port) => port.pull(now, frame),
                        None => *frame = Frame::silence(Hz::FULL),
                    },
                    MediaEnd::Peer(id) => match peers.borrow_mut().get_mut(&id) {
                        Some(seated) => seated.peer.pull(now, frame),
                        None => *frame = Frame::silence(Hz::FULL),
                    },
                },
                |end, sound| match end {
                    MediaEnd::Port(id) => {
                        if let Some(port) = ports.borrow_mut().get_mut(&id) {
                            port.send(now, sound);
                        }
                    }
                    MediaEnd::Peer(id) => {
                        if let Some(seated) = peers.borrow_mut().get_mut(&id) {
                            seated.peer.send(now, sound);
                        }
                    }
                },
            );
            ticked.push((*id, outcome));
        }
        for (bridge, outcome) in ticked {
            self.tell_meeting(bridge, outcome);
        }
        let mut frame = Frame::silence(Hz::FULL);
        for (id, port) in &mut self.ports {
            if id.number() % u64::from(SLOTS) == u64::from(slot) && !self.seated.contains_key(&MediaEnd::Port(*id)) {
                // What a waiting device says is heard by nobody, but its keys and its jitter buffer go on (M-8).
                port.pull(now, &mut frame);
                port.send(now, TickSound::Nothing);
            }
        }
        self.wake_peers(now, slot);
    }

    fn tell_meeting(&mut self, bridge: BridgeId, outcome: super::bridge::Ticked) {
        let Some(meeting) = self.bridges.get(&bridge) else { return };
        let speaking = outcome.speaking.map(|who| BridgeEvent::Speaking { bridge, who });
        let failed = outcome.recorder_failed.then_some(BridgeEvent::RecorderFailed { bridge });
        for heard in speaking.into_iter().chain(failed) {
            if meeting.heard.try_send(heard).is_err() {
                self.unheard += 1;
            }
        }
    }

    fn wake_peers(&mut self, now: Instant, slot: u8) {
        let due: Vec<_> = self.peers.keys().copied().filter(|id| id.number() % u64::from(SLOTS) == u64::from(slot)).collect();
        for id in due {
            if let Some(seated) = self.peers.get_mut(&id)
                && seated.peer.deadline().is_some_and(|deadline| deadline <= now)
            {
                seated.peer.wake(now);
            }
            self.after_peer(now, id);
        }
    }

    /// Moves packets that have come due to the way out. Called every 2.5 ms: that is how exactly ptimes are kept.
    pub fn pace(&mut self, now: Instant) {
        for (id, port) in &mut self.ports {
            while let Some(DueDatagram { channel, to, bytes, packet }) = port.poll_transmit(now) {
                self.out.push_back(Transmit { way: SocketId::Port(*id, channel), to, bytes, packet });
            }
        }
        for seated in self.peers.values_mut() {
            drain_peer(&mut seated.peer, &mut self.out);
        }
    }

    /// What became of a datagram to send: whether the socket has taken it.
    pub fn sent(&mut self, now: Instant, transmit: &Transmit, left: bool) {
        if let (SocketId::Port(id, _), Some(packet)) = (transmit.way, transmit.packet)
            && let Some(port) = self.ports.get_mut(&id)
        {
            port.sent(now, packet, left);
        }
    }

    /// The next datagram to send. What became of it must be told by [`Plane::sent`].
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    /// Nothing is left: no port, no peer, no bridge.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.peers.is_empty() && self.bridges.is_empty() && self.seated.is_empty()
    }

    /// Events that found a full queue since the last call.
    pub fn take_unheard(&mut self) -> u64 {
        std::mem::take(&mut self.unheard)
    }
}

/// Forgets an address of `id`, unless another peer has taken it over since.
fn forget_address(by_address: &mut HashMap<SocketAddr, PeerId>, address: SocketAddr, id: PeerId) {
    if by_address.get(&address) == Some(&id) {
        by_address.remove(&address);
    }
}

fn drain_peer(peer: &mut WebRtcPeer, out: &mut VecDeque<Transmit>) {
    while let Some((local, to, bytes)) = peer.poll_transmit() {
        out.push_back(Transmit { way: SocketId::WebRtc(local), to, bytes: bytes.to_vec(), packet: None });
    }
}

#[cfg(test)]
mod tests;
