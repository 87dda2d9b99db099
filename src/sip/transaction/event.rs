//! What passes between the transaction layer and its user: [`TransactionEvent`]s up, [`OutgoingRequest`] requests down, and [`Transmission`]s to the network.

use std::net::SocketAddr;

use super::local::LocalContact;
use super::route::Route;
use crate::sip::message::wire::WireError;
use crate::sip::message::{Essentials, Message, Request, Response};
use crate::sip::transport::{Flow, Transport};

/// A request of a peer with what every message must have.
#[derive(Debug, Clone)]
pub(in crate::sip) struct InboundRequest {
    pub(in crate::sip) flow: Flow,
    pub(in crate::sip) request: Request,
    pub(in crate::sip) essentials: Essentials,
}

/// What the layer tells its user.
#[derive(Debug)]
pub(in crate::sip) enum TransactionEvent<T> {
    /// A request that belongs to no transaction yet: to be accepted, answered without one, or dropped.
    Request(Box<InboundRequest>),
    /// An ACK, whatever it is for.
    Ack(Box<InboundRequest>),
    /// A request without one of the headers that every message must have; the text names it.
    Incomplete { flow: Flow, request: Box<Request>, header: &'static str },
    /// A message that cannot be read.
    Malformed { flow: Flow, bytes: Vec<u8>, error: WireError },
    /// A response to a request of ours that its user is to hear of.
    Response { token: T, answer: Box<Answer> },
    /// Nobody has answered, or there is no way (section 8.1.3.1). The request is over.
    Timeout { token: T },
    /// A request that was answered is forgotten.
    Closed { token: T },
    /// A response that belongs to none of our transactions.
    Stray(Box<Answer>),
    /// A message of a transaction with a token went in or out, but for repeats; with the flow that it took.
    Traced { token: T, inbound: bool, flow: Flow, message: Box<Message> },
    /// A response whose connection is gone.
    Undeliverable { flow: Flow, bytes: Vec<u8> },
}

/// A response and where it came from.
#[derive(Debug, Clone)]
pub(in crate::sip) struct Answer {
    pub(in crate::sip) flow: Flow,
    pub(in crate::sip) response: Response,
    pub(in crate::sip) essentials: Essentials,
}

impl Answer {
    pub(in crate::sip) const fn is_final(&self) -> bool {
        self.response.status >= 200
    }
}

/// What the layer wants done.
#[derive(Debug)]
pub(in crate::sip) enum Transmission {
    Send {
        flow: Flow,
        bytes: Vec<u8>,
    },
    /// Find or open a flow, to a peer whose certificate names `name`.
    Connect {
        peer: SocketAddr,
        transport: Transport,
        name: Option<String>,
        token: u64,
    },
}

/// A request of ours that has everything but Via, Contact and User-Agent, which follow from its flow.
#[derive(Debug)]
pub(in crate::sip) struct OutgoingRequest<T> {
    pub(in crate::sip) request: Request,
    pub(in crate::sip) route: Route,
    pub(in crate::sip) contact: Option<LocalContact>,
    /// Whom the certificate at the other end must name (RFC 5922).
    pub(in crate::sip) server_name: Option<String>,
    pub(in crate::sip) token: T,
}
