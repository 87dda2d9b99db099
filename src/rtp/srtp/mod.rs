//! SRTP and SRTCP (RFC 3711, 6188, 7714; A-3): datagrams of a device in, RTP and RTCP out, and the way back.
//!
//! [`SrtpSender`] and [`SrtpReceiver`] are one direction each, owned by the port whose keys they have. [`CryptoSuite`] and [`SrtpKeys`] are what a
//! session description agrees on; [`KeyGenerator`] makes our own.
//!
//! The ciphers are those of `rtc-crypto`. The contexts are ours, because those of `rtc-srtp` 0.21 take an SRTCP packet without the E flag before its
//! tag is verified, keep state for each SSRC of forged packets, let the first forged packet move the replay window, and know neither MKI nor
//! a stream that is joined after its first wrap.

mod error;
mod header;
mod keys;
mod receiver;
mod replay;
mod sender;
mod suite;
mod transform;

pub use error::SrtpError;
pub use keys::{KeyGenerator, MasterKey, MasterKeyIdentifier, SrtpKeyPair, SrtpKeys};
pub use receiver::{SrtpReceiver, SrtpStats};
pub use sender::SrtpSender;
pub use suite::CryptoSuite;

#[cfg(test)]
mod tests;
