//! Services in which meetings take place: our own pages, and servers elsewhere.

pub mod embedded;
mod kind;
pub mod livekit;

pub use kind::{ServiceKind, open};
