//! SIP (S-1, S-2, S-4, S-8): messages of devices flow in with the flow they came on, and [`Event`]s of calls flow out;
//! [`Command`]s flow in and bytes flow out.
//!
//! [`Endpoint`] owns every transaction, dialog and INVITE usage and is a pure machine; [`driver`] owns the sockets and runs it.
//! A slow call can therefore never delay a retransmission or an ACK. Calls are known by dialog (Call-ID and tags), never by address.
//! Messages of a peer can neither panic nor grow anything without bound.

pub mod account;
mod alone;
pub mod auth;
pub mod dialog;
pub mod driver;
mod endpoint;
mod gate;
pub mod guard;
pub mod header;
pub mod identity;
mod in_dialog;
mod incoming;
mod info;
mod invite;
pub mod locate;
pub mod message;
mod prove;
pub mod registrar;
mod reliable;
mod response;
mod session_timer;
pub mod transaction;
mod uac;
mod uas;
mod update;
pub mod uri;
pub mod wire;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::cause::Cause;
use crate::ids::CallId;

pub use driver::{Handle, ListenTls, Listener, Running, StartError, start};
pub use endpoint::{Counters, Endpoint, LadderLine, Load};
pub use header::NameAddr;
pub use identity::{Identity, Known};
pub use message::Method;
pub use registrar::{Change, Stored};
pub use session_timer::SessionTimers;
pub use uri::Uri;
pub use wire::WireLimits;

/// How the room behaves; fixed for its life.
#[derive(Debug, Clone)]
pub struct Settings {
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
    /// Where tags and branches are drawn from; must be unpredictable in production.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            advertised: None,
            user_agent: concat!("Roomgate/", env!("CARGO_PKG_VERSION")).to_owned(),
            t1: Duration::from_millis(500),
            session_timers: SessionTimers::default(),
            limits: Limits::default(),
            trusted: Trusted::default(),
            known: Known::default(),
            name_servers: Vec::new(),
            connector: None,
            credentials: None,
            registrar: registrar::Settings::default(),
            accounts: Vec::new(),
            seed: 0,
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

/// What the owner of a call wants. A command that no longer fits the call's state (it has just ended) does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// 180 to an INVITE not yet answered.
    Ring {
        /// Which call.
        call: CallId,
    },
    /// 183 to an INVITE not yet answered, with our answer to its offer: the caller hears us before a final response (RFC 3960).
    Progress {
        /// Which call.
        call: CallId,
        /// The session description.
        sdp: String,
    },
    /// 302 to an INVITE not yet answered, which ends the call without further events.
    Redirect {
        /// Which call.
        call: CallId,
        /// The address to call instead.
        target: String,
    },
    /// 200 to the open INVITE, re-INVITE or UPDATE: with our answer, or with our offer when the peer sent none.
    Answer {
        /// Which call.
        call: CallId,
        /// The session description.
        sdp: String,
    },
    /// Refuses the open INVITE, which ends the call without further events; or the open re-INVITE or UPDATE, which keeps the call.
    Reject {
        /// Which call.
        call: CallId,
        /// Gives status, `Reason` and `Retry-After` (S-8).
        cause: Cause,
    },
    /// Our re-INVITE. Waits for its turn, and is tried again after glare (RFC 3261 section 14.1).
    /// Ends in [`Event::Answered`], [`Event::ReofferFailed`] or the end of the call.
    Reoffer {
        /// Which call.
        call: CallId,
        /// The session description.
        sdp: String,
    },
    /// Ends a call in whatever state without further events: refusal, CANCEL or BYE as the state demands.
    Bye {
        /// Which call.
        call: CallId,
        /// Gives the `Reason`.
        cause: Cause,
    },
    /// Calls somebody (`roomgate dial`, S-9). `call` must be new.
    Invite {
        /// The new call's id.
        call: CallId,
        /// The next hop.
        target: SocketAddr,
        /// By what.
        transport: Transport,
        /// Request-URI and To.
        uri: String,
        /// From.
        from: String,
        /// From's display name; empty for none.
        display: String,
        /// Our offer.
        sdp: String,
    },
    /// Gives up an INVITE of ours; ends in [`Event::Failed`] with [`Cause::Cancelled`].
    Cancel {
        /// Which call.
        call: CallId,
    },
    /// What an earlier run has kept of registrations.
    Restore(Vec<Change>),
    /// Begins the registrations of ours that the settings name.
    SignOn,
    /// Takes them back, for good.
    SignOff,
    /// While on, new INVITEs and OPTIONS get 503 with `Retry-After` (O-4).
    Drain(bool),
}

