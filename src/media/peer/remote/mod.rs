//! Connections that we offer to an SFU ([`RemotePeer`]): one that hears a room, and one for each device that is published there.
//!
//! Offers go out to the signalling and answers come in; datagrams come and go by sockets of the connection's own, because an SFU that
//! serves all by one port tells its clients apart by their address. The worker owns the peer; it is pure, without socket and clock.

mod candidates;
mod connection;
mod lines;
mod negotiation;
mod offer;
mod publication;
#[cfg(test)]
pub(crate) mod sfu;
mod stale_streams;

pub(crate) use connection::RemotePeer;
pub use connection::{RemotePeerEvent, RemotePeerStats};
pub use offer::{OfferRequest, RemotePeerSettings};
