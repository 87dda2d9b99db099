//! Connections, and which of them gives way when there are too many.
//!
//! A *stranger* is a connection that nobody known is at the other end of, as far as anybody has proven. Strangers have a share of all
//! connections, and each address a share of that. Where either is full the newest gets in, and one that has said nothing that can be read
//! gives way to it, the oldest first; without such a one, the stranger that has been quiet for the longest time and carries nothing.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use hashlink::LinkedHashSet;

use super::stream::Connection;
use crate::sip::access::source::Source;
use crate::sip::{ConnectionId, Limits, PeerStanding};

/// Whether one more may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionRoom {
    Free,
    /// Once this one is closed.
    After(ConnectionId),
    None,
}

/// All that are open. See the file's paragraph.
pub(super) struct StreamConnections<C = Connection> {
    all: HashMap<ConnectionId, (Source, C)>,
    of_source: HashMap<Source, BTreeSet<ConnectionId>>,
    /// Strangers by age: numbers grow.
    silent: BTreeSet<ConnectionId>,
    /// Strangers by the time since their last message, the longest first.
    heard: LinkedHashSet<ConnectionId>,
}

impl<C> Default for StreamConnections<C> {
    fn default() -> Self {
        Self { all: HashMap::new(), of_source: HashMap::new(), silent: BTreeSet::new(), heard: LinkedHashSet::new() }
    }
}

