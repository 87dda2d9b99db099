//! All legs and bridges of one worker: pure, no socket and no clock.
//!
//! Datagrams come in by [`Plane::receive`], time by [`Plane::tick`] (eight slots a frame: a bridge ticks whole in its own, so meetings are
//! spread over the frame) and [`Plane::pace`]; datagrams go out by [`Plane::poll_transmit`]. Iteration follows ids, so that the same input
//! gives the same output.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::common::ids::{BridgeId, PeerId, PortId};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;
use crate::policy::Admission;

use super::bridge::{Bridge, BridgeTick};
use super::egress::PacketInfo;
use super::events::BridgeEvent;
use super::leg::{DueDatagram, MediaEnd, MediaLeg};
use super::legs::{Legs, PeerLeg};
use super::peer::{PeerChange, WebRtcPeer};
use super::peer_routes::{PeerRoute, PeerRoutes};
use super::port::Port;
use super::profile::Channel;
use super::record::Recorder;
use super::remote::{RemoteLeg, RemotePeerCommand};
use super::seat::Gate;
use super::shared_mix::TickSound;

/// Slots of a 20 ms frame: 2.5 ms each (DESIGN §7).
pub(super) const SLOTS: u8 = 8;

/// A socket of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketId {
    /// A device's own socket.
    Port(PortId, Channel),
    /// The WebRTC socket that is advertised at this address.
    WebRtc(SocketAddr),
    /// A socket of a connection to an SFU, which is its candidate at this address.
    Remote(PeerId, SocketAddr),
}

/// A datagram to send.
#[derive(Debug)]
pub(super) struct Transmit {
    /// The socket by which it leaves.
    pub(super) socket: SocketId,
    /// Destination.
    pub(super) to: SocketAddr,
    /// Payload of the UDP datagram.
    pub(super) bytes: Vec<u8>,
    /// The RTP packet of a device's port in it, if it holds one.
    pub(super) packet: Option<PacketInfo>,
}

struct Meeting {
    bridge: Bridge,
    events: mpsc::Sender<BridgeEvent>,
}

/// Everything that ticks on one worker.
#[derive(Default)]
pub(super) struct Plane {
    legs: Legs,
    bridges: BTreeMap<BridgeId, Meeting>,
    seats: HashMap<MediaEnd, BridgeId>,
    routes: PeerRoutes,
    out: VecDeque<Transmit>,
    lost_events: u64,
    /// Effort of the encoders, 0 to 10; `None`: their own.
    complexity: Option<u8>,
}

impl Plane {
    /// Effort of all encoders from now on, 0 to 10: what the load of the worker allows.
    pub(super) fn set_complexity(&mut self, complexity: u8) {
        self.complexity = Some(complexity);
        self.legs.set_complexity(complexity);
        self.bridges.values_mut().for_each(|meeting| meeting.bridge.set_complexity(complexity));
    }

    // === Legs ===

    /// Takes a port: a new one, or one moved from another worker.
    pub(super) fn adopt_port(&mut self, mut port: Port) {
        if let Some(complexity) = self.complexity {
            port.set_complexity(complexity);
        }
        self.legs.ports.insert(port.id(), port);
    }

    /// Gives a port away, off its bridge if it had one.
    pub(super) fn release_port(&mut self, id: PortId) -> Option<Port> {
        self.unseat(MediaEnd::Port(id));
        self.legs.ports.remove(&id)
    }

    /// A port, for a command.
    pub(super) fn port(&mut self, id: PortId) -> Option<&mut Port> {
        self.legs.ports.get_mut(&id)
    }

    /// Closes a port; its RTCP BYE is queued for sending.
    pub(super) fn close_port(&mut self, now: Instant, id: PortId) {
        if let Some(mut port) = self.release_port(id)
            && let Some(DueDatagram { socket, to, bytes, packet }) = port.close(now)
        {
            self.out.push_back(Transmit { socket: SocketId::Port(id, socket), to, bytes, packet });
        }
    }

