//! [`IpNetwork`]: a range of addresses, as in `10.0.0.0/8`. The arithmetic is that of `ipnet`; this file adds what that lacks: IPv4 mapped into IPv6
//! counts as IPv4, a bare address is a network, and special-purpose addresses are known.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv6Net};

/// An address with the number of bits that count; the other bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpNetwork(IpNet);

/// Whether these networks leave nobody out: together they contain every IPv4 address, or every IPv6 address that is routed (2000::/3,
/// RFC 4291 section 2.4).
#[must_use]
pub fn contain_everybody(networks: &[IpNetwork]) -> bool {
    let everybody = [
        IpNet::new_assert(Ipv4Addr::UNSPECIFIED.into(), 0),
        IpNet::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0).into(), 3),
    ];
    // Merged, so that a range which several networks cover together lies in one of them.
    let merged = IpNet::aggregate(&networks.iter().map(|network| network.0).collect());
    merged.iter().any(|network| everybody.iter().any(|all| network.contains(all)))
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a network")]
pub struct BadIpNetwork;

impl IpNetwork {
    /// The network of the first `prefix` bits of `address`.
    ///
    /// # Errors
    /// [`BadIpNetwork`] if the address has fewer bits than that.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, BadIpNetwork> {
        IpNet::new(address.to_canonical(), prefix).map(|network| Self(network.trunc())).map_err(|_| BadIpNetwork)
    }

    /// Whether `address` lies inside. IPv4 inside IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether all of `other` lies inside.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// The address, if it is just one.
    #[must_use]
    pub fn host(&self) -> Option<IpAddr> {
        (self.0.prefix_len() == self.0.max_prefix_len()).then(|| self.0.addr())
    }

    /// Bits that count; of two networks that contain an address, the longer one describes it better.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.0.prefix_len()
    }
}

/// One subscriber for the purpose of limits: an IPv4 address, or an IPv6 /64, since whoever has one address of it has all.
#[must_use]
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Net::new_assert(v6, 64).network().into(),
        v4 => v4,
    }
}

impl FromStr for IpNetwork {
    type Err = BadIpNetwork;

    /// `10.0.0.0/8`, or a bare address for a network of one.
    fn from_str(text: &str) -> Result<Self, BadIpNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| BadIpNetwork)?)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| BadIpNetwork)?;
        match prefix {
            Some(prefix) => Self::new(address, prefix),
            None => Ok(Self(address.to_canonical().into())),
        }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether what is sent to an address stays on this machine or its link, or goes to a group: loopback, link-local, multicast, broadcast and
/// "this network" (RFC 6890). Nobody at another address can mean such a one by it.
#[must_use]
pub fn leads_inward(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(four) => {
            let inward = four.is_loopback() || four.is_link_local() || four.is_multicast() || four.is_broadcast();
            inward || four.octets()[0] == 0
        }
        IpAddr::V6(six) => six.is_loopback() || six.is_unicast_link_local() || six.is_multicast() || six.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_own_addresses_and_no_others() {
        let contains = |network: &str, address: &str| network.parse::<IpNetwork>().unwrap().contains(address.parse().unwrap());
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("10.1.2.3/8", "10.9.9.9"), "host bits do not matter");
        assert!(contains("192.0.2.1", "192.0.2.1") && !contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("0.0.0.0/0", "8.8.8.8") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("fc00::/7", "fd12::1") && !contains("fe80::/10", "fd12::1"));
        assert!(contains("::/0", "2001:db8::1") && contains("127.0.0.0/8", "::ffff:127.0.0.1"));
    }

    #[test]
    fn a_network_covers_smaller_ones_inside_it() {
        let network = |text: &str| text.parse::<IpNetwork>().unwrap();
        assert!(network("10.0.0.0/8").covers(&network("10.1.0.0/16")) && network("10.0.0.0/8").covers(&network("10.0.0.0/8")));
        assert!(!network("10.1.0.0/16").covers(&network("10.0.0.0/8")) && !network("10.0.0.0/8").covers(&network("11.0.0.1")));
    }

    #[test]
    fn s7_addresses_that_lead_inward_are_known_in_each_spelling() {
        let inward = |text: &str| leads_inward(text.parse().unwrap());
        for text in ["127.0.0.1", "127.9.9.9", "169.254.1.1", "224.0.0.1", "239.1.2.3", "255.255.255.255", "0.0.0.0", "0.1.2.3"] {
            assert!(inward(text) && inward(&format!("::ffff:{text}")), "{text}");
        }
        assert!(["::1", "::", "fe80::1", "ff02::1"].into_iter().all(inward));
        assert!(!["10.0.0.1", "192.168.1.1", "203.0.113.9", "fd00::1", "2001:db8::1"].into_iter().any(inward));
    }

    /// Networks that leave nobody out are known however they are cut.
    #[test]
    fn u2_networks_that_leave_nobody_out_are_known() {
        let everybody = |texts: &[&str]| {
            let networks: Vec<IpNetwork> = texts.iter().map(|text| text.parse().unwrap()).collect();
            contain_everybody(&networks)
        };
        assert!(everybody(&["0.0.0.0/0"]) && everybody(&["::/0"]) && everybody(&["2000::/3"]));
        assert!(everybody(&["10.0.0.0/8", "128.0.0.0/1", "0.0.0.0/1"]));
        assert!(everybody(&["0.0.0.0/2", "64.0.0.0/3", "96.0.0.0/3", "192.0.0.0/2", "128.0.0.0/2"]));
        assert!(everybody(&["2000::/4", "3000::/5", "3800::/5"]));
        for some in [&[][..], &["0.0.0.0/1"], &["128.0.0.0/1", "0.0.0.0/2"], &["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"]] {
            assert!(!everybody(some), "{some:?}");
        }
        let all_but_one: Vec<String> =
            (1..=32).map(|prefix| format!("{}/{prefix}", Ipv4Addr::from_bits(1 << (32 - prefix)))).collect();
        let all_but_one: Vec<&str> = all_but_one.iter().map(String::as_str).collect();
        assert!(!everybody(&all_but_one), "0.0.0.0 alone is missing");
        assert!(everybody(&[&all_but_one[..], &["0.0.0.0"]].concat()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "host/8"] {
            assert!(text.parse::<IpNetwork>().is_err(), "{text}");
        }
    }
}
