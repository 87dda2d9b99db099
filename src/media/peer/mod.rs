//! A WebRTC end: one browser's audio connection. The only file that names the WebRTC stack, `webrtc` (DESIGN §17).
//!
//! Offers come in from the signalling and answers go out ([`PeerFactory::negotiate`], on the control side); datagrams
//! come in from the worker's sockets and go out by [`WebRtcPeer::poll_transmit`]. The worker owns the peer from its first datagram on.

#[cfg(any(test, feature = "bench"))]
pub(super) mod browser;
mod connection;
pub(crate) mod handshake;

pub use connection::{NegotiationError, PeerChange, PeerFactory, WebRtcPeer};
