//! `[sip]`: who may call, how SIP names this daemon, and what is done for calls.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use super::account::{SipAccountConfig, account};
use super::declare::section;
use super::emergency::emergency;
use super::listen::{ListenConfig, listeners};
use super::trunk::{TrunkConfig, trunk};
use crate::common::ip_network::IpNetwork;
use crate::config::readers::{
    ADDRESS, DAY, HOUR, MINUTE, NETWORK, SECOND, choice, label, list, number, parsed, path, some, time,
};
use crate::config::reload::{live, live_tables, restart, restart_tables};
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::sip::auth::Algorithm;
use crate::sip::{Emergency, SessionTimers};

section! {
    /// `[sip]`
    pub struct SipConfig {
        /// `[sip.listen.X]`, never empty; as long as none is written, UDP and TCP at every IPv4 address, port 5060.
        listen: BTreeMap<String, ListenConfig> = listeners, restart_tables;
        /// `[sip.trunk.X]`
        trunks as "trunk": BTreeMap<String, TrunkConfig> = |s, key| s.named(key, trunk), live_tables;
        /// `[sip.account.X]`
        accounts as "account": BTreeMap<String, SipAccountConfig> = |s, key| s.named(key, account), live_tables;
        /// Written into Via, Contact and links instead of the listener's own address (S-7).
        advertised_address: Option<IpAddr> = |s, key| s.optional(key, parsed(ADDRESS)), restart;
        /// Calls at once; one more is answered 503.
        max_calls: usize = |s, key| s.get(key, number(1..=100_000)).unwrap_or(200), live;
        /// Networks whose callers need no entry of their own (M-1).
        allowed: Vec<IpNetwork> = |s, key| s.get(key, list(parsed(NETWORK))).unwrap_or_else(private_networks), live;
        /// What passwords may be hashed with, the preferred one first (RFC 8760).
        digest: Vec<Algorithm> = |s, key| s.get(key, some(list(choice(DIGESTS)))).unwrap_or_else(|| Algorithm::ALL.into()), live;
        /// Named to who must give a password.
        realm: String = |s, key| s.get(key, label(64)).unwrap_or_else(|| "roomgate".to_owned()), live;
        /// Name servers to ask; none: those of the system.
        name_servers: Vec<IpAddr> = |s, key| s.get(key, list(parsed(ADDRESS))).unwrap_or_default(), restart;
        /// PEM file of the authorities that PBXs' certificates must come from; `None`: those of the system.
        ca: Option<PathBuf> = |s, key| s.optional(key, path), restart;
        /// How sessions are kept alive (RFC 4028).
        session_timers: SessionTimers = |s, _| session_timers(s), |found, _, old, new| {
            live(found, "session_expires", &old.expires, &new.expires);
            live(found, "session_min", &old.min, &new.min);
        };
        /// `[sip.registrar]`
        registrar: RegistrarConfig = |s, key| s.table(key, registrar), live;
        /// The user part that reaches the menu; an empty one does too.
        menu_user: String = |s, key| s.get(key, label(64)).unwrap_or_else(|| "menu".to_owned()), live;
        /// `[sip.emergency]` (S-10)
        emergency: Emergency = |s, key| s.table(key, emergency), live;
        /// `[sip.hep]` (O-5)
        hep: Option<HepConfig> = |s, key| s.table(key, hep), live;
    }
}

/// `[sip.registrar]` (S-3)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// A shorter life is refused (423).
    pub min_expires: Duration,
    /// A longer one is cut to this.
    pub max_expires: Duration,
    /// For a device that asks for none.
    pub default_expires: Duration,
    /// Contacts of one device.
    pub contacts: usize,
}

/// `[sip.hep]`: where copies of the messages of calls go (O-5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HepConfig {
    /// The capture server, by UDP.
    pub server: SocketAddr,
    /// Names us there.
    pub id: u32,
    /// What the server lets us in for.
    pub password: Option<Secret>,
}

const DIGESTS: &[(&str, Algorithm)] = &[("sha-256", Algorithm::Sha256), ("md5", Algorithm::Md5)];

/// Loopback, private and IPv4's link-local ranges: what a device is accepted from as shipped (U-2). Addresses of fe80::/10 mean nothing
/// without their interface, which media are not sent by.
const PRIVATE: [&str; 7] =
    ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16"];

fn private_networks() -> Vec<IpNetwork> {
    PRIVATE.iter().filter_map(|network| IpNetwork::from_str(network).ok()).collect()
}

fn session_timers(s: &mut Section<'_>) -> SessionTimers {
    let shipped = SessionTimers::default();
    SessionTimers {
        expires: s.get("session_expires", time(Duration::ZERO..=DAY)).unwrap_or(shipped.expires),
        min: s.get("session_min", time(SECOND..=HOUR)).unwrap_or(shipped.min),
    }
}

fn registrar(s: &mut Section<'_>) -> RegistrarConfig {
    let mut life = |key, default| s.get(key, time(10 * SECOND..=7 * DAY)).unwrap_or(default);
    let (min_expires, max_expires) = (life("min_expires", MINUTE), life("max_expires", HOUR));
    let default_expires = life("default_expires", HOUR);
    if !(min_expires..=max_expires).contains(&default_expires) {
        s.complain("has a default_expires that is not between min_expires and max_expires", "mend one of the three");
    }
    let contacts = s.get("contacts", number(1..=100)).unwrap_or(8);
    RegistrarConfig { min_expires, max_expires, default_expires, contacts }
}

fn hep(s: &mut Section<'_>) -> Option<HepConfig> {
    let server = s.optional("server", parsed("an address with its port, such as \"192.0.2.40:9060\""));
    let (id, password) = (s.get("id", number(1..=u32::MAX)), s.secret("password"));
    Some(HepConfig { server: server?, id: id.unwrap_or(2001), password })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_shipped_ranges_are_networks() {
        assert_eq!(private_networks().len(), PRIVATE.len());
        assert!(!private_networks().iter().any(|network| network.contains(Ipv4Addr::new(8, 8, 8, 8).into())));
    }

    /// No call from a link-local address of IPv6 has sound: none is taken as shipped.
    #[test]
    fn u2_no_link_local_network_of_ipv6_is_shipped() {
        let link_local: IpAddr = "fe80::1".parse().unwrap();
        assert!(!private_networks().iter().any(|network| network.contains(link_local)));
    }
}
