//! `[http]` and `[ice_server.X]`: how browsers and programs reach the pages and the API.

use std::net::{IpAddr, Ipv4Addr};

use super::declare::section;
use super::listen::{TlsConfig, certificate_and_key};
use crate::common::ip_network::IpNetwork;
use crate::config::readers::{ADDRESS, NETWORK, list, number, parsed, some, text, url};
use crate::config::reload::{live, restart};
use crate::config::secret::Secret;
use crate::config::section::Section;

section! {
    /// `[http]`
    pub struct HttpConfig {
        /// Certificate and key, where HTTP listens with TLS.
        tls: Option<TlsConfig> = |s, key| s.table(key, certificate_and_key), restart;
        /// Local address.
        address: IpAddr = |s, key| s.get(key, parsed(ADDRESS)).unwrap_or(Ipv4Addr::LOCALHOST.into()), restart;
        /// Local port; 0 takes a free one, which is printed.
        port: u16 = |s, key| s.get(key, number(0..=65_535)).unwrap_or(8080), restart;
        /// Proxies whose `X-Forwarded-*` headers are believed.
        trusted_proxies: Vec<IpNetwork> = |s, key| s.get(key, list(parsed(NETWORK))).unwrap_or_default(), live;
        /// How browsers reach us, for links; made from address and port where `None`.
        public_url: Option<String> = public_url, live;
    }
}

/// `[ice_server.X]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServerConfig {
    /// `stun:` and `turn:` URLs.
    pub urls: Vec<String>,
    /// For TURN, given to pages as it is.
    pub username: Option<String>,
    /// For TURN, given to pages as it is.
    pub credential: Option<Secret>,
    /// For TURN, shared with the server: credentials are made from it for each page, and live for a time.
    pub secret: Option<Secret>,
}

fn public_url(s: &mut Section<'_>, key: &'static str) -> Option<String> {
    s.optional(key, url(&["https://", "http://"])).map(|url| url.trim_end_matches('/').to_owned())
}

pub(in crate::config) fn ice_server(_: &str, s: &mut Section<'_>) -> Option<IceServerConfig> {
    let urls = s.required(
        "urls",
        "write [\"stun:host:port\"] or [\"turn:host:port\"]",
        some(list(url(&["stun:", "stuns:", "turn:", "turns:"]))),
    );
    let username = s.optional("username", text);
    let (credential, secret) = (s.secret("credential"), s.secret("secret"));
    Some(IceServerConfig { urls: urls?, username, credential, secret })
}
