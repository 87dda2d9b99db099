//! [`HttpConnections`]: how many connections are open from where, and which one is closed for another.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::client_source::ClientSource;

/// TLS handshakes under way at once; for one more another is closed.
const HANDSHAKES: usize = 256;
/// The divisor of the part of all connections that is reserved for this machine, named proxies, and sources of members.
const RESERVED: usize = 8;
/// Sources of members that are remembered; for one more the oldest is forgotten.
const MEMBERS: usize = 1024;

/// Open connections by their source.
#[derive(Debug)]
pub(super) struct HttpConnections {
    per_source: usize,
    total: usize,
    open: Mutex<ConnectionTable>,
}

/// What a connection does at the moment: one without a request is the first to be closed where there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionStage {
    /// The TLS handshake is not complete.
    Handshake,
    /// No request is complete, or the last one was answered.
    Idle,
    /// A request is under way, or its answer goes on.
    Busy,
}

#[derive(Debug)]
struct OpenConnection {
    source: ClientSource,
    stage: ConnectionStage,
    /// The count of events at which the stage began.
    since: u64,
    /// The connection may use the reserved part.
    preferred: bool,
    evicted: Arc<Notify>,
}

#[derive(Debug, Default)]
struct ConnectionTable {
    /// Events so far: the order of what happened, without a clock.
    events: u64,
    connections: HashMap<u64, OpenConnection>,
    by_source: HashMap<ClientSource, usize>,
    /// Sources of members' requests, with the event of the last one.
    members: HashMap<ClientSource, u64>,
}

impl ConnectionTable {
    fn next(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    fn of_source(&self, source: &ClientSource) -> usize {
        self.by_source.get(source).copied().unwrap_or_default()
    }

    fn remove(&mut self, id: u64) -> Option<OpenConnection> {
        let gone = self.connections.remove(&id)?;
        if let Some(count) = self.by_source.get_mut(&gone.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_source.remove(&gone.source);
            }
        }
        Some(gone)
    }

    /// Closes one of those that may be closed: of the source that has most connections the one that has been in its stage longest.
    fn evict_one(&mut self, may: impl Fn(&OpenConnection) -> bool) -> bool {
        let order = |one: &OpenConnection| (!one.preferred, self.of_source(&one.source), Reverse(one.since));
        let first = self.connections.iter().filter(|(_, one)| may(one)).max_by_key(|(_, one)| order(one));
        let Some(gone) = first.map(|(id, _)| *id).and_then(|id| self.remove(id)) else { return false };
        gone.evicted.notify_one();
        true
    }

    fn set(&mut self, id: u64, stage: ConnectionStage) {
        let now = self.next();
        if let Some(connection) = self.connections.get_mut(&id) {
            (connection.stage, connection.since) = (stage, now);
        }
    }
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TooManyConnections {
    /// This source holds as many as one may.
    OfSource,
    /// As many are open as there may be.
    Altogether,
}

impl HttpConnections {
    /// None open yet; at most `total`, and `per_source` from one [`ClientSource`].
    pub(super) fn new(per_source: usize, total: usize) -> Arc<Self> {
        Arc::new(Self { per_source, total, open: Mutex::default() })
    }

    fn table(&self) -> MutexGuard<'_, ConnectionTable> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more connection from `address`. A trusted proxy has many clients, so only the total limits it. At a limit a connection
    /// without a request is closed instead: whoever opens connections without end keeps out nobody but themselves.
    ///
    /// # Errors
    /// [`TooManyConnections`]: the limit is reached, and every other connection has a request under way.
    pub(super) fn open(self: &Arc<Self>, address: IpAddr, proxy: bool) -> Result<ConnectionSlot, TooManyConnections> {
        let source = ClientSource::from(address);
        let mut open = self.table();
        let preferred = proxy || address.to_canonical().is_loopback() || open.members.contains_key(&source);
        let idle = |other: &OpenConnection| other.stage != ConnectionStage::Busy;
        let source_is_full = open.of_source(&source) >= self.per_source && !proxy;
        if source_is_full && !open.evict_one(|other| other.source == source && idle(other)) {
            return Err(TooManyConnections::OfSource);
        }
        let strangers = open.connections.values().filter(|other| !other.preferred).count();
        let full = open.connections.len() >= self.total || (!preferred && strangers >= self.total - self.total / RESERVED);
        if full && !open.evict_one(|other| idle(other) && (preferred || !other.preferred)) {
            return Err(TooManyConnections::Altogether);
        }
        let (id, evicted) = (open.next(), Arc::new(Notify::new()));
        *open.by_source.entry(source).or_default() += 1;
        let (stage, notified) = (ConnectionStage::Idle, Arc::clone(&evicted));
        open.connections.insert(id, OpenConnection { source, stage, since: id, preferred, evicted: notified });
        drop(open);
        Ok(ConnectionSlot { id, source, evicted, connections: Arc::clone(self) })
    }
}

/// One counted connection; dropping it frees its place.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    id: u64,
    source: ClientSource,
    evicted: Arc<Notify>,
    connections: Arc<HttpConnections>,
}

