//! SIP, SIPS and tel URIs, and the hosts in them (RFC 3261 section 19.1, RFC 3966). Any other scheme is kept as text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A host as written in a URI or a Via.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name, in lower case.
    Name(String),
    /// A literal address.
    Ip(IpAddr),
}

impl Host {
    /// Reads a host without port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']')?;
            let inner = inner.split('%').next()?;
            return inner.parse::<Ipv6Addr>().ok().map(|ip| Self::Ip(ip.into()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        // Some phones leave the brackets out.
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Some(Self::Ip(ip.into()));
        }
        let fits = !text.is_empty() && text.len() <= 255;
        let legal = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        (fits && legal).then(|| Self::Name(text.to_ascii_lowercase()))
    }

    /// Reads `host[:port]`; blanks around the colon are forgiven.
    #[must_use]
    pub fn parse_with_port(text: &str) -> Option<(Self, Option<u16>)> {
        let text = text.trim();
        if text.starts_with('[') {
            let (host, rest) = text.split_at(text.find(']')? + 1);
            let rest = rest.trim();
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(port.trim().parse().ok()?),
                None if rest.is_empty() => None,
                None => return None,
            };
            return Some((Self::parse(host)?, port));
        }
        if text.matches(':').count() > 1 {
            return Some((Self::parse(text)?, None));
        }
        match text.split_once(':') {
            Some((host, port)) => Some((Self::parse(host)?, Some(port.trim().parse().ok()?))),
            None => Some((Self::parse(text)?, None)),
        }
    }

    /// The address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
        }
    }
}

/// `;name` and `;name=value` in order. Names are compared without case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// Reads `a=b;c`. Quoted values keep their quotes; empty parts are skipped.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let pairs = super::wire::split_outside(text, ';').map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_owned(), Some(value.trim().to_owned())),
            None => (part.to_owned(), None),
        });
        Self(pairs.filter(|(name, _)| !name.is_empty()).collect())
    }

    /// Whether the parameter is there, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }

    /// The value of the first parameter of this name; `None` also when it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_deref())
    }

    /// Sets or adds a parameter.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        match self.0.iter_mut().find(|(given, _)| given.eq_ignore_ascii_case(name)) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
        }
        Ok(())
    }
}

/// What kind of address a URI is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Anything else (`urn:service:sos`), in lower case; the rest is in [`Uri::user`].
    Other(String),
}

/// One URI. Printing gives back an equivalent text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// What stands before `@`, still escaped; the number of a `tel:`; all of an unknown scheme.
    pub user: Option<String>,
    /// The host; `None` for `tel:` and unknown schemes.
    pub host: Option<Host>,
    /// The port, if written.
    pub port: Option<u16>,
    /// Parameters after the host.
    pub params: Params,
    /// What follows `?`, escaped.
    pub headers: Option<String>,
}

impl Uri {
    /// `sip:` with an address and nothing else.
    #[must_use]
    pub fn of_address(address: SocketAddr) -> Self {
        let (host, port) = (Some(Host::Ip(address.ip())), Some(address.port()));
        Self { scheme: Scheme::Sip, user: None, host, port, params: Params::default(), headers: None }
    }

