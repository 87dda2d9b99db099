//! [`PageAddress`]: where browsers reach the pages, for links that are told as a whole (U-1).

use std::net::SocketAddr;

/// The path at which a link's token is exchanged.
pub(super) fn link_path(token: &str) -> String {
    format!("/enter?token={token}")
}

/// Where browsers reach the pages of a server that runs, unless `public_url` says another place.
#[derive(Debug, Clone)]
pub struct PageAddress(String);

impl PageAddress {
    /// `listening`: where it really listens. One that listens at every address is reached at the first that media are told to browsers by.
    pub(super) fn new(listening: SocketAddr, tls: bool, media_candidates: &[SocketAddr]) -> Self {
        let scheme = if tls { "https" } else { "http" };
        let every = listening.ip().is_unspecified();
        let host = if every { media_candidates.first().map(SocketAddr::ip) } else { Some(listening.ip()) };
        Self(match host {
            Some(host) => format!("{scheme}://{}", SocketAddr::new(host, listening.port())),
            None => format!("{scheme}://localhost:{}", listening.port()),
        })
    }

    /// The whole of a link. `public_url`: that of the settings in force.
    #[must_use]
    pub fn link(&self, public_url: Option<&str>, token: &str) -> String {
        format!("{}{}", public_url.unwrap_or(&self.0).trim_end_matches('/'), link_path(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link names the public URL or else the address that is really listened at.
    #[test]
    fn u1_a_link_names_where_the_pages_really_are() {
        let candidates = ["192.0.2.7:8189".parse().unwrap(), "127.0.0.1:8189".parse().unwrap()];
        for (listening, tls, candidates, public_url, link) in [
            ("127.0.0.1:8080", false, &candidates[..], None, "http://127.0.0.1:8080/enter?token=T"),
            ("[::1]:8080", false, &candidates, None, "http://[::1]:8080/enter?token=T"),
            ("192.0.2.9:8443", true, &candidates, None, "https://192.0.2.9:8443/enter?token=T"),
            ("0.0.0.0:8443", true, &candidates, None, "https://192.0.2.7:8443/enter?token=T"),
            ("[::]:8443", true, &[], None, "https://localhost:8443/enter?token=T"),
            ("127.0.0.1:8080", false, &candidates, Some("https://meet.example"), "https://meet.example/enter?token=T"),
            ("127.0.0.1:8080", false, &candidates, Some("https://meet.example/"), "https://meet.example/enter?token=T"),
        ] {
            let pages = PageAddress::new(listening.parse().unwrap(), tls, candidates);
            assert_eq!(pages.link(public_url, "T"), link, "{listening} {public_url:?}");
        }
    }
}