impl ConnectionSlot {
    /// The TLS handshake begins. Where too many are under way, another one is closed.
    pub(super) fn begin_handshake(&self) {
        let in_handshake = |other: &OpenConnection| other.stage == ConnectionStage::Handshake;
        let mut open = self.connections.table();
        if open.connections.values().filter(|other| in_handshake(other)).count() >= HANDSHAKES {
            open.evict_one(in_handshake);
        }
        open.set(self.id, ConnectionStage::Handshake);
    }

    /// A request begins: until its answer is complete this connection is not closed for another.
    pub(super) fn begin_request(&self) {
        self.connections.table().set(self.id, ConnectionStage::Busy);
    }

    /// No request is under way.
    pub(super) fn set_idle(&self) {
        self.connections.table().set(self.id, ConnectionStage::Idle);
    }

    /// A member's request came by this connection: from now on its source may use the reserved part.
    pub(super) fn mark_member(&self) {
        let mut open = self.connections.table();
        let now = open.next();
        if open.members.len() >= MEMBERS
            && !open.members.contains_key(&self.source)
            && let Some(oldest) = open.members.iter().min_by_key(|(_, at)| **at).map(|(source, _)| *source)
        {
            open.members.remove(&oldest);
        }
        open.members.insert(self.source, now);
        if let Some(connection) = open.connections.get_mut(&self.id) {
            connection.preferred = true;
        }
    }

    /// Waits until this connection is to be closed for another.
    pub(super) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.connections.table().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// One source cannot take all connections and gives back what it drops.
    #[test]
    fn one_source_cannot_take_all_connections_and_gives_back() {
        let connections = HttpConnections::new(2, 5);
        let one = connections.open(ip("2001:db8::1"), false).expect("first");
        let two = connections.open(ip("2001:db8::ffff"), false).expect("second, of the same /64");
        for slot in [&one, &two] {
            slot.begin_request();
        }
        assert_eq!(connections.open(ip("2001:db8::2"), false).map(drop), Err(TooManyConnections::OfSource));
        let other = connections.open(ip("192.0.2.1"), false).expect("another source");
        drop(one);
        let again = connections.open(ip("2001:db8::3"), false).expect("room again");
        let proxied: Vec<_> = (0..2).map_while(|_| connections.open(ip("10.0.0.1"), true).ok()).collect();
        for slot in [&again, &other].into_iter().chain(&proxied) {
            slot.begin_request();
        }
        assert_eq!(connections.open(ip("10.0.0.1"), true).map(drop), Err(TooManyConnections::Altogether));
        drop(proxied);
        assert_eq!(connections.open.lock().expect("lock").by_source.len(), 2);
    }

    async fn is_evicted(slot: &ConnectionSlot) -> bool {
        tokio::time::timeout(std::time::Duration::ZERO, slot.evicted()).await.is_ok()
    }

    /// A full server ends a connection that asks nothing, of the source that has most of them, and keeps room for whom it knows.
    #[tokio::test]
    async fn x2_connections_that_ask_nothing_give_way() {
        let connections = HttpConnections::new(6, 8);
        let enter = |address: &str| connections.open(ip(address), false);
        let honest = enter("192.0.2.1").expect("room");
        let flood: Vec<_> = (0..6).map_while(|_| enter("198.51.100.1").ok()).collect();
        let (busy, first) = (&flood[0], &flood[1]);
        busy.begin_request();
        let more = enter("203.0.113.1").expect("a connection of the flood gives way");
        assert!(is_evicted(first).await && !is_evicted(busy).await && !is_evicted(&honest).await);
        let here = enter("127.0.0.1").expect("room is kept for this machine");
        for slot in flood.iter().chain([&honest, &more, &here]) {
            slot.begin_request();
        }
        assert_eq!(enter("203.0.113.2").map(drop), Err(TooManyConnections::Altogether), "everybody is in use");
        more.mark_member();
        drop(here);
        let _member = enter("203.0.113.1").expect("where members are there is room");
        honest.set_idle();
        assert!(enter("203.0.113.2").is_ok() && is_evicted(&honest).await, "who has its answer gives way");
    }

    /// Handshakes of TLS that are not finished give way to others.
    #[tokio::test]
    async fn x2_handshakes_that_never_end_give_way() {
        let connections = HttpConnections::new(512, 4096);
        let mut shaking: Vec<_> = (0..HANDSHAKES).filter_map(|_| connections.open(ip("192.0.2.1"), false).ok()).collect();
        shaking.iter().for_each(ConnectionSlot::begin_handshake);
        let honest = connections.open(ip("198.51.100.1"), false).expect("room");
        honest.begin_handshake();
        assert!(is_evicted(&shaking.remove(0)).await && !is_evicted(&honest).await);
    }
}
