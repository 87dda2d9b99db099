//! [`HttpPeer`]: the other end of a connection, and the client behind it where that is a trusted proxy (X-2, U-4).

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, header};

use super::connections::ConnectionSlot;
use super::web_origin::{WebOrigin, first_of_list, host};
use crate::common::ip_network::IpNetwork;

/// The connection a request came by.
#[derive(Clone)]
pub(super) struct HttpPeer {
    /// The other end's address: a client's, or a proxy's.
    pub(super) address: IpAddr,
    /// Our end of the connection; `None`: the socket in the state directory, whose other end is the operator.
    pub(super) at: Option<SocketAddr>,
    /// It came by TLS to us.
    pub(super) tls: bool,
    /// The name that the certificate was asked for (RFC 6066 section 3).
    pub(super) name: Option<Arc<str>>,
    /// It is one of `trusted_proxies`.
    pub(super) proxy: bool,
    /// Its place among the connections of its address; held as long as anything of the connection lives.
    pub(super) slot: Arc<ConnectionSlot>,
}

impl HttpPeer {
    /// The client's address: the connection's, or, behind trusted proxies, the last one that they did not add themselves.
    pub(super) fn client(&self, headers: &HeaderMap, trusted: &[IpNetwork]) -> IpAddr {
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
    pub(super) const fn is_operator(&self) -> bool {
        self.at.is_none()
    }

    /// Whether the client is a program on this machine. A proxy here, named or not, asks for anybody.
    pub(super) fn is_local(&self, headers: &HeaderMap) -> bool {
        let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
        self.address.to_canonical().is_loopback() && !self.proxy && !forwarded
    }

    /// Whether the client's end is https, so that a cookie may be kept to it: we speak TLS, or a trusted proxy says that it does, or, where
    /// it says nothing, the page that asks; or the request was sent to `public_url`, which says so.
    pub(super) fn is_secure(&self, headers: &HeaderMap, public_url: Option<&str>) -> bool {
        let origin = || headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).and_then(WebOrigin::of_url);
        let forwarded = || match headers.get("x-forwarded-proto").filter(|_| self.proxy) {
            // Each proxy of a chain adds how it was reached. The first is the browser's end; what it claims there concerns itself alone.
            Some(protos) => first_of_list(protos).is_some_and(|proto| proto.eq_ignore_ascii_case("https")),
            None => self.proxy && origin().is_some_and(|origin| origin.https),
        };
        let public = || {
            let public = public_url.and_then(WebOrigin::of_url).filter(|public| public.https);
            public.is_some_and(|public| host(headers).is_some_and(|host| public.host.eq_ignore_ascii_case(host)))
        };
        self.tls || forwarded() || public()
    }

    /// Whether the request's `Origin` is this server, by scheme, host and port (U-4). `None` when it has no `Origin`: then no browser script sent
    /// it.
    pub(super) fn same_origin(&self, headers: &HeaderMap, public_url: Option<&str>) -> Option<bool> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let origin = origins.next()?;
        if origins.next().is_some() {
            return Some(false);
        }
        let Some(origin) = origin.to_str().ok().and_then(WebOrigin::of_url) else { return Some(false) };
        if public_url.and_then(WebOrigin::of_url).is_some_and(|public| public == origin) {
            return Some(true);
        }
        // A proxy that does not say how it was reached may have been reached either way.
        let told = !self.proxy || headers.contains_key("x-forwarded-proto");
        if told && origin.https != self.is_secure(headers, public_url) {
            return Some(false);
        }
        let named = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let forwarded = headers.get("x-forwarded-host").filter(|_| self.proxy).and_then(first_of_list);
        Some([named, forwarded].into_iter().flatten().any(|host| origin.is_named_by(host)))
    }
}

/// The address in an element of `X-Forwarded-For`: alone, or with the port that some proxies add.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bracketed = || -> Option<Ipv6Addr> { hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok() };
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    hop.parse().ok().or_else(with_port).or_else(|| bracketed().map(IpAddr::V6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::ip_network::BadIpNetwork;
    use crate::http::connections::HttpConnections;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn networks(texts: &[&str]) -> Vec<IpNetwork> {
        texts.iter().map(|text| text.parse().expect("a network")).collect()
    }

    fn peer(address: &str, proxy: bool) -> HttpPeer {
        let slot = HttpConnections::new(1, 1).open(ip(address), proxy).expect("room");
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
        assert!(!direct.is_secure(&forwarded, None) && proxy.is_secure(&forwarded, None));
        let (public, named) = (Some("https://meet.example"), headers(&[("host", "meet.example")]));
        assert!(direct.is_secure(&named, public) && !direct.is_secure(&named, Some("http://meet.example")));
        assert!(!direct.is_secure(&headers(&[("host", "127.0.0.1:8080")]), public), "asked on this machine, past the proxy");
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
            assert_eq!((proxy.is_secure(&told, None), proxy.same_origin(&told, None)), (secure, Some(secure)), "{proto}");
        }
        let chain = [
            ("host", "10.0.0.1:8080"),
            ("origin", "https://meet.example"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "meet.example, inner.example"),
        ];
        assert_eq!(proxy.same_origin(&headers(&chain), None), Some(true), "the name that the browser knows");
        let silent = headers(&[("host", "meet.example"), ("origin", "https://meet.example")]);
        assert_eq!((proxy.is_secure(&silent, None), proxy.same_origin(&silent, None)), (true, Some(true)));
        assert!(!peer("192.0.2.1", false).is_secure(&silent, None), "a stranger's Origin proves nothing");
    }
}
