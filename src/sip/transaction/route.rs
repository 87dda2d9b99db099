//! [`Route`]: by which flow a request goes out.

use std::net::SocketAddr;

use crate::sip::transport::{Flow, Transport};

/// The way to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) enum Route {
    /// By a flow that is there.
    Open(Flow),
    /// By a connection that is found or opened first; by `fallback` where there is none to be had (RFC 3261 section 18.1.1). Those for
    /// strangers leave a part of what may be under way to others.
    Connect { peer: SocketAddr, transport: Transport, fallback: Option<Flow>, is_for_stranger: bool },
}

impl Route {
    /// A connection without an alternative, for ourselves or for somebody known.
    pub(in crate::sip) const fn connect(peer: SocketAddr, transport: Transport) -> Self {
        Self::Connect { peer, transport, fallback: None, is_for_stranger: false }
    }

    /// The same way for a stranger, or for somebody known.
    pub(in crate::sip) const fn made_for(self, is_for_stranger: bool) -> Self {
        match self {
            Self::Connect { peer, transport, fallback, .. } => Self::Connect { peer, transport, fallback, is_for_stranger },
            Self::Open(_) => self,
        }
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
