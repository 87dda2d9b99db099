//! The names under which this server answers (U-4).
//!
//! A page that another site has loaded can point its own name at this server's address, and would then read what is answered to that name
//! (DNS rebinding). So a request must name us: by the host of `http.public_url`, by the address at which it came in, by a name of this very
//! machine, or, over TLS, by the name that the certificate was asked for.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::StatusCode;

use super::peer::HttpPeer;
use super::problem_details::ProblemDetails;
use super::state::AppState;
use super::web_origin::{WebOrigin, first_of_list, host, without_port};

/// Why a request is not looked at. Load balancers and supervisors ask how we are under whatever name.
pub(super) fn refused(app: &AppState, peer: &HttpPeer, request: &Request) -> Option<ProblemDetails> {
    if matches!(request.uri().path(), "/healthz" | "/readyz") || peer.is_operator() {
        return None;
    }
    let settings = &app.settings;
    if settings.tls.is_none() && !settings.address.ip().is_loopback() && !peer.proxy {
        let text =
            "This address serves its proxies alone (http.trusted_proxies): what is not encrypted does not cross the network.";
        return Some(ProblemDetails::new(StatusCode::FORBIDDEN, "proxies-only", text));
    }
    let web = app.web();
    let ours = |host: &str| is_ours(peer, host, web.public_url.as_deref());
    let target = request.uri().authority().map(|authority| authority.host());
    let forwarded = request.headers().get("x-forwarded-host").filter(|_| peer.proxy).map(first_of_list);
    let named = target.is_none_or(ours)
        && forwarded.is_none_or(|host| host.and_then(without_port).is_some_and(ours))
        && host(request.headers()).is_some_and(ours);
    (!named).then(|| {
        let text = "This server is not known by that name: set http.public_url to how browsers reach it.";
        ProblemDetails::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", text)
    })
}

/// A name of the machine that the browser runs on (RFC 6761 section 6.3).
pub(super) fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// Whether this name, or address, is ours for whoever has come by this connection.
pub(super) fn is_ours(peer: &HttpPeer, host: &str, public_url: Option<&str>) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let public = public_url.and_then(WebOrigin::of_url);
    if public.as_ref().is_some_and(|public| public.host.eq_ignore_ascii_case(host)) {
        return true;
    }
    // A proxy answers for the names that it serves, unless we are told ours.
    if peer.proxy && public.is_none() {
        return true;
    }
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || peer.at.is_some_and(|at| at.ip().to_canonical() == address.to_canonical()),
        Err(_) => is_localhost(host) || peer.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(host)),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;

    use axum::http::{HeaderMap, header};

    use super::*;
    use crate::http::connections::HttpConnections;

    fn peer(proxy: bool, name: Option<&str>) -> HttpPeer {
        let address = IpAddr::from([192, 0, 2, 1]);
        let slot = HttpConnections::new(1, 1).open(address, proxy).expect("room");
        let at = Some(SocketAddr::from(([192, 0, 2, 80], 8443)));
        HttpPeer { address, at, tls: name.is_some(), name: name.map(Into::into), proxy, slot: Arc::new(slot) }
    }

    /// A request names us by public url address this machine or certificate.
    #[test]
    fn u4_a_request_names_us_by_public_url_address_this_machine() {
        let (direct, public) = (peer(false, None), Some("https://Meet.example:8443"));
        for ours in ["meet.example", "MEET.EXAMPLE", "192.0.2.80", "127.0.0.1", "127.9.9.9", "::1", "localhost", "a.localhost"] {
            assert!(is_ours(&direct, ours, public), "{ours}");
        }
        for foreign in ["evil.example", "meet.example.evil.example", "192.0.2.81", "", "127.0.0.1.evil.example", "localhost.evil"]
        {
            assert!(!is_ours(&direct, foreign, public), "{foreign}");
        }
        assert!(!is_ours(&direct, "meet.example", None));
        assert!(is_ours(&peer(false, Some("gate.example")), "Gate.example", None));
        assert!(!is_ours(&peer(false, Some("gate.example")), "evil.example", None));
        assert!(is_ours(&peer(true, None), "meet.example", None) && !is_ours(&peer(true, None), "evil.example", public));
    }

    /// The host is read without its port and only if there is one.
    #[test]
    fn u4_the_host_is_read_without_its_port_and_only_if_there() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::HOST, value.parse().expect("a value"));
            }
            host(&headers).map(str::to_owned)
        };
        assert_eq!(read(&["meet.example:8443"]).as_deref(), Some("meet.example"));
        assert_eq!(read(&["[::1]:8080"]).as_deref(), Some("::1"));
        assert_eq!(read(&["meet.example:"]).as_deref(), Some("meet.example"), "an empty port is the scheme's own");
        for none in [&[][..], &[""], &[":80"], &["[::1"], &["a", "b"], &["a", "a"], &["us@evil.example"]] {
            assert_eq!(read(none), None, "{none:?}");
        }
        let broken =
            ["localhost:8080:x", "[::1]evil", "[::1]:80:80", "[localhost]", "localhost:+80", "localhost:99999", "a/b", "a b"];
        for authority in broken {
            assert_eq!(read(&[authority]), None, "{authority}");
        }
    }
}
