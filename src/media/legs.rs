//! The legs of one worker, by kind.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::common::ids::{PeerId, PortId};
use crate::common::units::Hz;
use crate::dsp::frame::Frame;

use super::bridge::BridgeLegs;
use super::events::BridgeEvent;
use super::leg::{MediaEnd, MediaLeg as _};
use super::peer::WebRtcPeer;
use super::port::Port;
use super::remote::RemoteLegs;
use super::shared_mix::TickSound;

/// A browser's leg, with the queue of the meeting that follows its connection.
pub(super) struct PeerLeg {
    pub(super) peer: WebRtcPeer,
    pub(super) events: mpsc::Sender<BridgeEvent>,
}

/// All legs of a worker. Iteration follows ids, so that the same input gives the same output.
#[derive(Default)]
pub(super) struct Legs {
    pub(super) ports: BTreeMap<PortId, Port>,
    pub(super) peers: BTreeMap<PeerId, PeerLeg>,
    pub(super) remotes: RemoteLegs,
}

impl Legs {
    pub(super) fn contains(&self, end: MediaEnd) -> bool {
        match end {
            MediaEnd::Port(id) => self.ports.contains_key(&id),
            MediaEnd::Peer(id) => self.peers.contains_key(&id),
            // A track may be seated before the answer that says which line carries it.
            MediaEnd::Track(_) => true,
        }
    }
}

impl Legs {
    /// Effort of all encoders, 0 to 10.
    pub(super) fn set_complexity(&mut self, complexity: u8) {
        self.ports.values_mut().for_each(|port| port.set_complexity(complexity));
        self.peers.values_mut().for_each(|leg| leg.peer.set_complexity(complexity));
        self.remotes.set_complexity(complexity);
    }
}

impl BridgeLegs for Legs {
    /// A seat outlives its leg while a browser reconnects (M-5): silent meanwhile.
    fn pull(&mut self, now: Instant, end: MediaEnd, frame: &mut Frame) {
        let pulled = match end {
            MediaEnd::Port(id) => self.ports.get_mut(&id).map(|port| port.pull(now, frame)),
            MediaEnd::Peer(id) => self.peers.get_mut(&id).map(|leg| leg.peer.pull(now, frame)),
            MediaEnd::Track(id) => self.remotes.pull(now, id, frame),
        };
        if pulled.is_none() {
            *frame = Frame::silence(Hz::FULL);
        }
    }

    fn send(&mut self, now: Instant, end: MediaEnd, mix: TickSound<'_>) {
        match end {
            MediaEnd::Port(id) => {
                if let Some(port) = self.ports.get_mut(&id) {
                    port.send(now, mix);
                }
            }
            MediaEnd::Peer(id) => {
                if let Some(leg) = self.peers.get_mut(&id) {
                    leg.peer.send(now, mix);
                }
            }
            MediaEnd::Track(_) => {}
        }
    }

    fn publish(&mut self, now: Instant, publisher: PeerId, sound: Option<(&Frame, f32)>) {
        self.remotes.publish(now, publisher, sound);
    }
}
