//! [`Route`]: by which flow a request goes out.

use std::net::SocketAddr;

use crate::sip::transport::{Flow, Transport};

/// A request longer than this goes by TCP if it can (RFC 3261 section 18.1.1, S-1).
pub(in crate::sip) const DATAGRAM: usize = 1300;
/// What a request gets once its way is known: Via, Contact and User-Agent.
pub(in crate::sip) const HOP_HEADERS: usize = 200;

/// The way of a large request to a peer that takes no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) enum Fallback {
    /// By this flow.
    Open(Flow),
    /// By datagrams to this address.
    Datagrams(SocketAddr),
}

/// The way to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sip) enum Route {
    /// By a flow that is there.
    Open(Flow),
    /// By a connection that is found or opened first; by `fallback` where there is none to be had (RFC 3261 section 18.1.1). Those for
    /// strangers leave a part of what may be under way to others.
    Connect { peer: SocketAddr, transport: Transport, fallback: Option<Fallback>, is_for_stranger: bool },
}

impl Fallback {
    pub(super) const fn peer(&self) -> SocketAddr {
        match self {
            Self::Open(flow) => flow.peer,
            Self::Datagrams(peer) => *peer,
        }
    }
}

impl Route {
    /// A connection without an alternative, for ourselves or for somebody known.
    pub(in crate::sip) const fn connect(peer: SocketAddr, transport: Transport) -> Self {
        Self::Connect { peer, transport, fallback: None, is_for_stranger: false }
    }

    /// The way of a request outside of dialogs that has so many bytes, lines of its way included: a large one goes by TCP if it can.
    pub(in crate::sip) const fn for_size(self, size: usize) -> Self {
        if size <= DATAGRAM || self.transport().is_reliable() {
            return self;
        }
        let (peer, transport) = (self.peer(), Transport::Tcp);
        match self {
            Self::Open(flow) => Self::Connect { peer, transport, fallback: Some(Fallback::Open(flow)), is_for_stranger: false },
            Self::Connect { is_for_stranger, .. } => {
                Self::Connect { peer, transport, fallback: Some(Fallback::Datagrams(peer)), is_for_stranger }
            }
        }
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
