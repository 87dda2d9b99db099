//! Settings of the server: [`HttpSettings`] for its life, and [`WebSettings`] that a reload may change.

use std::net::SocketAddr;
use std::path::PathBuf;

use utoipa::openapi::{RefOr, Schema};

use super::secret::ApiToken;
use crate::common::ip_network::IpNetwork;
use crate::net::tls::TlsFiles;
use crate::service::embedded::signalling::ice::IceServer;

/// Connections from one address (an organisation behind NAT is one), as shipped.
pub const CONNECTIONS_PER_ADDRESS: usize = 512;
/// Connections altogether, as shipped.
pub const CONNECTIONS: usize = 4096;

/// What a reload of the configuration may change (O-2).
#[derive(Debug, Clone, Default)]
pub struct WebSettings {
    /// Proxies whose `X-Forwarded-For`, `-Proto` and `-Host` are believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// How browsers reach this server, if not by the name they send as `Host`.
    pub public_url: Option<String>,
    /// The host organisation's name.
    pub organisation: String,
    /// For the peer connections of pages that have joined.
    pub ice_servers: Vec<IceServer>,
    /// Labels of devices, and the tokens that programs of their rooms show at the API (U-4).
    pub device_tokens: Vec<(String, ApiToken)>,
}

/// What stays as it is for as long as the server runs.
#[derive(Clone)]
pub struct HttpSettings {
    /// Where to listen; port 0 takes any.
    pub address: SocketAddr,
    /// The Unix socket of commands on this machine ([`SOCKET_FILE`](super::SOCKET_FILE)).
    pub socket: PathBuf,
    /// TLS; without it plain HTTP is spoken, for loopback or behind a proxy.
    pub tls: Option<TlsFiles>,
    /// Where the media workers listen, so that a page can say which port is blocked (U-2).
    pub media_candidates: Vec<SocketAddr>,
    /// Something is configured that can transcribe (N-11).
    pub transcription: bool,
    /// People around a phone can have the chat by SMS: a provider is configured that sends.
    pub sms: bool,
    /// Schemas of answers that are made elsewhere, by name, for the API's document.
    pub schemas: Vec<(String, RefOr<Schema>)>,
    /// The directory of recordings.
    pub recordings: PathBuf,
    /// Requests a second of one session, of one device, or of the operator at one address; ten times as many at once.
    pub requests_per_second: u32,
    /// Open connections from one address; for IPv6 a /64. Trusted proxies are not limited.
    pub connections_per_address: usize,
    /// Open connections altogether.
    pub connections: usize,
}