    /// Takes a peer.
    pub(super) fn adopt_peer(&mut self, id: PeerId, mut peer: WebRtcPeer, events: mpsc::Sender<BridgeEvent>) {
        if let Some(complexity) = self.complexity {
            peer.set_complexity(complexity);
        }
        self.routes.add(id, peer.ufrag());
        self.legs.peers.insert(id, PeerLeg { peer, events });
    }

    /// Closes a peer; its DTLS close_notify is queued for sending. Its seat stays, silent, until the meeting takes it away or gives
    /// it to the same participant's next connection (M-5).
    pub(super) fn close_peer(&mut self, now: Instant, id: PeerId) {
        let Some(PeerLeg { mut peer, .. }) = self.legs.peers.remove(&id) else { return };
        self.routes.remove(id, peer.ufrag());
        peer.close();
        drain(now, &mut peer, SocketId::WebRtc, &mut self.out);
    }

    /// Takes a connection to an SFU.
    pub(super) fn adopt_remote(&mut self, id: PeerId, mut leg: RemoteLeg) {
        if let Some(complexity) = self.complexity {
            leg.set_complexity(complexity);
        }
        self.legs.remotes.adopt(id, leg);
    }

    /// Does something with a connection to an SFU.
    pub(super) fn command_remote(&mut self, now: Instant, id: PeerId, command: RemotePeerCommand) {
        self.legs.remotes.obey(now, id, command);
        self.legs.remotes.drain(id, |due| self.out.push_back(of_remote(id, due)));
    }

    /// Connections to SFUs whose owner is gone without a word.
    pub(super) fn abandoned_remotes(&self) -> Vec<PeerId> {
        self.legs.remotes.abandoned()
    }

    /// Closes a connection to an SFU; its DTLS close_notify is queued for sending.
    pub(super) fn close_remote(&mut self, id: PeerId) {
        self.legs.remotes.close(id, |due| self.out.push_back(of_remote(id, due)));
    }

    // === Bridges ===

    /// Opens a bridge that mixes at most so many `speakers` at a time and reports to `events`.
    pub(super) fn open_bridge(&mut self, id: BridgeId, speakers: usize, events: mpsc::Sender<BridgeEvent>) {
        let slot = u8::try_from(id.number() % u64::from(SLOTS)).unwrap_or(0);
        let mut bridge = Bridge::new(slot, speakers);
        if let Some(complexity) = self.complexity {
            bridge.set_complexity(complexity);
        }
        self.bridges.insert(id, Meeting { bridge, events });
    }

    /// Closes a bridge; its legs have no seat any more.
    pub(super) fn close_bridge(&mut self, id: BridgeId) {
        if let Some(meeting) = self.bridges.remove(&id) {
            for end in meeting.bridge.ends() {
                self.seats.remove(&end);
            }
        }
    }

    /// Seats a leg (M-8: only with an admission). False if this worker has no such bridge or leg; the admission is then spent.
    pub(super) fn seat(&mut self, end: MediaEnd, bridge: BridgeId, admission: Admission, gate: Gate) -> bool {
        self.unseat(end);
        match self.bridges.get_mut(&bridge) {
            Some(meeting) if self.legs.contains(end) => {
                meeting.bridge.seat(end, admission, gate);
                self.seats.insert(end, bridge);
                true
            }
            _ => false,
        }
    }

    /// Takes a leg off its bridge.
    pub(super) fn unseat(&mut self, end: MediaEnd) {
        if let Some(bridge) = self.seats.remove(&end)
            && let Some(meeting) = self.bridges.get_mut(&bridge)
        {
            meeting.bridge.unseat(end);
        }
    }

    /// Gives the seat of `old`, with its admission, to `new`.
    pub(super) fn replace(&mut self, old: MediaEnd, new: MediaEnd) {
        if let Some(bridge) = self.seats.remove(&old)
            && let Some(meeting) = self.bridges.get_mut(&bridge)
        {
            meeting.bridge.replace(old, new);
            self.seats.insert(new, bridge);
        }
    }

