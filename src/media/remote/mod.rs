//! Connections to SFUs on a worker ([`RemoteLegs`]), and how whoever signals them reaches them ([`RemotePeerHandle`]).
//!
//! Commands go down by the worker's inbox; events go up by a queue of each connection, which is never waited for. The connection itself is
//! `peer::remote`, which has neither socket nor clock.

mod handle;
mod legs;

pub use handle::RemotePeerHandle;
pub(super) use handle::{bind, leg};
pub(super) use legs::RemoteLegs;
pub(crate) use legs::{RemoteLeg, RemotePeerCommand};