    /// Reads a URI without angle brackets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ' || byte == b'<' || byte == b'>') {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        let named = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !named || !scheme.starts_with(|letter: char| letter.is_ascii_alphabetic()) || rest.is_empty() {
            return None;
        }
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "sip" => Scheme::Sip,
            "sips" => Scheme::Sips,
            "tel" => {
                let (number, params) = rest.split_once(';').unwrap_or((rest, ""));
                let digits = number.bytes().any(|byte| byte.is_ascii_alphanumeric());
                let legal = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.()*#".contains(&byte));
                let (user, params) = (Some(number.to_owned()), Params::parse(params));
                return (digits && legal).then_some(Self {
                    scheme: Scheme::Tel,
                    user,
                    host: None,
                    port: None,
                    params,
                    headers: None,
                });
            }
            other => {
                let (scheme, user) = (Scheme::Other(other.to_owned()), Some(rest.to_owned()));
                return Some(Self { scheme, user, host: None, port: None, params: Params::default(), headers: None });
            }
        };
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, rest),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers.to_owned())),
            None => (rest, None),
        };
        let (host, params) = rest.split_once(';').unwrap_or((rest, ""));
        // Without brackets nobody knows where an IPv6 address ends and a port begins (RFC 5118 section 4.2).
        if !host.trim_start().starts_with('[') && host.matches(':').count() > 1 {
            return None;
        }
        let (host, port) = Host::parse_with_port(host)?;
        Some(Self { scheme, user, host: Some(host), port, params: Params::parse(params), headers })
    }

    /// The user part with escapes resolved and a password cut off; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn user_text(&self) -> Option<String> {
        let user = self.user.as_deref()?;
        let user = match self.scheme {
            Scheme::Sip | Scheme::Sips => user.split(':').next().unwrap_or(user),
            Scheme::Tel | Scheme::Other(_) => user,
        };
        Some(unescape(user))
    }

    /// Whether both mean the same (RFC 3261 section 19.1.4), of SIP and SIPS addresses. Escapes and the case of hosts and of names do not
    /// count; a parameter that only one has counts if it says how or to whom a request goes.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        let value = |uri: &Self, name: &str| uri.params.get(name).map(str::to_ascii_lowercase);
        let deciding = ["transport", "user", "ttl", "method", "maddr"];
        let common = self.params.iter().filter(|(name, _)| other.params.has(name)).map(|(name, _)| name);
        (&self.scheme, self.user_text(), &self.host, self.port) == (&other.scheme, other.user_text(), &other.host, other.port)
            && deciding.into_iter().chain(common).all(|name| value(self, name) == value(other, name))
    }

    /// Whether a route with this URI is loose (`;lr`, RFC 3261 section 19.1.1).
    #[must_use]
    pub fn is_loose_route(&self) -> bool {
        self.params.has("lr")
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scheme {
            Scheme::Sip => f.write_str("sip:")?,
            Scheme::Sips => f.write_str("sips:")?,
            Scheme::Tel => f.write_str("tel:")?,
            Scheme::Other(other) => write!(f, "{other}:")?,
        }
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if self.host.is_some() {
                f.write_str("@")?;
            }
        }
        if let Some(host) = &self.host {
            host.fmt(f)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        if let Some(headers) = &self.headers {
            write!(f, "?{headers}")?;
        }
        Ok(())
    }
}

/// Resolves `%XX`; an escape that is none stays as it is.
pub(in crate::sip) fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|&byte| char::from(byte).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_that_phones_write_survive_a_round_trip() {
        for text in [
            "sip:1001@192.0.2.1:5070;transport=tcp",
            "sips:alice:secret@example.com?subject=x",
            "sip:[2001:db8::1]:5060;lr",
            "sip:+1555;phone-context=+1@example.com;user=phone",
            "tel:+1-201-555-0123;ext=7",
            "urn:service:sos",
            "sip:a%20b@host;lr=on",
        ] {
            let uri = Uri::parse(text).unwrap();
            assert_eq!(uri.to_string(), text);
            assert_eq!(Uri::parse(&uri.to_string()).unwrap(), uri);
        }
    }

    #[test]
    fn parts_are_found() {
        let uri = Uri::parse("SIP:j%40x:pw@[::1]:5062;Transport=TCP;lr").unwrap();
        assert_eq!(uri.user_text().unwrap(), "j@x");
        assert_eq!(uri.host.as_ref().and_then(Host::ip), Some("::1".parse().unwrap()));
        assert_eq!((uri.port, uri.params.get("transport"), uri.is_loose_route()), (Some(5062), Some("TCP"), true));
        assert_eq!(Uri::parse("tel:+49(30)1").unwrap().user_text().unwrap(), "+49(30)1");
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip:",
            "alice",
            "sip:a@",
            "sip:a@h:99999",
            "sip:a b@h",
            ":x",
            "sip:a@[::1",
            "sip:a@h o",
            "tel:",
            "1:2",
            "sip:a@b/c",
        ] {
            assert!(Uri::parse(text).is_none(), "{text}");
        }
    }
}
