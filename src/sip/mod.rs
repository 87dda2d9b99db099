//! SIP (S-1, S-2, S-4, S-8): messages of devices flow in with the flow they came on, and [`Event`]s of calls flow out;
//! [`Command`]s flow in and bytes flow out.
//!
//! [`Endpoint`] gives each message to whom it belongs: [`transaction`] below, `invite` for calls, and the usages beside it (`registrar`,
//! `registration`, `subscriptions`, `messages`) behind one trait (`usage`, all of them in `usages`). It is a pure machine; [`driver`] owns the sockets and runs it.
//! A slow call can therefore never delay a retransmission or an ACK. Calls are known by dialog (Call-ID and tags), never by address.
//! Messages of a peer can neither panic nor grow anything without bound.

mod access;
pub mod auth;
mod capabilities;
mod core;
mod counters;
mod deadlines;
mod device_target;
pub mod dialog;
mod dialog_peer;
pub mod driver;
mod endpoint;
mod events;
pub mod hep;
mod interface;
mod invite;
mod ladder;
mod log;
mod masking;
pub mod message;
mod messages;
mod outbound;
mod random;
mod reason;
pub mod registrar;
pub mod registration;
pub mod resolver;
mod settings;
mod subscriptions;
#[cfg(test)]
mod tests;
mod token;
pub mod transaction;
mod transport;
mod usage;
mod usages;

pub use access::{Emergency, Identity, Known, Limits, Proof, Source, Trusted, guard};
pub use counters::{Counters, Load};
pub use driver::{Handle, ListenTls, Listener, Pulse, Running, StartError, start};
pub use endpoint::Endpoint;
pub use events::{CallTarget, Command, Event, Incoming, Roster, RosterPerson};
pub use interface::{Input, Output};
pub use invite::SessionTimers;
pub(crate) use invite::info_digit;
pub use ladder::LadderLine;
pub use message::{Method, NameAddr, Uri, WireLimits, header, method, uri, wire};
pub use registrar::{Change, Stored};
pub use resolver::{Locate, Target};
pub use settings::{Connector, ReachableUsers, Settings};
pub use transaction::{PeerStanding, Warning};
pub use transport::{ConnectionId, Flow, Transport};
