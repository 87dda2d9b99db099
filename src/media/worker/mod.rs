//! A media worker: one OS thread that owns a plane and its sockets, and the only clock of the media.
//!
//! Commands come in by a bounded queue, datagrams by the sockets, and an absolute clock of 2.5 ms drives the plane (DESIGN §7). One task
//! owns all of it and waits for whichever comes first.

mod clock;
mod command;
mod counters;
mod load;
#[cfg(test)]
pub(super) mod occupancy;
mod reader;
mod sockets;
mod start;
mod task;

pub(super) use command::{PortCommand, WorkerCommand};
pub use counters::MediaCounters;
pub use load::FULL_LOAD_PERCENT;
pub(super) use sockets::BrowserSocket;
#[cfg(test)]
pub(super) use start::start_inline;
pub(super) use start::{WorkerHandle, start};
