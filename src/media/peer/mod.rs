//! WebRTC peers: the audio connections of browsers, and ours to an SFU. The only folder that names `webrtc` (DESIGN §17).
//!
//! Offers come in from the signalling and answers go out ([`PeerFactory::negotiate`], on the control plane); datagrams come in from the
//! worker's sockets and go out as those of every leg. The worker owns the peer from its first datagram on.

#[cfg(any(test, feature = "bench"))]
pub(super) mod browser;
mod connection;
pub(crate) mod handshake;
mod negotiation;
mod packets;
mod remote;

pub use connection::PeerChange;
pub(crate) use connection::WebRtcPeer;
pub use negotiation::NegotiationError;
pub(crate) use negotiation::PeerFactory;
pub(crate) use remote::RemotePeer;
#[cfg(test)]
pub(super) use remote::sfu as remote_sfu;
pub use remote::{OfferRequest, RemotePeerEvent, RemotePeerSettings, RemotePeerStats};
