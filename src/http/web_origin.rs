//! [`WebOrigin`] and the host of a request: what tells one site from another (RFC 6454, RFC 9110 section 7.2).

use std::net::Ipv6Addr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// The first element of a header that each proxy of a chain appends to: the one nearest to the client.
pub(super) fn first_of_list(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()?.split(',').next().map(str::trim)
}

/// What tells one origin from another (RFC 6454 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WebOrigin {
    /// The scheme: `https`, otherwise `http`.
    pub(super) https: bool,
    /// A name or an address without brackets, in lower case.
    pub(super) host: String,
    port: u16,
}

impl WebOrigin {
    /// The origin of a URL such as `https://meet.example:8443`.
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let https = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Some(Self { https, host, port: uri.port_u16().unwrap_or(default_port(https)) })
    }

    /// Whether an authority, such as the value of `Host`, is this origin's; without a port it has the scheme's own.
    pub(super) fn is_named_by(&self, authority: &str) -> bool {
        let Ok(authority) = authority.parse::<Authority>() else { return false };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        host == self.host && authority.port_u16().unwrap_or(default_port(self.https)) == self.port
    }
}

const fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// The host of the `Host` header without its port; `None` where there is no such header, more than one, or one that cannot be read.
pub(super) fn host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    hosts.next().filter(|_| hosts.next().is_none())?.to_str().ok().and_then(without_port)
}

/// The host of an authority (RFC 3986 section 3.2): a name or an IPv4 address, or an IPv6 address in brackets, each with a port behind it or
/// without. Anything else names nobody.
pub(super) fn without_port(authority: &str) -> Option<&str> {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok())?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && (text.is_empty() || text.parse::<u16>().is_ok());
    let port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    (!name.is_empty() && port && name.bytes().all(part)).then_some(name)
}