    /// Sets what a leg may receive and send on its bridge.
    pub(super) fn gate(&mut self, end: MediaEnd, gate: Gate) {
        if let Some(bridge) = self.seats.get(&end)
            && let Some(meeting) = self.bridges.get_mut(bridge)
        {
            meeting.bridge.gate(end, gate);
        }
    }

    /// Publishes what a seated leg says by a connection to an SFU as well, or no longer.
    pub(super) fn publish(&mut self, end: MediaEnd, publisher: Option<PeerId>) {
        if let Some(bridge) = self.seats.get(&end)
            && let Some(meeting) = self.bridges.get_mut(bridge)
        {
            meeting.bridge.publish(end, publisher);
        }
    }

    /// Starts the recording of a bridge.
    pub(super) fn record(&mut self, bridge: BridgeId, recorder: Recorder) {
        if let Some(meeting) = self.bridges.get_mut(&bridge)
            && meeting.bridge.record(recorder).is_err()
        {
            emit(&meeting.events, BridgeEvent::RecorderFailed { bridge }, &mut self.lost_events);
        }
    }

    /// Pauses or resumes the recording of a bridge.
    pub(super) fn pause_recording(&mut self, bridge: BridgeId, paused: bool) {
        if let Some(meeting) = self.bridges.get_mut(&bridge) {
            meeting.bridge.pause_recording(paused);
        }
    }

    /// Ends the recording of a bridge.
    pub(super) fn stop_recording(&mut self, bridge: BridgeId) {
        if let Some(meeting) = self.bridges.get_mut(&bridge) {
            meeting.bridge.stop_recording();
        }
    }

    // === Datagrams ===

    /// A datagram from `from` has arrived at a socket. One that belongs to no leg is dropped.
    pub(super) fn receive(&mut self, now: Instant, socket: SocketId, from: SocketAddr, datagram: &[u8]) {
        match socket {
            SocketId::Port(id, channel) => {
                if let Some(port) = self.legs.ports.get_mut(&id) {
                    port.receive(now, channel, from, datagram);
                }
            }
            SocketId::WebRtc(local) => self.receive_webrtc(now, local, from, datagram),
            SocketId::Remote(id, local) => {
                self.lost_events += self.legs.remotes.receive(now, id, (local, from), datagram);
                self.legs.remotes.drain(id, |due| self.out.push_back(of_remote(id, due)));
            }
        }
    }

    fn receive_webrtc(&mut self, now: Instant, local: SocketAddr, from: SocketAddr, datagram: &[u8]) {
        let Some(route) = self.routes.find(from, datagram) else { return };
        let (PeerRoute::Check(id) | PeerRoute::Known(id)) = route;
        let Some(PeerLeg { peer, .. }) = self.legs.peers.get_mut(&id) else { return };
        if route == PeerRoute::Check(id) {
            if !peer.is_checked_by(datagram) {
                return;
            }
            self.routes.learn(id, from);
        }
        peer.receive(now, local, from, datagram);
        self.after_peer(now, id);
    }

    /// Sends what a peer has to send, and reports the changes of its connection.
    fn after_peer(&mut self, now: Instant, id: PeerId) {
        let Some(PeerLeg { peer, events }) = self.legs.peers.get_mut(&id) else { return };
        drain(now, peer, SocketId::WebRtc, &mut self.out);
        while let Some(change) = peer.poll_change(now) {
            emit(events, BridgeEvent::Peer { peer: id, change }, &mut self.lost_events);
            if change == PeerChange::Gone {
                self.close_peer(now, id);
                return;
            }
        }
    }

    /// Reports whether the socket has taken a datagram.
    pub(super) fn sent(&mut self, now: Instant, transmit: &Transmit, taken: bool) {
        if let (SocketId::Port(id, _), Some(packet)) = (transmit.socket, transmit.packet)
            && let Some(port) = self.legs.ports.get_mut(&id)
        {
            port.sent(now, packet, taken);
        }
    }

    /// The next datagram to send. What became of it must be told by [`Plane::sent`].
    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    // === Time ===

