//! What carries messages: transports, connections, and [`Flow`], where a message came in and an answer goes out (RFC 5626).

use std::net::SocketAddr;

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams, which may be lost.
    Udp,
    /// Connections that anybody on the way can read.
    Tcp,
    /// Connections that nobody else can read.
    Tls,
}

impl Transport {
    /// Whether messages arrive, or the connection breaks.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Where a peer listens that names no port (RFC 3261 section 19.1.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// Reads what [`Transport::as_str`] gives.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|transport| transport.as_str() == text)
    }

    /// As in a Via.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// One connection of this process; never used again after it closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Where a message came in, and where an answer goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// What carries it.
    pub transport: Transport,
    /// Which of the listeners, counted from 0.
    pub listener: u16,
    /// The connection; `None` for UDP.
    pub connection: Option<ConnectionId>,
    /// Our address as the peer sees it without NAT; never unspecified. For a connection that we opened, its port is that of a listener.
    pub local: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
}
