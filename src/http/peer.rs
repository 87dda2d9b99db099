//! Who is at the other end of a connection: address ranges, what a trusted proxy says about its clients, and how many
//! connections one address may hold.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use tokio::sync::Notify;

use super::security_headers::host;
use crate::common::ip_network::{self, IpNetwork};

/// One subscriber for the purpose of limits: an IPv4 address, or an IPv6 /64, since whoever has one address of it has all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientSource(IpAddr);

impl From<IpAddr> for ClientSource {
    fn from(address: IpAddr) -> Self {
        Self(ip_network::subscriber(address))
    }
}

impl fmt::Display for ClientSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The connection a request came by.
#[derive(Clone)]
pub struct HttpPeer {
    /// The other end's address: a client's, or a proxy's.
    pub address: IpAddr,
    /// Our end of the connection; `None`: the socket in the state directory, whose other end is the operator.
    pub at: Option<SocketAddr>,
    /// It came by TLS to us.
    pub tls: bool,
    /// The name that the certificate was asked for (RFC 6066 section 3).
    pub name: Option<Arc<str>>,
    /// It is one of `trusted_proxies`.
    pub proxy: bool,
    /// Its place among the connections of its address; held as long as anything of the connection lives.
    pub slot: Arc<ConnectionSlot>,
}

impl HttpPeer {
    /// The client's address: the connection's, or, behind trusted proxies, the last one that they did not add themselves.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, trusted: &[IpNetwork]) -> IpAddr {
        if !self.proxy {
            return self.address;
        }
        let mut client = self.address;
        for value in headers.get_all("x-forwarded-for").iter().rev() {
            for hop in value.to_str().unwrap_or_default().rsplit(',') {
                let Some(hop) = hop_address(hop.trim()) else { return client };
                client = hop.to_canonical();
                if !trusted.iter().any(|network| network.contains(client)) {
                    return client;
                }
            }
        }
        client
    }

    /// Whether the other end has opened the socket in the state directory.
    #[must_use]
    pub const fn is_operator(&self) -> bool {
        self.at.is_none()
    }

    /// Whether the client is a program on this machine. A proxy here, named or not, asks for anybody.
    #[must_use]
    pub fn is_here(&self, headers: &HeaderMap) -> bool {
        let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
        self.address.to_canonical().is_loopback() && !self.proxy && !forwarded
    }

    /// Whether the client's end is https, so that a cookie may be kept to it: we speak TLS, or a trusted proxy says that it does, or, where
    /// it says nothing, the page that asks; or the request was sent to `public_url`, which says so.
    #[must_use]
    pub fn secure(&self, headers: &HeaderMap, public_url: Option<&str>) -> bool {
        let origin = || headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).and_then(authority);
        let forwarded = || match headers.get("x-forwarded-proto").filter(|_| self.proxy) {
            // Each proxy of a chain adds how it was reached. The first is the browser's end; what it claims there concerns itself alone.
            Some(protos) => first_of_list(protos).is_some_and(|proto| proto.eq_ignore_ascii_case("https")),
            None => self.proxy && origin().is_some_and(|origin| origin.https),
        };
        let public = || {
            let public = public_url.and_then(authority).filter(|public| public.https);
            public.is_some_and(|public| host(headers).is_some_and(|host| public.host.eq_ignore_ascii_case(host)))
        };
        self.tls || forwarded() || public()
    }

    /// Whether the request's `WebOrigin` is this server, by scheme, host and port (U-4). `None` when it has no `WebOrigin`: then no browser script
    /// sent it.
    #[must_use]
    pub fn same_origin(&self, headers: &HeaderMap, public_url: Option<&str>) -> Option<bool> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let origin = origins.next()?;
        if origins.next().is_some() {
            return Some(false);
        }
        let Some(origin) = origin.to_str().ok().and_then(authority) else { return Some(false) };
        if public_url.and_then(authority).is_some_and(|public| public == origin) {
            return Some(true);
        }
        // A proxy that does not say how it was reached may have been reached either way.
        let told = !self.proxy || headers.contains_key("x-forwarded-proto");
        if told && origin.https != self.secure(headers, public_url) {
            return Some(false);
        }
        let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let forwarded = headers.get("x-forwarded-host").filter(|_| self.proxy).and_then(first_of_list);
        let names_us =
            |host: &str| host_and_port(host, origin.https).is_some_and(|(host, port)| host == origin.host && port == origin.port);
        Some(named.is_some_and(names_us) || forwarded.is_some_and(names_us))
    }
}

