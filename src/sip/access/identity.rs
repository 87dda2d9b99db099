//! Who a request may come from (M-1): devices and trunks by their certificate, address or password, and networks whose callers need no entry.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::common::ip_network::IpNetwork;
use crate::sip::auth::Accounts;
use crate::sip::message::uri::Uri;

/// Who somebody was found to be. The text is the label of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A `[device.X]`.
    Device(Arc<str>),
    /// A `[sip.trunk.X]`: a PBX or provider that many callers come through.
    Trunk(Arc<str>),
    /// A `[sip.account.X]`: somebody who called where we are registered.
    Account(Arc<str>),
    /// Nobody in particular, from a network whose callers are taken as they are.
    Unlisted,
}

/// Whether somebody is no device, trunk or account of ours.
pub(in crate::sip) const fn is_stranger(identity: Option<&Identity>) -> bool {
    matches!(identity, None | Some(Identity::Unlisted))
}

/// By what somebody was found to be who they are: kept with what they are told (N-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proof {
    /// A password (RFC 8760).
    Digest,
    /// The certificate of their TLS connection.
    Certificate,
    /// The address that they send from.
    Address,
    /// They called where we are registered: the PBX has let them through.
    Account,
    /// We called them where they had registered.
    Registration,
    /// None was asked for.
    #[default]
    None,
}

impl Proof {
    /// Whether it is more than where somebody's messages come from.
    #[must_use]
    pub const fn is_strong(self) -> bool {
        matches!(self, Self::Digest | Self::Certificate)
    }

    /// As the ledger words it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::Certificate => "certificate",
            Self::Address => "address",
            Self::Account => "account",
            Self::Registration => "registration",
            Self::None => "none",
        }
    }
}

/// Everybody who is known, and how.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// By address; of two networks that contain one, the longer prefix means it.
    pub addresses: Vec<(IpNetwork, Identity)>,
    /// By a name of their TLS certificate, in lower case.
    pub certificates: HashMap<String, Identity>,
    /// Callers from here need no entry.
    pub allowed: Vec<IpNetwork>,
    /// By password: devices.
    pub accounts: Accounts,
    /// Where devices can be called that do not register, by label (S-9).
    pub callable: HashMap<Arc<str>, Uri>,
}

impl Known {
    /// Who lives at an address.
    #[must_use]
    pub fn by_address(&self, address: IpAddr) -> Option<&Identity> {
        let fitting = self.addresses.iter().filter(|(network, _)| network.contains(address));
        fitting.max_by_key(|(network, _)| network.prefix()).map(|(_, identity)| identity)
    }

    /// The device with this label, if it is known by anything but a password.
    #[must_use]
    pub fn label(&self, label: &str) -> Option<&Arc<str>> {
        let named = self.addresses.iter().map(|(_, identity)| identity).chain(self.certificates.values());
        let devices = named.filter_map(|identity| match identity {
            Identity::Device(device) => Some(device),
            _ => None,
        });
        devices.chain(self.callable.keys()).find(|device| ***device == *label)
    }

    /// Who has a certificate with one of these names.
    #[must_use]
    pub fn by_certificate(&self, names: &[String]) -> Option<&Identity> {
        names.iter().find_map(|name| self.certificates.get(name))
    }

    /// Whether there is anybody who is known.
    #[must_use]
    pub fn is_anybody(&self) -> bool {
        !(self.addresses.is_empty() && self.certificates.is_empty() && self.accounts.users.is_empty())
    }

    /// Whether callers from an address need no entry.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|network| network.contains(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_says_who_lives_at_an_address() {
        let device = |label: &str| Identity::Device(label.into());
        let addresses = [("10.0.0.0/8", "floor"), ("10.0.0.7", "phone"), ("10.0.0.0/24", "wing")]
            .map(|(network, label)| (network.parse().unwrap(), device(label)))
            .into();
        let known = Known { addresses, ..Known::default() };
        let at = |address: &str| known.by_address(address.parse().unwrap()).cloned();
        assert_eq!(
            (at("10.0.0.7"), at("10.0.0.8"), at("10.9.9.9")),
            (Some(device("phone")), Some(device("wing")), Some(device("floor")))
        );
        assert_eq!(at("192.0.2.1"), None);
    }
}
