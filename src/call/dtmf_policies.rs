//! [`DtmfPolicies`]: where the keys of a call are looked for.

use std::collections::BTreeMap;

use crate::media::DtmfPolicy;
use crate::sip::Identity;

/// Policies as configured, by label, where set.
#[derive(Debug, Clone, Default)]
pub struct DtmfPolicies {
    /// Of devices.
    pub devices: BTreeMap<String, DtmfPolicy>,
    /// Of trunks.
    pub trunks: BTreeMap<String, DtmfPolicy>,
}

impl DtmfPolicies {
    /// The policy for a call that comes from there.
    #[must_use]
    pub fn of(&self, identity: Option<&Identity>) -> DtmfPolicy {
        let named = match identity {
            Some(Identity::Device(label)) => self.devices.get(&**label),
            Some(Identity::Trunk(label)) => self.trunks.get(&**label),
            Some(Identity::Account(_) | Identity::Unlisted) | None => None,
        };
        named.copied().unwrap_or_default()
    }

    /// The policy for a device that is called.
    #[must_use]
    pub fn of_device(&self, label: &str) -> DtmfPolicy {
        self.devices.get(label).copied().unwrap_or_default()
    }
}
