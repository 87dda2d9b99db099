//! The meeting service inside the daemon.
pub mod signalling;
