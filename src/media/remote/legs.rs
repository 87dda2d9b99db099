//! [`RemoteLegs`]: the connections of one worker to SFUs, and whose audio each of them carries.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use crate::common::ids::{PeerId, TrackId};
use crate::dsp::frame::Frame;

use super::super::leg::DueDatagram;
use super::super::peer::{NegotiationError, OfferRequest, RemotePeer, RemotePeerEvent, RemotePeerStats};

/// A connection to an SFU, with the queue of whoever signals it.
pub(crate) struct RemoteLeg {
    peer: RemotePeer,
    events: mpsc::Sender<RemotePeerEvent>,
    /// It may have something to send: to ask each time would cost more than most connections do.
    stirred: bool,
}

/// A command to a connection to an SFU. A reply is dropped when the connection is closed.
pub(crate) enum RemotePeerCommand {
    /// Reply with the next offer.
    Offer(OfferRequest, oneshot::Sender<Option<String>>),
    /// Take the answer, with what its lines carry.
    Answer { sdp: String, lines: Vec<(String, TrackId)>, reply: oneshot::Sender<Result<(), NegotiationError>> },
    /// Take a candidate of the SFU.
    Candidate(String),
    /// Send a message by a data channel, and reply whether it was taken.
    SendData { reliable: bool, bytes: Vec<u8>, reply: oneshot::Sender<bool> },
    /// Reply with its figures.
    Stats(oneshot::Sender<RemotePeerStats>),
}

/// See the file's paragraph. Iteration follows ids, so that the same input gives the same output.
#[derive(Default)]
pub(in crate::media) struct RemoteLegs {
    legs: BTreeMap<PeerId, RemoteLeg>,
    /// Which connection carries a track.
    tracks: HashMap<TrackId, PeerId>,
}

impl RemoteLeg {
    pub(in crate::media) const fn new(peer: RemotePeer, events: mpsc::Sender<RemotePeerEvent>) -> Self {
        Self { peer, events, stirred: false }
    }

    pub(in crate::media) fn set_complexity(&mut self, complexity: u8) {
        self.peer.set_complexity(complexity);
    }

    /// Tells what has happened; how many events found the queue full.
    fn report(&mut self, now: Instant) -> u64 {
        let mut lost = 0;
        while let Some(event) = self.peer.poll_event(now) {
            lost += u64::from(self.events.try_send(event).is_err());
        }
        lost
    }

    fn drain(&mut self, mut out: impl FnMut(DueDatagram<SocketAddr>)) {
        self.stirred = false;
        while let Some(due) = self.peer.poll_transmit() {
            out(due);
        }
    }
}

impl RemoteLegs {
    pub(in crate::media) fn adopt(&mut self, id: PeerId, leg: RemoteLeg) {
        self.legs.insert(id, leg);
    }

    pub(in crate::media) fn close(&mut self, id: PeerId, out: impl FnMut(DueDatagram<SocketAddr>)) {
        let Some(mut leg) = self.legs.remove(&id) else { return };
        self.tracks.retain(|_, carrier| *carrier != id);
        leg.peer.close();
        leg.drain(out);
    }

    /// Connections whose owner is gone without a word.
    pub(in crate::media) fn abandoned(&self) -> Vec<PeerId> {
        self.legs.iter().filter(|(_, leg)| leg.events.is_closed()).map(|(id, _)| *id).collect()
    }

    pub(in crate::media) fn set_complexity(&mut self, complexity: u8) {
        self.legs.values_mut().for_each(|leg| leg.set_complexity(complexity));
    }

    pub(in crate::media) fn obey(&mut self, now: Instant, id: PeerId, command: RemotePeerCommand) {
        let Some(RemoteLeg { peer, .. }) = self.legs.get_mut(&id) else { return };
        // Whoever asked may have gone away.
        match command {
            RemotePeerCommand::Offer(request, reply) => drop(reply.send(peer.offer(now, request))),
            RemotePeerCommand::Answer { sdp, lines, reply } => {
                let taken = peer.answer(now, sdp, lines);
                self.tracks.retain(|_, carrier| *carrier != id);
                self.tracks.extend(peer.tracks().map(|track| (track, id)));
                drop(reply.send(taken));
            }
            RemotePeerCommand::Candidate(candidate) => peer.candidate(candidate),
            RemotePeerCommand::SendData { reliable, bytes, reply } => {
                let _ = reply.send(peer.send_data(now, reliable, &bytes));
            }
            RemotePeerCommand::Stats(reply) => drop(reply.send(peer.stats())),
        }
    }

    /// A datagram has arrived on a path (ours, theirs); how many events found their queue full.
    pub(in crate::media) fn receive(&mut self, now: Instant, id: PeerId, path: (SocketAddr, SocketAddr), datagram: &[u8]) -> u64 {
        let Some(leg) = self.legs.get_mut(&id) else { return 0 };
        leg.peer.receive(now, path.0, path.1, datagram);
        leg.report(now)
    }

    /// Lets the timers of some take effect; how many events found their queue full.
    pub(in crate::media) fn wake(&mut self, now: Instant, is_due: impl Fn(PeerId) -> bool) -> u64 {
        let due = self.legs.iter_mut().filter(|(id, _)| is_due(**id));
        due.map(|(_, leg)| {
            leg.peer.wake(now);
            leg.stirred = true;
            leg.report(now)
        })
        .sum()
    }

    pub(in crate::media) fn drain(&mut self, id: PeerId, out: impl FnMut(DueDatagram<SocketAddr>)) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.drain(out);
        }
    }

    pub(in crate::media) fn drain_all(&mut self, mut out: impl FnMut(PeerId, DueDatagram<SocketAddr>)) {
        let stirred = self.legs.iter_mut().filter(|(_, leg)| leg.stirred);
        stirred.for_each(|(id, leg)| leg.drain(|due| out(*id, due)));
    }

    /// Puts a track's next 20 ms into `frame`; `None`, and it is unchanged, where nothing carries the track.
    pub(in crate::media) fn pull(&mut self, now: Instant, track: TrackId, frame: &mut Frame) -> Option<()> {
        let leg = self.legs.get_mut(self.tracks.get(&track)?)?;
        leg.peer.pull(now, track, frame).then_some(())
    }

    pub(in crate::media) fn publish(&mut self, now: Instant, publisher: PeerId, sound: Option<(&Frame, f32)>) {
        if let Some(leg) = self.legs.get_mut(&publisher) {
            leg.peer.publish(now, sound);
            leg.stirred = true;
        }
    }

    #[cfg(test)]
    pub(in crate::media) fn is_empty(&self) -> bool {
        self.legs.is_empty() && self.tracks.is_empty()
    }
}
