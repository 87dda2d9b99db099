//! Whose tries of codes a call's are (K-1, X-2): a stranger's are its address's, a trunk's or account's are each caller's own, and a device's
//! follow the device, so that phones behind one router do not answer for each other.

use super::Flow;
use super::endpoint::Endpoint;
use super::guard::Source;
use super::identity::Identity;
use super::message::Request;

impl Endpoint {
    /// Whose tries they are, for a request that was found to be from `identity`.
    pub(super) fn caller(&self, flow: &Flow, identity: Option<&Identity>, request: &Request) -> Source {
        let address = flow.peer.ip();
        match identity {
            Some(Identity::Device(label)) => Source::device(address, label),
            Some(Identity::Trunk(_) | Identity::Account(_)) => Source::behind(address, request),
            _ if self.is_trusted(flow) => Source::behind(address, request),
            Some(Identity::Unlisted) | None => Source::of(address),
        }
    }
}
