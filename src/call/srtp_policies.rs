//! [`SrtpPolicies`]: whether the media of a call is to be encrypted.

use std::net::SocketAddr;

use super::peer_policies::PeerPolicies;
use crate::sdp::SrtpPolicy;
use crate::sip::{Incoming, Transport};

/// The policy of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerPolicy {
    /// How its SIP is carried.
    pub transport: Transport,
    /// Where it listens, as configured: any address, and port 0, fit all.
    pub address: SocketAddr,
    /// What it asks for.
    pub srtp: SrtpPolicy,
}

/// Policies as configured. The one of the device decides, then that of the trunk, then that of the listener that the call came to.
#[derive(Debug, Clone, Default)]
pub struct SrtpPolicies {
    /// Of devices and trunks.
    pub peers: PeerPolicies<SrtpPolicy>,
    /// Of every listener.
    pub listeners: Vec<ListenerPolicy>,
}

impl SrtpPolicies {
    /// The policy for a call that comes.
    #[must_use]
    pub fn of(&self, incoming: &Incoming) -> SrtpPolicy {
        let named = self.peers.of(incoming.identity.as_ref());
        named.unwrap_or_else(|| self.of_listener(incoming.transport, incoming.local))
    }

    /// The policy for a device that is called.
    #[must_use]
    pub fn of_device(&self, label: &str) -> SrtpPolicy {
        self.peers.of_device(label).unwrap_or_default()
    }

    fn of_listener(&self, transport: Transport, local: SocketAddr) -> SrtpPolicy {
        let fits = |listener: &&ListenerPolicy| {
            let ListenerPolicy { transport: known, address, .. } = listener;
            *known == transport
                && (address.ip().is_unspecified() || address.ip() == local.ip())
                && (address.port() == 0 || address.port() == local.port())
        };
        self.listeners.iter().find(fits).map(|listener| listener.srtp).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The listener that a call came to says whether SRTP is required.
    #[test]
    fn a3_the_listener_of_a_call_has_its_policy() {
        let listener = |transport, address: &str, srtp| ListenerPolicy { transport, address: address.parse().unwrap(), srtp };
        let policies = SrtpPolicies {
            listeners: vec![
                listener(Transport::Tls, "0.0.0.0:5061", SrtpPolicy::Required),
                listener(Transport::Udp, "192.0.2.1:5060", SrtpPolicy::Off),
                listener(Transport::Tcp, "0.0.0.0:0", SrtpPolicy::Required),
            ],
            ..SrtpPolicies::default()
        };
        let of = |transport, local: &str| policies.of_listener(transport, local.parse().unwrap());
        assert_eq!(of(Transport::Tls, "192.0.2.1:5061"), SrtpPolicy::Required);
        assert_eq!(of(Transport::Udp, "192.0.2.1:5060"), SrtpPolicy::Off);
        assert_eq!(of(Transport::Udp, "192.0.2.2:5060"), SrtpPolicy::Preferred);
        assert_eq!(of(Transport::Tcp, "192.0.2.2:40000"), SrtpPolicy::Required);
        assert_eq!(policies.of_device("hall"), SrtpPolicy::Preferred);
    }
}
