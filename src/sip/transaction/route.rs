//! [`Route`]: by which flow a request goes out.

use std::net::SocketAddr;

use crate::sip::transport::{Flow, Transport};

/// The way to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) enum Route {
    /// By a flow that is there.
    Open(Flow),
    /// By a connection that is found or opened first; by `fallback` where there is none to be had (RFC 3261 section 18.1.1).
    Connect { peer: SocketAddr, transport: Transport, fallback: Option<Flow> },
}

impl Route {
    /// A connection without an alternative.
    pub(in crate::sip) const fn connect(peer: SocketAddr, transport: Transport) -> Self {
        Self::Connect { peer, transport, fallback: None }
    }

    pub(in crate::sip) const fn peer(&self) -> SocketAddr {
        match self {
            Self::Open(flow) => flow.peer,
            Self::Connect { peer, .. } => *peer,
        }
    }

    pub(in crate::sip) const fn transport(&self) -> Transport {
        match self {
            Self::Open(flow) => flow.transport,
            Self::Connect { transport, .. } => *transport,
        }
    }
}
