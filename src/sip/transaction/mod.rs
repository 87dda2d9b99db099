//! Transactions (RFC 3261 section 17 with the Accepted states of RFC 6026).
//!
//! [`TransactionLayer`] owns all of them, their timers and flows. Beneath it are the four machines of the RFC, which are told of what happens and
//! answer with [`Action`]s, and the tables that match messages to them (section 17.1.3, 17.2.3).

mod action;
mod client;
mod client_invite;
mod clients;
mod connecting;
mod event;
mod flows;
mod key;
mod layer;
mod local;
mod reply;
mod route;
mod server;
mod server_invite;
mod servers;
#[cfg(test)]
mod tests;
mod timers;

pub use action::Action;
pub use client::NonInviteClient;
pub use client_invite::InviteClient;
pub(in crate::sip) use event::{Answer, InboundRequest, OutgoingRequest, TransactionEvent, Transmission};
pub use flows::PeerStanding;
pub use key::{MAGIC, ServerKey};
pub(in crate::sip) use layer::TransactionLayer;
pub(in crate::sip) use local::{LocalContact, LocalIdentity};
pub use reply::Warning;
pub(in crate::sip) use reply::{Header, Reply};
pub(in crate::sip) use route::{DATAGRAM, Fallback, HOP_HEADERS, Route};
pub use server::NonInviteServer;
pub use server_invite::InviteServer;
pub(in crate::sip) use servers::ServerId;
pub use timers::Timers;
