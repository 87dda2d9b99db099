//! Sockets and certificates, below SIP, media and HTTP.

pub mod tls;
pub mod udp;
