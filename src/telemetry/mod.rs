//! What the daemon tells those who run it.
pub mod log;
