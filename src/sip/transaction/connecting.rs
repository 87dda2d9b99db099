//! [`ConnectionRequests`]: the connections that were asked for, and what waits for each.

use std::collections::HashMap;

use super::clients::ClientId;
use crate::sip::message::Request;
use crate::sip::transport::Flow;

/// Connections that may be under way at once; a further one fails at once.
const ALL: usize = 256;
/// Those of them that are made for strangers: the rest is for who is known.
const FOR_STRANGERS: usize = ALL - ALL / 4;

/// What waits for a connection.
#[derive(Debug)]
pub(super) enum Connecting<T> {
    /// A request; the flow to take if there is no connection.
    Client { id: ClientId, fallback: Option<Flow> },
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
pub(super) struct ConnectionRequests<T>(HashMap<u64, ConnectionRequest<T>>);

impl<T> ConnectionRequests<T> {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Whether one more may be asked for.
    pub(super) fn has_room(&self, is_for_stranger: bool) -> bool {
        let for_strangers = || self.0.values().filter(|request| request.is_for_stranger).count();
        self.0.len() < ALL && (!is_for_stranger || for_strangers() < FOR_STRANGERS)
    }

    pub(super) fn insert(&mut self, token: u64, waiting: Connecting<T>, is_for_stranger: bool) {
        self.0.insert(token, ConnectionRequest { waiting, is_for_stranger });
    }

    /// What waits for a connection that is there, or is not to be had.
    pub(super) fn take(&mut self, token: u64) -> Option<Connecting<T>> {
        self.0.remove(&token).map(|request| request.waiting)
    }

    /// A request waits no longer.
    pub(super) fn forget(&mut self, client: ClientId) {
        self.0.retain(|_, request| !matches!(request.waiting, Connecting::Client { id, .. } if id == client));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
