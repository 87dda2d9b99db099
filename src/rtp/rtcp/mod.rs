//! RTCP (RFC 3550 section 6): what we report, when, and what is reported about us (A-6, N-8).
//!
//! [`RtcpSession`] is one stream pair's; [`ReceptionStats`] is what it, and the receiver of the stream, count of the packets that come.

mod reception;
mod session;

pub use reception::ReceptionStats;
pub use session::{PeerReport, RtcpSession, fraction_lost};

#[cfg(test)]
mod tests;