/// A device calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The new call.
    pub call: CallId,
    /// Where the INVITE came from.
    pub source: SocketAddr,
    /// Who sent it (M-1); `None`: somebody unknown, to be refused.
    pub identity: Option<Identity>,
    /// Our address on that way.
    pub local: SocketAddr,
    /// By what.
    pub transport: Transport,
    /// What was dialled.
    pub request_uri: Uri,
    /// Who says to call.
    pub from: NameAddr,
    /// Whom they meant.
    pub to: NameAddr,
    /// The device's software, at most 128 characters.
    pub user_agent: Option<String>,
    /// Their session description; `None` when they want ours.
    pub offer: Option<Vec<u8>>,
    /// They take a 180 only if it comes reliably (RFC 3262): ring before answering.
    pub requires_100rel: bool,
    /// The Call-ID, for logs and records.
    pub call_id_header: String,
}

/// What a call's owner is told. [`Event::Ended`] and [`Event::Failed`] are the last of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A device calls; ring, answer or reject.
    Incoming(Box<Incoming>),
    /// The caller gave up before our answer; the call is over.
    Cancelled {
        /// Which call.
        call: CallId,
    },
    /// Our 200 was acknowledged.
    Acked {
        /// Which call.
        call: CallId,
        /// Their answer, when our 200 carried the offer. `None` then is a peer's fault: end the call.
        sdp: Option<Vec<u8>>,
    },
    /// They want the session changed by re-INVITE or UPDATE; answer or reject. Only the 200 to a re-INVITE is acknowledged.
    Offer {
        /// Which call.
        call: CallId,
        /// Their session description; `None` when they want ours, by re-INVITE.
        sdp: Option<Vec<u8>>,
    },
    /// They took an unanswered re-INVITE back: the session stays as it was.
    OfferWithdrawn {
        /// Which call.
        call: CallId,
    },
    /// A key by INFO.
    Digit {
        /// Which call.
        call: CallId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// How long it was pressed, as the device says; 100 ms where it does not.
        duration: Duration,
    },
    /// The call is over by the peer's doing or by time.
    Ended {
        /// Which call.
        call: CallId,
        /// Why.
        cause: Cause,
    },
    /// Our INVITE reached somebody (100).
    Trying {
        /// Which call.
        call: CallId,
    },
    /// Our INVITE makes progress (101 to 199).
    Ringing {
        /// Which call.
        call: CallId,
        /// The provisional status.
        status: u16,
    },
    /// Our INVITE or re-INVITE was accepted and acknowledged.
    Answered {
        /// Which call.
        call: CallId,
        /// Their answer; empty when they sent none, which is their fault.
        sdp: Vec<u8>,
    },
    /// A refresh that repeated our last description was answered with one that differs from their last.
    Refreshed {
        /// Which call.
        call: CallId,
        /// Their answer.
        sdp: Vec<u8>,
    },
    /// Our re-INVITE was refused; the session stays as it was.
    ReofferFailed {
        /// Which call.
        call: CallId,
        /// The final status.
        status: u16,
    },
    /// Our INVITE failed; the call is over.
    Failed {
        /// Which call.
        call: CallId,
        /// [`Cause::Refused`] with the final status, [`Cause::Cancelled`] or [`Cause::PeerGone`].
        cause: Cause,
        /// What the peer said: its phrase, at most 128 characters.
        reason: String,
    },
    /// Something that an external may not do was refused (M-12): REFER, or `Record: on` in an INFO or re-INVITE.
    Refused {
        /// Which call.
        call: CallId,
        /// By which method it was tried.
        method: Method,
    },
}

/// The key that an INFO carries, and how long it was pressed.
pub(crate) fn info_digit(request: &message::Request) -> Option<(char, Duration)> {
    match info::read(request) {
        info::Info::Digit(digit, pressed) => Some((digit, pressed)),
        info::Info::Nothing | info::Info::Unreadable | info::Info::Foreign => None,
    }
}

impl Event {
    /// The call it is about.
    #[must_use]
    pub fn call(&self) -> CallId {
        match self {
            Self::Incoming(incoming) => incoming.call,
            Self::Cancelled { call }
            | Self::Acked { call, .. }
            | Self::Offer { call, .. }
            | Self::OfferWithdrawn { call }
            | Self::Digit { call, .. }
            | Self::Ended { call, .. }
            | Self::Trying { call }
            | Self::Ringing { call, .. }
            | Self::Answered { call, .. }
            | Self::Refreshed { call, .. }
            | Self::ReofferFailed { call, .. }
            | Self::Failed { call, .. }
            | Self::Refused { call, .. } => *call,
        }
    }
}
