//! Receiving one audio stream: packets in, whenever the network brings them; 20 ms frames out, whenever they are asked for.
//!
//! [`AudioReceiver`] orders what comes (`sequence`), counts it and has it played (`playout`) on the sender's timescale (`timescale`). One
//! owner: the port or peer whose stream it is. Rules.

mod playout;
mod receiver;
mod sequence;
mod timescale;

pub use receiver::{AudioReceiver, ReceiverStats};

#[cfg(test)]
mod tests;
