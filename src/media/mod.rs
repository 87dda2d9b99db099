//! Media: RTP of devices and WebRTC of browsers in, one mix for each listener out, on worker threads of their own.
//!
//! Calls open [`Port`]s and play prompts on them; meetings open a bridge and seat ports and peers on it, with an admission
//! (M-8). Which directions are open is decided by the policy, and set by gates. Events go up by bounded queues that are never
//! waited for ([`MediaEvent`], [`BridgeEvent`]).
#![allow(clippy::disallowed_methods, reason = "the handle gives the time to what it builds for the workers")]

#[cfg(feature = "bench")]
pub mod bench_rig;
mod bridge;
mod delivery_proofs;
mod egress;
mod events;
mod handle;
mod ingress;
#[cfg(test)]
mod inline_worker;
mod keys;
mod leg;
mod legs;
pub mod ogg;
mod outbound_frame;
mod path;
mod peer;
mod peer_routes;
mod plane;
mod player;
mod pool;
mod port;
mod profile;
pub mod record;
mod remote;
mod seat;
mod shared_mix;
mod silence;
mod speakers;
mod stats;
mod worker;

pub use egress::PacketInfo;
pub use events::{BridgeEvent, MediaEvent, PortEvent, SentPackets};
pub use handle::{
    BridgeHandle, Media, MediaError, MediaSettings, PeerHandle, PortHandle, PortOpenError, ReserveError, Reserved, Steps,
};
#[cfg(test)]
pub(crate) use inline_worker::InlineMedia;
pub use leg::{DueDatagram, MediaEnd, MediaLeg};
#[cfg(test)]
pub(crate) use peer::browser::Browser;
pub(crate) use peer::handshake::answered as dtls_answers;
pub use peer::{NegotiationError, OfferRequest, PeerChange, RemotePeerEvent, RemotePeerSettings, RemotePeerStats};
pub use player::{Play, PlayKind};
pub use pool::{PoolError, PoolUse, PortPool, Share, Sockets};
pub use port::Port;
pub use profile::{Channel, DtmfPolicy, PortError, Profile, TelephoneEventFormat};
pub use remote::RemotePeerHandle;
pub use seat::Gate;
pub use shared_mix::{SharedMix, TickSound};
pub use stats::PortStats;
pub use worker::{FULL_LOAD_PERCENT, MediaCounters};
