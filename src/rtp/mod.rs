//! RTP and its relatives, without sockets and clocks. Datagrams of one device flow in ([`packet`], [`latch::Latch`]),
//! 20 ms frames flow out ([`receive`]), keys apart ([`dtmf`]); the way back is [`sender::RtpSender`]. What both ends know of
//! the transport's quality goes through [`rtcp`] and [`quality`]. What is encrypted
//! on the way passes [`srtp`] before and after, with keys of the descriptions or of a handshake ([`dtls`]). One owner a stream: its port. Rules, S-7.

pub mod dtls;
pub mod dtmf;
pub mod feedback;
pub mod ice;
pub mod jitter;
pub mod latch;
pub mod packet;
pub mod payload;
pub mod quality;
pub mod receive;
pub mod rtcp;
pub mod sender;
pub mod srtp;
pub mod stun;
pub mod transport;

pub use packet::Packet;
