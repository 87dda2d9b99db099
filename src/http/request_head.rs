//! The target of the fuzzer for the head of a request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};

use super::connections::HttpConnections;
use super::host_check::is_ours;
use super::peer::HttpPeer;
use super::session;
use super::web_origin::{WebOrigin, host};

/// What is read of a request's head before anybody is known, for the fuzz target: the first line is `Host`, each further one a header of its
/// own. What must hold: no panic, and no other origin or host is taken for this server.
pub(crate) fn head(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut headers = HeaderMap::new();
    for (number, line) in text.lines().take(64).enumerate() {
        let (name, value) = if number == 0 { ("host", line) } else { line.split_once(':').unwrap_or(("cookie", line)) };
        if let (Ok(name), Ok(value)) = (name.trim().parse::<HeaderName>(), value.trim().parse()) {
            headers.append(name, value);
        }
    }
    let connections = HttpConnections::new(2, 2);
    for proxy in [false, true] {
        let address = IpAddr::from([192, 0, 2, 1]);
        let Ok(slot) = connections.open(address, proxy) else { return };
        let at = Some(SocketAddr::from(([192, 0, 2, 80], 8080)));
        let peer = HttpPeer { address, at, tls: false, name: None, proxy, slot: Arc::new(slot) };
        let public = Some("https://meet.example");
        let named = host(&headers).is_some_and(|host| is_ours(&peer, host, public));
        let same = peer.same_origin(&headers, public);
        let client = peer.client(&headers, &[]);
        if !proxy {
            assert_eq!(client, address, "a stranger speaks for itself");
            let origin = headers.get("origin").and_then(|origin| WebOrigin::of_url(origin.to_str().ok()?));
            let ours = |name: &str| host(&headers).is_none_or(|named| named.eq_ignore_ascii_case(name));
            assert!(same != Some(true) || origin.is_some_and(|origin| origin.host == "meet.example" || ours(&origin.host)));
            assert!(named || !host(&headers).is_some_and(|host| host.eq_ignore_ascii_case("meet.example")));
        }
        let _ = (peer.is_secure(&headers, public), peer.is_local(&headers));
    }
    let _ = text.lines().filter_map(session::id_of).count();
}
