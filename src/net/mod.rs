//! Sockets and certificates, below SIP, media and HTTP.

pub mod ice_tcp;
pub mod tls;
pub mod udp;