/// The address in an element of `X-Forwarded-For`: alone, or with the port that some proxies add.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bracketed = || -> Option<Ipv6Addr> { hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok() };
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    hop.parse().ok().or_else(with_port).or_else(|| bracketed().map(IpAddr::V6))
}

/// The first element of what a chain of proxies has written, each behind the one before.
pub(super) fn first_of_list(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()?.split(',').next().map(str::trim)
}

/// What tells one origin from another (RFC 6454 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WebOrigin {
    pub(super) https: bool,
    /// In lower case.
    pub(super) host: String,
    port: u16,
}

/// The origin of a URL such as `https://meet.example:8443`.
pub(super) fn authority(url: &str) -> Option<WebOrigin> {
    let uri: Uri = url.parse().ok()?;
    let https = match uri.scheme_str()? {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Some(WebOrigin { https, host, port: uri.port_u16().unwrap_or(standard(https)) })
}

const fn standard(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

/// A `Host` header's two parts; without a port, the scheme's own is meant.
fn host_and_port(host: &str, https: bool) -> Option<(String, u16)> {
    let authority: axum::http::uri::Authority = host.parse().ok()?;
    let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Some((name, authority.port_u16().unwrap_or(standard(https))))
}

/// Handshakes of TLS under way at once; for one more another gives way.
const HANDSHAKES: usize = 256;
/// Of all connections this part is kept for programs on this machine, named proxies, and where members are.
const RESERVED: usize = 8;
/// Sources of members that are remembered; for one more the oldest is forgotten.
const MEMBERS: usize = 1024;

/// The open connections, by where they come from.
#[derive(Debug)]
pub struct HttpConnections {
    per_source: usize,
    total: usize,
    open: Mutex<Open>,
}

/// What a connection does; one that asks nothing gives way where there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionStage {
    /// Its TLS is not up yet.
    Shaking,
    /// No request is complete, or the last one was answered.
    Resting,
    /// A request is under way, or its answer goes on.
    Busy,
}

#[derive(Debug)]
struct OpenConnection {
    source: ClientSource,
    stage: ConnectionStage,
    /// Since when, counted in events.
    since: u64,
    /// It may use what is reserved.
    preferred: bool,
    gives_way: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Open {
    /// Counts events.
    events: u64,
    connections: HashMap<u64, OpenConnection>,
    by_source: HashMap<ClientSource, usize>,
    /// Where members have asked from, and when last.
    members: HashMap<ClientSource, u64>,
}

impl Open {
    fn next(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    fn of_source(&self, source: &ClientSource) -> usize {
        self.by_source.get(source).copied().unwrap_or_default()
    }

    fn remove(&mut self, id: u64) -> Option<OpenConnection> {
        let gone = self.connections.remove(&id)?;
        if let Some(count) = self.by_source.get_mut(&gone.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_source.remove(&gone.source);
            }
        }
        Some(gone)
    }

    /// Ends one of those that may go: of the source that has most connections the one that has rested longest.
    fn end_one(&mut self, may: impl Fn(&OpenConnection) -> bool) -> bool {
        let order = |one: &OpenConnection| (!one.preferred, self.of_source(&one.source), Reverse(one.since));
        let first = self.connections.iter().filter(|(_, one)| may(one)).max_by_key(|(_, one)| order(one));
        let Some(gone) = first.map(|(id, _)| *id).and_then(|id| self.remove(id)) else { return false };
        gone.gives_way.notify_one();
        true
    }

    fn set(&mut self, id: u64, stage: ConnectionStage) {
        let now = self.next();
        if let Some(connection) = self.connections.get_mut(&id) {
            (connection.stage, connection.since) = (stage, now);
        }
    }
}

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// This source holds as many as one may.
    Source,
    /// There are too many altogether.
    Server,
}

impl HttpConnections {
    /// None open yet; at most `total`, and `per_source` from one [`ClientSource`].
    #[must_use]
    pub fn new(per_source: usize, total: usize) -> Arc<Self> {
        Arc::new(Self { per_source, total, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more from `address`. A trusted proxy speaks for many, so only the total limits it. Where there is no room, a connection
    /// that asks nothing gives way: whoever opens them without end bars nobody but themselves.
    ///
    /// # Errors
    /// There is no room, and every other connection is in use.
    pub fn enter(self: &Arc<Self>, address: IpAddr, proxy: bool) -> Result<ConnectionSlot, Crowded> {
        let source = ClientSource::from(address);
        let mut open = self.open();
        let preferred = proxy || address.to_canonical().is_loopback() || open.members.contains_key(&source);
        let rests = |other: &OpenConnection| other.stage != ConnectionStage::Busy;
        let source_is_full = open.of_source(&source) >= self.per_source && !proxy;
        if source_is_full && !open.end_one(|other| other.source == source && rests(other)) {
            return Err(Crowded::Source);
        }
        let strangers = open.connections.values().filter(|other| !other.preferred).count();
        let full = open.connections.len() >= self.total || (!preferred && strangers >= self.total - self.total / RESERVED);
        if full && !open.end_one(|other| rests(other) && (preferred || !other.preferred)) {
            return Err(Crowded::Server);
        }
        let (id, gives_way) = (open.next(), Arc::new(Notify::new()));
        *open.by_source.entry(source).or_default() += 1;
        let (stage, notified) = (ConnectionStage::Resting, Arc::clone(&gives_way));
        open.connections.insert(id, OpenConnection { source, stage, since: id, preferred, gives_way: notified });
        drop(open);
        Ok(ConnectionSlot { id, source, gives_way, connections: Arc::clone(self) })
    }
}

/// One counted connection; dropping it makes room.
#[derive(Debug)]
pub struct ConnectionSlot {
    id: u64,
    source: ClientSource,
    gives_way: Arc<Notify>,
    connections: Arc<HttpConnections>,
}

impl ConnectionSlot {
    /// Its TLS is being set up. Where too many others are, one of them gives way.
    pub fn shakes(&self) {
        let shaking = |other: &OpenConnection| other.stage == ConnectionStage::Shaking;
        let mut open = self.connections.open();
        if open.connections.values().filter(|other| shaking(other)).count() >= HANDSHAKES {
            open.end_one(shaking);
        }
        open.set(self.id, ConnectionStage::Shaking);
    }

    /// It has asked for something, and is not to give way before it has its answer.
    pub fn asks(&self) {
        self.connections.open().set(self.id, ConnectionStage::Busy);
    }

    /// It asks nothing.
    pub fn rests(&self) {
        self.connections.open().set(self.id, ConnectionStage::Resting);
    }

    /// A member asks by it: its source has a part of the room from now on.
    pub fn is_members(&self) {
        let mut open = self.connections.open();
        let now = open.next();
        if open.members.len() >= MEMBERS
            && !open.members.contains_key(&self.source)
            && let Some(oldest) = open.members.iter().min_by_key(|(_, at)| **at).map(|(source, _)| *source)
        {
            open.members.remove(&oldest);
        }
        open.members.insert(self.source, now);
        if let Some(connection) = open.connections.get_mut(&self.id) {
            connection.preferred = true;
        }
    }

    /// Waits until it has to give way.
    pub async fn given_way(&self) {
        self.gives_way.notified().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.open().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::ip_network::BadIpNetwork;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn networks(texts: &[&str]) -> Vec<IpNetwork> {
        texts.iter().map(|text| text.parse().expect("a network")).collect()
    }

    fn peer(address: &str, proxy: bool) -> HttpPeer {
        let slot = HttpConnections::new(1, 1).enter(ip(address), proxy).expect("room");
        let at = Some(SocketAddr::new(ip("127.0.0.1"), 8080));
        HttpPeer { address: ip(address), at, tls: false, name: None, proxy, slot: Arc::new(slot) }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn ranges_contain_what_their_prefix_says() {
        let range: IpNetwork = "10.1.0.0/16".parse().expect("range");
        assert!(range.contains(ip("10.1.255.9")) && range.contains(ip("::ffff:10.1.2.3")));
        assert!(!range.contains(ip("10.2.0.0")) && !range.contains(ip("fd00::1")));
        assert!("0.0.0.0/0".parse::<IpNetwork>().expect("all").contains(ip("203.0.113.1")));
        assert!("fd00::/8".parse::<IpNetwork>().expect("range").contains(ip("fdff::1")));
        assert!(!"192.0.2.1".parse::<IpNetwork>().expect("one").contains(ip("192.0.2.2")));
        for bad in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/-1", "host/8"] {
            assert_eq!(bad.parse::<IpNetwork>(), Err(BadIpNetwork), "{bad}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_may_say_who_its_client_is() {
        let trusted = networks(&["10.0.0.0/8"]);
        let claimed = headers(&[("x-forwarded-for", "198.51.100.7")]);
        assert_eq!(peer("203.0.113.5", false).client(&claimed, &trusted), ip("203.0.113.5"));
        assert_eq!(peer("10.0.0.1", true).client(&claimed, &trusted), ip("198.51.100.7"));
    }

    #[test]
    fn what_a_client_writes_before_the_proxies_is_not_believed() {
        let trusted = networks(&["10.0.0.0/8"]);
        let chain = headers(&[("x-forwarded-for", "1.1.1.1, 198.51.100.7"), ("x-forwarded-for", "10.0.0.2")]);
        assert_eq!(peer("10.0.0.1", true).client(&chain, &trusted), ip("198.51.100.7"));
        let rubbish = headers(&[("x-forwarded-for", "nonsense")]);
        assert_eq!(peer("10.0.0.1", true).client(&rubbish, &trusted), ip("10.0.0.1"));
    }

    /// An address with a port behind it is that address: the clients of a proxy that adds ports are not one.
    #[test]
    fn x2_a_forwarded_address_may_have_a_port() {
        let client =
            |claimed: &str| peer("10.0.0.1", true).client(&headers(&[("x-forwarded-for", claimed)]), &networks(&["10.0.0.0/8"]));
        for claimed in ["198.51.100.7:4711", "198.51.100.7", "1.1.1.1, 198.51.100.7:1, 10.0.0.2:80", "::ffff:198.51.100.7"] {
            assert_eq!(client(claimed), ip("198.51.100.7"), "{claimed}");
        }
        for claimed in ["[2001:db8::7]:4711", "[2001:db8::7]", "2001:db8::7"] {
            assert_eq!(client(claimed), ip("2001:db8::7"), "{claimed}");
        }
        for rubbish in ["198.51.100.7:", "[2001:db8::7", "[198.51.100.7]", "unknown", "198.51.100.7:99999"] {
            assert_eq!(client(rubbish), ip("10.0.0.1"), "{rubbish}");
        }
    }

    /// An origin is ours if scheme host and port are those of the request or of the public address.
    #[test]
    fn u4_an_origin_is_ours_if_scheme_host_and_port() {
        let direct = peer("192.0.2.1", false);
        let same = |origin: &str, host: &str| direct.same_origin(&headers(&[("origin", origin), ("host", host)]), None);
        assert_eq!(same("http://meet.example:8080", "meet.example:8080"), Some(true));
        assert_eq!(same("http://Meet.example", "meet.example"), Some(true));
        assert_eq!(same("http://meet.example", "meet.example:80"), Some(true));
        assert_eq!(same("http://[::1]:8080", "[::1]:8080"), Some(true));
        for foreign in [
            "https://evil.example",
            "http://meet.example:81",
            "https://meet.example",
            "null",
            "",
            "file://",
            "http://meet.example.evil.example",
        ] {
            assert_eq!(same(foreign, "meet.example"), Some(false), "{foreign}");
        }
        let by_tls = HttpPeer { tls: true, ..peer("192.0.2.1", false) };
        let same = |origin: &str, host: &str| by_tls.same_origin(&headers(&[("origin", origin), ("host", host)]), None);
        assert_eq!(same("https://meet.example", "meet.example:443"), Some(true));
        assert_eq!(same("https://[::1]:8443", "[::1]:8443"), Some(true));
        assert_eq!(
            same("http://meet.example:8443", "meet.example:8443"),
            Some(false),
            "the same host without TLS is another site"
        );
        assert_eq!(direct.same_origin(&headers(&[("host", "meet.example")]), None), None);

        let behind = |proto: &'static str| {
            let proxied = [("origin", "https://meet.example"), ("host", "127.0.0.1:8080"), ("x-forwarded-host", "meet.example")];
            let proto = (!proto.is_empty()).then_some(("x-forwarded-proto", proto));
            headers(&proxied.into_iter().chain(proto).collect::<Vec<_>>())
        };
        assert_eq!(direct.same_origin(&behind(""), None), Some(false), "a stranger's X-Forwarded-Host counts for nothing");
        assert_eq!(direct.same_origin(&behind(""), Some("https://meet.example/")), Some(true));
        let proxy = peer("10.0.0.1", true);
        let told = |proto| proxy.same_origin(&behind(proto), None);
        assert_eq!((told(""), told("https"), told("http")), (Some(true), Some(true), Some(false)));
    }

    /// A request is secure by our tls by a named proxys or by the public address that it names.
    #[test]
    fn u4_a_request_is_secure_by_our_tls_by_a_named_proxys() {
        let (direct, proxy) = (peer("127.0.0.1", false), peer("127.0.0.1", true));
        let forwarded = headers(&[("host", "127.0.0.1:8080"), ("x-forwarded-proto", "https")]);
        assert!(!direct.secure(&forwarded, None) && proxy.secure(&forwarded, None));
        let (public, named) = (Some("https://meet.example"), headers(&[("host", "meet.example")]));
        assert!(direct.secure(&named, public) && !direct.secure(&named, Some("http://meet.example")));
        assert!(!direct.secure(&headers(&[("host", "127.0.0.1:8080")]), public), "asked on this machine, past the proxy");
    }

    /// A chain of proxies is https where the browser's end is, in whatever letters, and a silent one where the page says so.
    #[test]
    fn u4_https_is_what_the_browser_speaks_to_the_first_proxy() {
        let proxy = peer("10.0.0.1", true);
        for (proto, secure) in [
            ("https, http", true),
            ("https,https", true),
            ("HTTPS", true),
            ("http, https", false),
            ("http", false),
            ("", false),
            ("httpsx", false),
        ] {
            let told = headers(&[("host", "meet.example"), ("origin", "https://meet.example"), ("x-forwarded-proto", proto)]);
            assert_eq!((proxy.secure(&told, None), proxy.same_origin(&told, None)), (secure, Some(secure)), "{proto}");
        }
        let chain = [
            ("host", "10.0.0.1:8080"),
            ("origin", "https://meet.example"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "meet.example, inner.example"),
        ];
        assert_eq!(proxy.same_origin(&headers(&chain), None), Some(true), "the name that the browser knows");
        let silent = headers(&[("host", "meet.example"), ("origin", "https://meet.example")]);
        assert_eq!((proxy.secure(&silent, None), proxy.same_origin(&silent, None)), (true, Some(true)));
        assert!(!peer("192.0.2.1", false).secure(&silent, None), "a stranger's Origin proves nothing");
    }

    /// One source cannot take all connections and gives back what it drops.
    #[test]
    fn one_source_cannot_take_all_connections_and_gives_back() {
        let connections = HttpConnections::new(2, 5);
        let one = connections.enter(ip("2001:db8::1"), false).expect("first");
        let two = connections.enter(ip("2001:db8::ffff"), false).expect("second, of the same /64");
        for slot in [&one, &two] {
            slot.asks();
        }
        assert_eq!(connections.enter(ip("2001:db8::2"), false).map(drop), Err(Crowded::Source));
        let other = connections.enter(ip("192.0.2.1"), false).expect("another source");
        drop(one);
        let again = connections.enter(ip("2001:db8::3"), false).expect("room again");
        let proxied: Vec<_> = (0..2).map_while(|_| connections.enter(ip("10.0.0.1"), true).ok()).collect();
        for slot in [&again, &other].into_iter().chain(&proxied) {
            slot.asks();
        }
        assert_eq!(connections.enter(ip("10.0.0.1"), true).map(drop), Err(Crowded::Server));
        drop(proxied);
        assert_eq!(connections.open.lock().expect("lock").by_source.len(), 2);
    }

    async fn gave_way(slot: &ConnectionSlot) -> bool {
        tokio::time::timeout(std::time::Duration::ZERO, slot.given_way()).await.is_ok()
    }

    /// A full server ends a connection that asks nothing, of the source that has most of them, and keeps room for whom it knows.
    #[tokio::test]
    async fn x2_connections_that_ask_nothing_give_way() {
        let connections = HttpConnections::new(6, 8);
        let enter = |address: &str| connections.enter(ip(address), false);
        let honest = enter("192.0.2.1").expect("room");
        let flood: Vec<_> = (0..6).map_while(|_| enter("198.51.100.1").ok()).collect();
        let (asks, first) = (&flood[0], &flood[1]);
        asks.asks();
        let more = enter("203.0.113.1").expect("a connection of the flood gives way");
        assert!(gave_way(first).await && !gave_way(asks).await && !gave_way(&honest).await);
        let here = enter("127.0.0.1").expect("room is kept for this machine");
        for slot in flood.iter().chain([&honest, &more, &here]) {
            slot.asks();
        }
        assert_eq!(enter("203.0.113.2").map(drop), Err(Crowded::Server), "everybody is in use");
        more.is_members();
        drop(here);
        let _member = enter("203.0.113.1").expect("where members are there is room");
        honest.rests();
        assert!(enter("203.0.113.2").is_ok() && gave_way(&honest).await, "who has its answer gives way");
    }

    /// Handshakes of TLS that are not finished give way to others.
    #[tokio::test]
    async fn x2_handshakes_that_never_end_give_way() {
        let connections = HttpConnections::new(512, 4096);
        let mut shaking: Vec<_> = (0..HANDSHAKES).filter_map(|_| connections.enter(ip("192.0.2.1"), false).ok()).collect();
        shaking.iter().for_each(ConnectionSlot::shakes);
        let honest = connections.enter(ip("198.51.100.1"), false).expect("room");
        honest.shakes();
        assert!(gave_way(&shaking.remove(0)).await && !gave_way(&honest).await);
    }
}
