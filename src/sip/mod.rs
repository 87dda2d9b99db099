//! SIP (S-1, S-2, S-4, S-8): messages of devices flow in with the flow they came on, and [`Event`]s of calls flow out;
//! [`Command`]s flow in and bytes flow out.
//!
//! [`Endpoint`] owns every transaction, dialog and INVITE usage and is a pure machine; [`driver`] owns the sockets and runs it.
//! A slow call can therefore never delay a retransmission or an ACK. Calls are known by dialog (Call-ID and tags), never by address.
//! Messages of a peer can neither panic nor grow anything without bound.

mod address_verification;
mod admission;
pub mod auth;
mod authentication;
mod capabilities;
mod core;
mod counters;
mod deadlines;
pub mod dialog;
mod dialog_peer;
mod directory;
pub mod driver;
pub mod emergency;
mod emergency_calls;
mod endpoint;
mod events;
pub mod guard;
pub mod header;
pub mod hep;
pub mod identity;
mod interface;
mod invite;
mod ladder;
mod limits;
mod log;
pub mod message;
mod messages;
pub mod method;
mod origin;
mod outbound;
mod random;
mod reason;
pub mod registrar;
pub mod registration;
pub mod resolver;
mod settings;
mod subscriptions;
mod target_resolution;
#[cfg(test)]
mod tests;
mod token;
pub mod transaction;
mod transport;
pub mod uri;
mod usage;
pub mod wire;

pub use counters::{Counters, Load};
pub use driver::{Handle, ListenTls, Listener, Pulse, Running, StartError, start};
pub use emergency::Emergency;
pub use endpoint::Endpoint;
pub use events::{CallTarget, Command, Event, Incoming, Roster, RosterPerson};
pub use header::NameAddr;
pub use identity::{Identity, Known, Proof};
pub use interface::{Input, Output};
pub use invite::SessionTimers;
pub(crate) use invite::info_digit;
pub use ladder::LadderLine;
pub use limits::{Limits, Trusted};
pub use method::Method;
pub use registrar::{Change, Stored};
pub use resolver::{Locate, Target};
pub use settings::{Connector, Settings};
pub use transaction::PeerStanding;
pub use transport::{ConnectionId, Flow, Transport};
pub use uri::Uri;
pub use wire::WireLimits;
