//! What the daemon tells those who run it.
pub mod events;
mod journal;
pub mod log;
pub mod metrics;