    /// One of the eight slots of a frame: the bridges of this slot tick, and the legs of this slot are woken.
    pub(super) fn tick(&mut self, now: Instant, slot: u8) {
        for (id, meeting) in self.bridges.iter_mut().filter(|(_, meeting)| meeting.bridge.slot() == slot) {
            let tick = meeting.bridge.tick(now, &mut self.legs);
            meeting.report(*id, tick, &mut self.lost_events);
        }
        self.wake_ports(now, slot);
        self.wake_peers(now, slot);
        self.lost_events += self.legs.remotes.wake(now, |id| is_in_slot(id.number(), slot));
    }

    /// A port without a seat is mixed with nobody, but its keys, its jitter buffer and its player go on (M-8).
    fn wake_ports(&mut self, now: Instant, slot: u8) {
        let mut dropped = Frame::silence(Hz::FULL);
        for (id, port) in self.legs.ports.iter_mut().filter(|(id, _)| is_in_slot(id.number(), slot)) {
            port.wake(now);
            self.lost_events += port.take_lost_events();
            if !self.seats.contains_key(&MediaEnd::Port(*id)) {
                port.pull(now, &mut dropped);
                port.send(now, TickSound::Nothing);
            }
        }
    }

    fn wake_peers(&mut self, now: Instant, slot: u8) {
        let in_slot: Vec<_> = self.legs.peers.keys().copied().filter(|id| is_in_slot(id.number(), slot)).collect();
        for id in in_slot {
            if let Some(PeerLeg { peer, .. }) = self.legs.peers.get_mut(&id) {
                peer.wake(now);
            }
            self.after_peer(now, id);
        }
    }

    /// Queues the packets that have come due. Called every 2.5 ms, which is how exactly ptimes are kept.
    pub(super) fn pace(&mut self, now: Instant) {
        for (id, port) in &mut self.legs.ports {
            drain(now, port, |channel| SocketId::Port(*id, channel), &mut self.out);
        }
        for leg in self.legs.peers.values_mut() {
            drain(now, &mut leg.peer, SocketId::WebRtc, &mut self.out);
        }
        self.legs.remotes.drain_all(|id, due| self.out.push_back(of_remote(id, due)));
    }

    // === Figures ===

    /// Nothing is left: no port, no peer, no bridge.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.legs.ports.is_empty()
            && self.legs.peers.is_empty()
            && self.legs.remotes.is_empty()
            && self.bridges.is_empty()
            && self.seats.is_empty()
    }

    /// Events that found a full queue since the last call.
    pub(super) fn take_lost_events(&mut self) -> u64 {
        std::mem::take(&mut self.lost_events)
    }
}

impl Meeting {
    fn report(&self, bridge: BridgeId, tick: BridgeTick, lost: &mut u64) {
        if let Some(who) = tick.speaking {
            emit(&self.events, BridgeEvent::Speaking { bridge, who }, lost);
        }
        if tick.recorder_failed {
            emit(&self.events, BridgeEvent::RecorderFailed { bridge }, lost);
        }
    }
}

fn is_in_slot(number: u64, slot: u8) -> bool {
    number % u64::from(SLOTS) == u64::from(slot)
}

/// Events never wait for room: one that finds a full queue is counted.
fn emit(events: &mpsc::Sender<BridgeEvent>, event: BridgeEvent, lost: &mut u64) {
    if events.try_send(event).is_err() {
        *lost += 1;
    }
}

/// Queues what a leg has to send by `now`.
fn drain<L: MediaLeg>(now: Instant, leg: &mut L, socket_id: impl Fn(L::Socket) -> SocketId, out: &mut VecDeque<Transmit>) {
    while let Some(DueDatagram { socket, to, bytes, packet }) = leg.poll_transmit(now) {
        out.push_back(Transmit { socket: socket_id(socket), to, bytes, packet });
    }
}

fn of_remote(id: PeerId, due: DueDatagram<SocketAddr>) -> Transmit {
    let DueDatagram { socket, to, bytes, packet } = due;
    Transmit { socket: SocketId::Remote(id, socket), to, bytes, packet }
}

#[cfg(test)]
mod tests;
