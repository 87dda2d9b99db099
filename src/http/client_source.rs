//! [`ClientSource`]: whom limits count.

use std::fmt;
use std::net::IpAddr;

use crate::common::ip_network;

/// One subscriber for the purpose of limits: an IPv4 address, or an IPv6 /64, since whoever has one address of it has all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ClientSource(IpAddr);

impl From<IpAddr> for ClientSource {
    fn from(address: IpAddr) -> Self {
        Self(ip_network::subscriber(address))
    }
}

impl fmt::Display for ClientSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
