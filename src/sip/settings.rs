//! How the endpoint is configured, and what of it a reload may change (O-2).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::access::emergency::Emergency;
use super::access::identity::Known;
use super::access::limits::{Limits, Trusted};
use super::auth;
use super::hep;
use super::invite::SessionTimers;
use super::registrar::RegistrarSettings;
use super::registration::RegistrationAccount;

/// How the endpoint behaves. [`Command::Reconfigure`] changes some of it; the rest is fixed for its life.
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
    /// Which user parts lead somewhere, for OPTIONS; `None`: all of them.
    pub reachable: Option<ReachableUsers>,
    /// Name servers to ask; none: those of the system.
    pub name_servers: Vec<IpAddr>,
    /// How TLS connections of ours are made; `None`: only those that peers have opened are used.
    pub connector: Option<Connector>,
    /// What answers challenges to calls of ours.
    pub credentials: Option<auth::Credentials>,
    /// How devices register (S-3).
    pub registrar: RegistrarSettings,
    /// Where we register ourselves (S-3).
    pub accounts: Vec<RegistrationAccount>,
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
            reachable: None,
            name_servers: Vec::new(),
            connector: None,
            credentials: None,
            registrar: RegistrarSettings::default(),
            accounts: Vec::new(),
            emergency: Emergency::default(),
            capture: None,
            seed: [0; 32],
        }
    }
}

impl Settings {
    /// Takes from `new` what may change during the life of an endpoint; the rest stays.
    pub(super) fn adopt(&mut self, new: &Self) {
        self.session_timers = new.session_timers;
        self.limits = new.limits;
        self.trusted = new.trusted.clone();
        self.known = new.known.clone();
        self.registrar = new.registrar;
        self.accounts = new.accounts.clone();
        self.emergency = new.emergency.clone();
        self.capture = new.capture.clone();
    }
}

/// Which user parts an INVITE would be taken for.
#[derive(Clone)]
pub struct ReachableUsers(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl ReachableUsers {
    /// Those that `leads` says yes to.
    pub fn new(leads: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(leads))
    }

    /// Whether `user` is one; empty for an address without a user part.
    #[must_use]
    pub fn contains(&self, user: &str) -> bool {
        (self.0)(user)
    }
}

impl fmt::Debug for ReachableUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReachableUsers(..)")
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
