//! The SIP task: owns every socket, runs the [`Endpoint`], and is the only place of this folder with a clock.
//!
//! Requests come down by [`Handle::send`], which waits for space; events go up without waiting: when the owners of calls do not read,
//! the call concerned is ended with [`Cause::Stalled`].

mod capture;
mod connections;
mod handle;
mod resolver;
mod stream;
mod task;
mod udp;

pub use handle::{Handle, Pulse};
pub use task::{ListenTls, Listener, Running, StartError, start};
