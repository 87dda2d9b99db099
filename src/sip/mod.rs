//! SIP (S-1, S-2, S-4, S-8): messages of devices flow in with the flow they came on, and [`Event`]s of calls flow out;
//! [`Command`]s flow in and bytes flow out.
//!
//! [`Endpoint`] owns every transaction, dialog and INVITE usage and is a pure machine; [`driver`] owns the sockets and runs it.
//! A slow call can therefore never delay a retransmission or an ACK. Calls are known by dialog (Call-ID and tags), never by address.
//! Messages of a peer can neither panic nor grow anything without bound.

mod address_verification;
pub mod auth;
mod authentication;
mod caller;
mod capabilities;
mod challenge;
mod connections;
mod counters;
pub mod dialog;
pub mod driver;
pub mod emergency;
mod endpoint;
mod events;
pub mod guard;
pub mod header;
pub mod hep;
pub mod identity;
mod in_dialog;
mod incoming;
mod info;
mod interface;
mod invite;
mod ladder;
mod lifetime;
mod limits;
mod log;
pub mod message;
pub mod method;
mod origin;
mod out_of_dialog;
mod reconfigure;
mod refer;
pub mod registrar;
pub mod registration;
mod reliable;
mod replaces;
pub mod resolver;
mod response;
mod route;
mod session_timer;
mod settings;
mod stateless;
mod subscriptions;
mod target_resolution;
#[cfg(test)]
mod tests;
mod text;
pub mod transaction;
mod transport;
mod uac;
mod uas;
mod update;
pub mod uri;
pub mod wire;

pub use connections::PeerStanding;
pub use counters::{Counters, Load};
pub use driver::{Handle, ListenTls, Listener, Pulse, Running, StartError, start};
pub use emergency::Emergency;
pub use endpoint::Endpoint;
pub use events::{CallTarget, Command, Event, Incoming, Roster, RosterPerson};
pub use header::NameAddr;
pub use identity::{Identity, Known, Proof};
pub(crate) use info::info_digit;
pub use interface::{Input, Output};
pub use ladder::LadderLine;
pub use limits::{Limits, Trusted};
pub use method::Method;
pub use registrar::{Change, Stored};
pub use resolver::{Locate, Target};
pub use session_timer::SessionTimers;
pub use settings::{Connector, Settings};
pub use transport::{ConnectionId, Flow, Transport};
pub use uri::Uri;
pub use wire::WireLimits;
