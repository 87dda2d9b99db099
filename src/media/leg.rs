//! A leg: one end of a bridge, whatever protocol carries its audio.
//!
//! The two kinds are a device's [`Port`](super::Port) (RTP) and a browser's peer (WebRTC). The plane drives both through [`MediaLeg`];
//! each kind has a map of its own in [`Legs`](super::legs::Legs), so the calls are static and a frame costs no virtual dispatch.
//! A further kind is an implementation of the trait, a map, and a variant of [`MediaEnd`].

use std::net::SocketAddr;
use std::time::Instant;

use crate::common::ids::{PeerId, PortId, TrackId};
use crate::dsp::frame::Frame;

use super::egress::PacketInfo;
use super::shared_mix::TickSound;

/// Names a leg on its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaEnd {
    /// A device.
    Port(PortId),
    /// A browser.
    Peer(PeerId),
    /// Somebody in a room of another service, who is heard here and is sent nothing: that service sends them what is published there.
    Track(TrackId),
}

/// A datagram that is due. What became of a packet of RTP must be told to its leg: only what has left counts (N-8).
#[derive(Debug)]
pub struct DueDatagram<S> {
    /// The leg's socket by which it leaves.
    pub socket: S,
    /// Destination.
    pub to: SocketAddr,
    /// Payload of the UDP datagram.
    pub bytes: Vec<u8>,
    /// The RTP packet in it, where its delivery is tracked.
    pub packet: Option<PacketInfo>,
}

/// One end of a bridge: pure, without socket and clock.
///
/// The owner calls [`MediaLeg::pull`] and [`MediaLeg::send`] once a frame of 20 ms, [`MediaLeg::wake`] once a frame as well (no timer of
/// a leg is finer, so there is no deadline to keep), and drains [`MediaLeg::poll_transmit`] after each of these and after
/// [`MediaLeg::receive`].
pub trait MediaLeg {
    /// Tells a leg's sockets apart.
    type Socket: Copy;

    /// A datagram from `from` has arrived at `socket`. What does not belong to the leg is dropped and counted.
    fn receive(&mut self, now: Instant, socket: Self::Socket, from: SocketAddr, datagram: &[u8]);

    /// Effort of its encoder from now on, 0 to 10: what the load of the machine allows.
    fn set_complexity(&mut self, complexity: u8);

    /// Puts the far end's next 20 ms (48 kHz) into `frame`, silence where nothing was received.
    fn pull(&mut self, now: Instant, frame: &mut Frame);

    /// Sends the far end 20 ms of the mix.
    fn send(&mut self, now: Instant, mix: TickSound<'_>);

    /// Lets every timer that has expired take effect.
    fn wake(&mut self, now: Instant);

    /// The next datagram due by `now`.
    fn poll_transmit(&mut self, now: Instant) -> Option<DueDatagram<Self::Socket>>;
}
