//! The endpoint's edge to its driver: what happens to it, and what it wants done.

use std::net::SocketAddr;

use super::events::{Command, Event};
use super::hep;
use super::registrar::Change;
use super::resolver::{Locate, Target};
use super::transport::{ConnectionId, Flow, Transport};

/// What happens to the endpoint.
#[derive(Debug)]
pub enum Input {
    /// One message: a datagram, or what the framing of a connection cut out.
    Received {
        /// Where it came in.
        flow: Flow,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A connection was accepted, and its TLS handshake, if it has one, is over.
    Opened {
        /// The new flow.
        flow: Flow,
        /// The names of the client's certificate, if it gave one.
        names: Vec<String>,
    },
    /// A connection is gone.
    FlowClosed(ConnectionId),
    /// The flow asked for by [`Output::Connect`] is there.
    Connected {
        /// Names the request.
        token: u64,
        /// The new flow.
        flow: Flow,
    },
    /// It could not be had.
    ConnectFailed {
        /// Names the request.
        token: u64,
    },
    /// The addresses asked for by [`Output::Locate`], the first choice first; none: they are not to be found.
    Located {
        /// Names the request.
        token: u64,
        /// What was found.
        targets: Vec<Target>,
    },
    /// A call's owner wants something.
    Command(Command),
}

/// What the endpoint wants done.
#[derive(Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit {
        /// The flow that leads there.
        flow: Flow,
        /// One message, or a keep-alive.
        bytes: Vec<u8>,
    },
    /// Find or open a flow; answered by [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect {
        /// To whom.
        peer: SocketAddr,
        /// By what.
        transport: Transport,
        /// Whom its certificate must name; `None`: as the connector says.
        name: Option<String>,
        /// Names the request.
        token: u64,
    },
    /// Look up where a server is; answered by [`Input::Located`].
    Locate(Locate),
    /// Tell the call's owner.
    Event(Event),
    /// Keep where a device is to be found.
    Registered(Change),
    /// Send a copy to the capture server.
    Copied(Box<hep::Copied>),
}
