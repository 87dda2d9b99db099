//! Receiving one audio stream: packets in, whenever the network brings them; 20 ms frames out, whenever they are asked for.
//!
//! [`AudioReceiver`] orders what comes (`sequence`), finds when it was spoken (`media_clock`), counts it and has it played (`playout`: jitter buffer,
//! decoder, concealment). How long the playout delay must be is found in `delay_target`; it is changed, and clock drift absorbed, in
//! `time_scaling`. `loss_rate` says whether packets are being lost; `tick_conversion` converts between RTP ticks, samples and time. One owner: the
//! port or peer whose stream it is. Rules.

mod delay_target;
mod loss_rate;
mod media_clock;
mod playout;
mod receiver;
mod sequence;
mod tick_conversion;
mod time_scaling;

pub use receiver::{AudioReceiver, CountedPacket, ReceiverStats};

#[cfg(test)]
mod tests;
