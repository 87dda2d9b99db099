//! A phone: SIP and RTP of its own, a tone of its own, and a recording of what it hears. An action is a sentence, and so is an expectation.

mod actions;
mod callee;
mod device;
pub(super) mod encrypted;
mod expectations;
pub(super) mod handshake;
mod line;
mod media;

pub(super) use device::Phone;
pub(super) use line::{Line, MUSIC};