impl<C> StreamConnections<C> {
    pub(super) fn get(&self, id: ConnectionId) -> Option<&C> {
        self.all.get(&id).map(|(_, connection)| connection)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut C> {
        self.all.get_mut(&id).map(|(_, connection)| connection)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &C> {
        self.all.values().map(|(_, connection)| connection)
    }

    pub(super) fn insert(&mut self, id: ConnectionId, address: IpAddr, connection: C, standing: PeerStanding) {
        let source = Source::of(address);
        self.of_source.entry(source.clone()).or_default().insert(id);
        self.all.insert(id, (source, connection));
        if standing < PeerStanding::Known {
            self.silent.insert(id);
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<C> {
        let (source, connection) = self.all.remove(&id)?;
        self.silent.remove(&id);
        self.heard.remove(&id);
        if let Some(ids) = self.of_source.get_mut(&source) {
            ids.remove(&id);
            if ids.is_empty() {
                self.of_source.remove(&source);
            }
        }
        Some(connection)
    }

    /// A stranger has said something; nobody becomes a stranger again.
    pub(super) fn stands(&mut self, id: ConnectionId, standing: PeerStanding) {
        let is_stranger = self.silent.contains(&id) || self.heard.contains(&id);
        if !is_stranger || standing == PeerStanding::Silent {
            return;
        }
        self.silent.remove(&id);
        self.heard.remove(&id);
        if standing == PeerStanding::Heard {
            self.heard.insert(id);
        }
    }

    /// Whether one more of an address may come in. `is_used`: whether a connection carries something that must go on.
    pub(super) fn room(
        &self,
        limits: &Limits,
        address: IpAddr,
        is_known: bool,
        is_used: impl Fn(ConnectionId) -> bool,
    ) -> ConnectionRoom {
        let oldest = || self.silent.first().copied().or_else(|| self.heard.iter().copied().find(|id| !is_used(*id)));
        let give_way = |id: Option<ConnectionId>| id.map_or(ConnectionRoom::None, ConnectionRoom::After);
        if is_known {
            return if self.all.len() < limits.connections { ConnectionRoom::Free } else { give_way(oldest()) };
        }
        let own = self.of_source.get(&Source::of(address));
        if own.is_some_and(|own| own.len() >= limits.connections_per_source) {
            let strangers = own.into_iter().flatten().copied();
            let (silent, heard): (Vec<_>, Vec<_>) = strangers.partition(|id| self.silent.contains(id));
            let quiet = || heard.into_iter().find(|id| self.heard.contains(id) && !is_used(*id));
            return give_way(silent.first().copied().or_else(quiet));
        }
        let strangers = self.silent.len() + self.heard.len();
        let is_full = strangers >= limits.of_strangers(limits.connections) || self.all.len() >= limits.connections;
        if is_full { give_way(oldest()) } else { ConnectionRoom::Free }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: fn() -> Limits = || Limits { connections: 8, connections_per_source: 3, ..Limits::default() };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Six strangers of six addresses: as many as may be.
    fn full() -> StreamConnections<()> {
        let mut connections = StreamConnections::default();
        for n in 1..=6 {
            assert_eq!(connections.room(&LIMITS(), address(n), false, |_| false), ConnectionRoom::Free);
            connections.insert(ConnectionId(n.into()), address(n), (), PeerStanding::Silent);
        }
        connections
    }

    #[test]
    fn x2_the_oldest_silent_connection_gives_way_to_the_newest() {
        let mut connections = full();
        let room = |connections: &StreamConnections<()>| connections.room(&LIMITS(), address(9), false, |_| false);
        assert_eq!(room(&connections), ConnectionRoom::After(ConnectionId(1)));
        connections.stands(ConnectionId(1), PeerStanding::Heard);
        assert_eq!(room(&connections), ConnectionRoom::After(ConnectionId(2)));
        (2..=6).for_each(|n| connections.stands(ConnectionId(n), PeerStanding::Heard));
        connections.stands(ConnectionId(1), PeerStanding::Heard);
        assert_eq!(room(&connections), ConnectionRoom::After(ConnectionId(2)), "the one that is quiet for the longest time");
        assert_eq!(connections.room(&LIMITS(), address(9), false, |id| id.0 < 4), ConnectionRoom::After(ConnectionId(4)));
        assert_eq!(connections.room(&LIMITS(), address(9), false, |_| true), ConnectionRoom::None, "what carries a call stays");
        connections.stands(ConnectionId(3), PeerStanding::Known);
        assert_eq!(room(&connections), ConnectionRoom::Free, "who is known is no stranger any more");
        connections.remove(ConnectionId(2));
        connections.insert(ConnectionId(7), address(7), (), PeerStanding::Silent);
        assert_eq!(room(&connections), ConnectionRoom::Free);
    }

    /// Known devices have a share of connections that strangers never take.
    #[test]
    fn x2_known_devices_have_a_share_of_connections() {
        let mut connections = full();
        for n in 7..=8 {
            assert_eq!(connections.room(&LIMITS(), address(n), true, |_| true), ConnectionRoom::Free);
            connections.insert(ConnectionId(n.into()), address(n), (), PeerStanding::Known);
        }
        assert_eq!(
            connections.room(&LIMITS(), address(9), true, |_| true),
            ConnectionRoom::After(ConnectionId(1)),
            "and more than that"
        );
        (1..=6).for_each(|n| connections.stands(ConnectionId(n), PeerStanding::Heard));
        assert_eq!(connections.room(&LIMITS(), address(9), true, |_| false), ConnectionRoom::After(ConnectionId(1)));
    }

    #[test]
    fn x2_an_address_has_its_own_share_and_its_own_oldest_gives_way() {
        let mut connections = StreamConnections::default();
        for n in 1..=3 {
            connections.insert(ConnectionId(n), address(1), (), PeerStanding::Silent);
        }
        connections.stands(ConnectionId(1), PeerStanding::Heard);
        let room = |connections: &StreamConnections<()>, last| connections.room(&LIMITS(), address(last), false, |_| false);
        assert_eq!(
            (room(&connections, 1), room(&connections, 2)),
            (ConnectionRoom::After(ConnectionId(2)), ConnectionRoom::Free)
        );
        connections.remove(ConnectionId(2));
        assert_eq!(room(&connections, 1), ConnectionRoom::Free);
        assert!(connections.get(ConnectionId(2)).is_none() && connections.get(ConnectionId(3)).is_some());
    }
}
