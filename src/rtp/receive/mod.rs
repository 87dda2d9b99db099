//! Receiving one audio stream: packets in, whenever the network brings them; 20 ms frames out, whenever they are asked for.
//!
//! [`AudioReceiver`] orders what comes (`sequence`), finds when it was spoken (`media_clock`), counts it and has it played (`playout`, on the
//! clocks of `tick_conversion`). One owner: the port or peer whose stream it is. Rules.

mod media_clock;
mod playout;
mod receiver;
mod sequence;
mod tick_conversion;

pub use receiver::{AudioReceiver, CountedPacket, ReceiverStats};

#[cfg(test)]
mod tests;
