//! SIP (S-1, S-2, S-4, S-8): messages of devices flow in with the flow they came on, and [`Event`]s of calls flow out;
//! [`Command`]s flow in and bytes flow out.
//!
//! [`Endpoint`] owns every transaction, dialog and INVITE usage and is a pure machine; [`driver`] owns the sockets and runs it.
//! A slow call can therefore never delay a retransmission or an ACK. Calls are known by dialog (Call-ID and tags), never by address.
//! Messages of a peer can neither panic nor grow anything without bound.

pub mod account;
mod alone;
pub mod auth;
mod caller;
pub mod dialog;
pub mod driver;
pub mod emergency;
mod endpoint;
mod gate;
pub mod guard;
pub mod header;
pub mod hep;
pub mod identity;
mod in_dialog;
mod incoming;
mod info;
mod invite;
mod ladder;
mod lines;
pub mod locate;
pub mod message;
mod path;
mod prove;
mod provenance;
mod reach;
mod reconfigure;
mod refer;
pub mod registrar;
mod reliable;
mod replaces;
mod response;
mod round_trip;
mod session_timer;
mod stateless;
mod subscribe;
mod text;
pub mod transaction;
mod uac;
mod uas;
mod update;
pub mod uri;
pub mod wire;
mod words;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub use driver::{Handle, ListenTls, Listener, Pulse, Running, StartError, start};
pub use emergency::Emergency;
pub use endpoint::{Counters, Endpoint, Load};
pub use header::NameAddr;
pub use identity::{Identity, Known, Proof};
pub use ladder::LadderLine;
pub use message::Method;
pub use registrar::{Change, Stored};
pub use session_timer::SessionTimers;
pub use uri::Uri;
pub use wire::WireLimits;
pub use words::{Command, Event, Incoming, Reach, Roster, RosterPerson};

/// How the room behaves. [`Command::Reconfigure`] changes some of it; the rest is fixed for its life.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names calls.
    pub ids: crate::common::ids::Ids,
    /// The address written into Contact and Via instead of the local one (S-7).
    pub advertised: Option<IpAddr>,
    /// `Server` and `User-Agent`.
    pub user_agent: String,
    /// Round-trip estimate; all timers follow from it.
    pub t1: Duration,
    /// How sessions are kept alive (RFC 4028).
    pub session_timers: SessionTimers,
    ///
    pub limits: Limits,
    /// Addresses of this machine: no request of ours goes there for what a peer says.
    pub own: Vec<IpAddr>,
    /// Sources that no budget applies to: configured trunks and proxies.
    pub trusted: Trusted,
    /// Who may call (M-1).
    pub known: Known,
    /// Name servers to ask; none: those of the system.
    pub name_servers: Vec<IpAddr>,
    /// How TLS connections of ours are made; `None`: only those that peers have opened are used.
    pub connector: Option<Connector>,
    /// What answers challenges to calls of ours.
    pub credentials: Option<auth::Credentials>,
    /// How devices register (S-3).
    pub registrar: registrar::Settings,
    /// Where we register ourselves (S-3).
    pub accounts: Vec<account::Account>,
    /// Which calls are for help, and are never refused for what bounds others (S-10).
    pub emergency: Emergency,
    /// Where copies of the messages of calls go (O-5).
    pub capture: Option<hep::Capture>,
    /// Where tags, branches, Call-IDs and client nonces are drawn from, by ChaCha20; from the system's randomness in production.
    pub seed: [u8; 32],
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ids: crate::common::ids::Ids::default(),
            advertised: None,
            user_agent: concat!("Roomgate/", env!("CARGO_PKG_VERSION")).to_owned(),
            t1: Duration::from_millis(500),
            session_timers: SessionTimers::default(),
            limits: Limits::default(),
            own: Vec::new(),
            trusted: Trusted::default(),
            known: Known::default(),
            name_servers: Vec::new(),
            connector: None,
            credentials: None,
            registrar: registrar::Settings::default(),
            accounts: Vec::new(),
            emergency: Emergency::default(),
            capture: None,
            seed: [0; 32],
        }
    }
}

/// What is bounded, and by how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once; the next INVITE is refused with 503.
    pub max_calls: usize,
    /// Calls at once from one address that is not trusted; the next is refused with 503.
    pub calls_per_source: usize,
    /// New INVITEs a second from one address that is not trusted; what is above is dropped unanswered.
    pub invites_per_second: u32,
    /// INVITEs that such an address may send at once.
    pub burst: u32,
    /// Server transactions at once; above it new requests are dropped unanswered.
    pub transactions: usize,
    /// Connections at once over all listeners; above it new ones are closed.
    pub connections: usize,
    /// Connections at once from one address that is not trusted.
    pub connections_per_source: usize,
    /// A connection that carries no call is closed after this time of silence.
    pub idle: Duration,
    /// Sizes of one message.
    pub wire: WireLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_calls: 1000,
            calls_per_source: 100,
            invites_per_second: 10,
            burst: 50,
            transactions: 20_000,
            connections: 2000,
            connections_per_source: 100,
            idle: Duration::from_secs(600),
            wire: WireLimits::default(),
        }
    }
}

impl Limits {
    /// How many of so many things strangers may have; the rest is for who is known.
    #[must_use]
    pub const fn of_strangers(&self, all: usize) -> usize {
        all - all / 4
    }

    /// How many of so many things strangers may have together with those whom nothing but the source of their datagrams makes somebody known;
    /// the rest is for who is proven.
    #[must_use]
    pub const fn of_unproven(&self, all: usize) -> usize {
        all - all / 8
    }
}

/// How a TLS connection of ours is made.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Whom we trust.
    pub config: Arc<rustls::ClientConfig>,
    /// The name that the peer's certificate must have; `None`: its address.
    pub name: Option<String>,
}

/// Which addresses are trusted. The default trusts nobody.
#[derive(Clone)]
pub struct Trusted(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl Trusted {
    /// Trusts what `trusts` says yes to.
    pub fn new(trusts: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(trusts))
    }

    /// Whether `address` is trusted.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        (self.0)(address)
    }
}

impl Default for Trusted {
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trusted(..)")
    }
}

/// What carries messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Connections.
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

/// What is known of whoever is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It has said nothing that can be read.
    Silent,
    /// It has, and proved nothing.
    Heard,
    /// A configured device or trunk, a peer that we have called, or one that has proved who it is.
    Known,
}

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
        /// Where.
        flow: Flow,
        /// What.
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

/// A server whose addresses are wanted (RFC 3263).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locate {
    /// Names the request.
    pub token: u64,
    /// Its name or address.
    pub host: uri::Host,
    /// Its port, where one is written.
    pub port: Option<u16>,
    /// By what it is to be reached, where that is written.
    pub transport: Option<Transport>,
}

/// One way to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Where.
    pub address: SocketAddr,
    /// By what.
    pub transport: Transport,
}

/// The key that an INFO carries, and how long it was pressed.
pub(crate) fn info_digit(request: &message::Request) -> Option<(char, Duration)> {
    match info::read(request) {
        info::Info::Digit(digit, pressed) => Some((digit, pressed)),
        info::Info::Nothing | info::Info::Unreadable | info::Info::Foreign => None,
    }
}
