//! Who is at the other end of a connection, and whether it is still needed.

use super::ConnectionId;
use super::endpoint::Endpoint;

/// What is known of whoever is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerStanding {
    /// It has said nothing that can be read.
    Silent,
    /// It has, and proved nothing.
    Heard,
    /// A configured device or trunk, a peer that we have called, or one that has proved who it is.
    Known,
}

/// Whoever is at the other end of a connection.
#[derive(Debug, Default)]
pub(in crate::sip) struct OtherEnd {
    /// The names of its certificate.
    pub(in crate::sip) names: Vec<String>,
    /// It has sent a message that could be read.
    pub(in crate::sip) is_heard: bool,
    /// It has proved that it is a device, trunk or account of ours, or we have called it.
    pub(in crate::sip) is_known: bool,
}

impl Endpoint {
    /// Whether a connection carries a call or leads to a device that is registered or subscribed, so that it must not be closed for silence.
    #[must_use]
    pub fn uses(&self, connection: ConnectionId) -> bool {
        self.registrar.uses(connection)
            || self.registers_by(connection)
            || self.subscriptions.values().any(|known| known.is_told_by(connection))
            || self.calls.values().any(|call| call.flow.connection == Some(connection))
    }

    /// What is known of whoever is at the other end of a connection.
    #[must_use]
    pub fn standing(&self, connection: ConnectionId) -> PeerStanding {
        let Some(other) = self.connections.get(&connection) else { return PeerStanding::Silent };
        match (other.is_known || self.settings.known.by_certificate(&other.names).is_some(), other.is_heard) {
            (true, _) => PeerStanding::Known,
            (false, true) => PeerStanding::Heard,
            (false, false) => PeerStanding::Silent,
        }
    }
}
