//! [`ConnectionRequests`]: the connections that were asked for, and what waits for each.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::clients::ClientId;
use super::route::Fallback;
use crate::sip::message::Request;

/// Connections that may be under way at once; a further one fails at once.
const ALL: usize = 256;
/// Those of them that are made for strangers: the rest is for who is known.
const FOR_STRANGERS: usize = ALL - ALL / 4;

/// Peers that are remembered to take no connection.
const REFUSALS: usize = 256;
/// How long they are.
const REFUSAL_KEPT: Duration = Duration::from_secs(600);

/// What waits for a connection.
#[derive(Debug)]
pub(super) enum Connecting<T> {
    /// A request; the way to take if there is no connection.
    Client { id: ClientId, fallback: Option<Fallback> },
    /// A response whose connection is gone (section 18.2.2).
    Response(Vec<u8>),
    /// The ACK of a 2xx.
    Ack(Box<Request>, T),
}

/// One connection that was asked for.
#[derive(Debug)]
struct ConnectionRequest<T> {
    waiting: Connecting<T>,
    is_for_stranger: bool,
}

/// All of them, by the token that they were asked for with.
#[derive(Debug)]
pub(super) struct ConnectionRequests<T> {
    all: HashMap<u64, ConnectionRequest<T>>,
    /// Peers that have taken no connection of late, and when that was found.
    refusals: VecDeque<(SocketAddr, Instant)>,
}

impl<T> ConnectionRequests<T> {
    pub(super) fn new() -> Self {
        Self { all: HashMap::new(), refusals: VecDeque::new() }
    }

    /// Whether a peer has taken none of late, so that a request need not wait for the next one to fail.
    pub(super) fn has_refused(&self, now: Instant, peer: SocketAddr) -> bool {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < REFUSAL_KEPT;
        self.refusals.iter().any(|(known, at)| *known == peer && is_recent(*at))
    }

    /// Whether one more may be asked for.
    pub(super) fn has_room(&self, is_for_stranger: bool) -> bool {
        let for_strangers = || self.all.values().filter(|request| request.is_for_stranger).count();
        self.all.len() < ALL && (!is_for_stranger || for_strangers() < FOR_STRANGERS)
    }

    pub(super) fn insert(&mut self, token: u64, waiting: Connecting<T>, is_for_stranger: bool) {
        self.all.insert(token, ConnectionRequest { waiting, is_for_stranger });
    }

    /// What waits for a connection that is there.
    pub(super) fn take(&mut self, token: u64) -> Option<Connecting<T>> {
        self.all.remove(&token).map(|request| request.waiting)
    }

    /// What waits for a connection that is not to be had. The peer of a request that has another way is remembered.
    pub(super) fn refused(&mut self, now: Instant, token: u64) -> Option<Connecting<T>> {
        let waiting = self.take(token)?;
        if let Connecting::Client { fallback: Some(fallback), .. } = &waiting {
            let peer = fallback.peer();
            self.refusals.retain(|(known, _)| *known != peer);
            if self.refusals.len() >= REFUSALS {
                self.refusals.pop_front();
            }
            self.refusals.push_back((peer, now));
        }
        Some(waiting)
    }

    /// A request waits no longer.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.all.retain(|_, request| !matches!(request.waiting, Connecting::Client { id, .. } if id == client));
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}
