//! [`PeerPolicies`]: what is configured for the calls of one device or trunk.

use std::collections::BTreeMap;

use crate::sip::Identity;

/// Policies as configured, by label, where set.
#[derive(Debug, Clone)]
pub struct PeerPolicies<P> {
    /// Of devices.
    pub devices: BTreeMap<String, P>,
    /// Of trunks.
    pub trunks: BTreeMap<String, P>,
}

impl<P> Default for PeerPolicies<P> {
    fn default() -> Self {
        Self { devices: BTreeMap::new(), trunks: BTreeMap::new() }
    }
}

impl<P: Copy> PeerPolicies<P> {
    /// The policy for a call that comes from there.
    #[must_use]
    pub fn of(&self, identity: Option<&Identity>) -> Option<P> {
        match identity {
            Some(Identity::Device(label)) => self.of_device(label),
            Some(Identity::Trunk(label)) => self.trunks.get(&**label).copied(),
            Some(Identity::Account(_) | Identity::Unlisted) | None => None,
        }
    }

    /// The policy for a device that is called.
    #[must_use]
    pub fn of_device(&self, label: &str) -> Option<P> {
        self.devices.get(label).copied()
    }
}
