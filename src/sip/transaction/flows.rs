//! [`Flows`]: the connections that are open, and what is known of whoever is at their other ends (RFC 5626).

use std::collections::HashMap;

use crate::sip::transport::{ConnectionId, Flow};

/// What is known of whoever is at the other end of a connection.
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
struct Peer {
    /// The names of its certificate.
    names: Vec<String>,
    /// It has sent a message that could be read.
    is_heard: bool,
    /// It has proved that it is a device, trunk or account of ours, or we have called it.
    is_known: bool,
}

/// Connections that are open.
#[derive(Debug, Default)]
pub(in crate::sip) struct Flows(HashMap<ConnectionId, Peer>);

impl Flows {
    pub(super) fn open(&mut self, connection: ConnectionId, names: Vec<String>) {
        self.0.insert(connection, Peer { names, ..Peer::default() });
    }

    pub(super) fn close(&mut self, connection: ConnectionId) {
        self.0.remove(&connection);
    }

    /// Something has come by a flow.
    pub(super) fn touched(&mut self, flow: &Flow) {
        if let Some(connection) = flow.connection {
            self.0.entry(connection).or_default();
        }
    }

    /// A message that could be read has come by a flow.
    pub(super) fn heard(&mut self, flow: &Flow) {
        if let Some(peer) = flow.connection.and_then(|id| self.0.get_mut(&id)) {
            peer.is_heard = true;
        }
    }

    /// Somebody known is at the other end.
    pub(in crate::sip) fn recognized(&mut self, flow: &Flow) {
        if let Some(connection) = flow.connection {
            self.0.entry(connection).or_default().is_known = true;
        }
    }

    /// Whether bytes can be written to this flow now.
    pub(in crate::sip) fn is_open(&self, flow: &Flow) -> bool {
        flow.connection.is_none_or(|connection| self.0.contains_key(&connection))
    }

    /// The names of the certificate at the other end of a flow.
    pub(in crate::sip) fn certificate(&self, flow: &Flow) -> Option<&[String]> {
        self.certificate_of(flow.connection?)
    }

    pub(in crate::sip) fn certificate_of(&self, connection: ConnectionId) -> Option<&[String]> {
        self.0.get(&connection).map(|peer| peer.names.as_slice())
    }

    pub(in crate::sip) fn standing(&self, connection: ConnectionId) -> PeerStanding {
        match self.0.get(&connection) {
            Some(Peer { is_known: true, .. }) => PeerStanding::Known,
            Some(Peer { is_heard: true, .. }) => PeerStanding::Heard,
            _ => PeerStanding::Silent,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
