//! [`Source`]: whose budgets and tries something counts among (X-2, K-1).

use std::fmt;
use std::net::IpAddr;

use crate::sip::masking;
use crate::sip::message::Request;
use crate::sip::message::header::{NameAddr, Via};
use crate::sip::message::header_names;
use crate::sip::message::uri::Host;

/// Longest name of a caller behind a trusted address that is kept, in characters.
const CALLER: usize = 100;

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// An address; of IPv6 the /64: whoever has one address there has all.
    Address(IpAddr),
    /// A caller behind a trusted address: where that has it from or, if it does not say so, whom the caller claims to be.
    Behind(IpAddr, Box<str>),
}

impl Source {
    /// An address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        Self::Address(match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(six) => match six.to_ipv4_mapped() {
                Some(four) => four.into(),
                None => std::net::Ipv6Addr::from_bits(six.to_bits() >> 64 << 64).into(),
            },
        })
    }

    /// A device of ours at an address.
    #[must_use]
    pub fn device(ip: IpAddr, label: &str) -> Self {
        match Self::of(ip) {
            Self::Address(ip) | Self::Behind(ip, _) => Self::Behind(ip, label.into()),
        }
    }

    /// All callers of an address together. No caller can say a name with a blank in it.
    pub(super) fn together(ip: IpAddr) -> Self {
        Self::device(ip, "all callers")
    }

    /// The caller of a request that came through a trusted address.
    #[must_use]
    pub fn behind(ip: IpAddr, request: &Request) -> Self {
        let via = request.headers.values(header_names::VIA).nth(1).and_then(Via::parse);
        let hop = via.map(|via| match via.params.get("received").and_then(|text| text.trim_matches(['[', ']']).parse().ok()) {
            Some(received) => Host::Ip(received).to_string(),
            None => via.host.to_string(),
        });
        let claimed = || {
            let from = request.headers.get(header_names::FROM).and_then(NameAddr::parse)?.uri;
            let host = from.host.map(|host| host.to_string()).unwrap_or_default();
            Some(format!("{}@{host}", from.user.unwrap_or_default()))
        };
        let caller = hop.or_else(claimed).unwrap_or_default();
        let plain = caller.chars().filter(|letter| !letter.is_control()).take(CALLER).collect::<String>();
        Self::Behind(ip, plain.to_ascii_lowercase().into())
    }

    /// The address that it is, or that it is behind.
    #[must_use]
    pub fn address(&self) -> Self {
        match self {
            Self::Address(_) => self.clone(),
            Self::Behind(ip, _) => Self::of(*ip),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(ip) => ip.fmt(f),
            Self::Behind(ip, caller) => write!(f, "{} behind {ip}", masking::caller(caller)),
        }
    }
}
