//! What peers may use at once, and which addresses no budget applies to.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::sip::message::wire::WireLimits;

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
