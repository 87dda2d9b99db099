//! The HTTP server: meeting pages and their signalling, member links, the operator's API, health (U-1, U-2, U-4 to U-6).
//!
//! In flow requests of browsers and programs; out flow requests to live meetings, which decide. Nothing here knows who may do what in a
//! meeting: [`session`] says who somebody is, and the meeting's policy what follows from it (M-7). Every handler works on one `AppState`
//! (`state`), and asks the rest of the daemon by one trait, [`Administration`]. A client that stalls, floods or lies costs one task and one
//! place of its address's connections.
#![allow(clippy::disallowed_methods, reason = "a driver: starts tasks for connections, and tells the time")]

mod administration;
mod api;
mod assets;
mod audit_log;
mod browser_sessions;
mod client_source;
mod connections;
mod control_socket;
mod entry_limits;
mod event_streams;
mod health;
mod host_check;
mod link_exchange;
mod listener;
mod log_limits;
mod meeting_path;
mod page;
mod page_address;
mod page_socket;
mod peer;
mod plain_page;
mod presence;
mod problem_details;
mod request_budgets;
mod request_head;
mod secret;
mod security_headers;
mod server;
pub mod session;
mod settings;
mod state;
mod visitor;
mod web_origin;
mod webhook;

pub use crate::service::embedded::signalling::ice::{IceSecret, IceServer};
pub use administration::{
    Administration, CallDetails, CallMedia, CallView, CallableDevice, Contact, LadderStep, LedgerReport, NewMeeting,
    NewMeetingError, QueryError,
};
pub use control_socket::SOCKET_FILE;
pub use page_address::PageAddress;
pub(crate) use request_head::head;
pub use secret::{ApiToken, SecretError, resume_key};
pub use server::{Bound, HttpStartError, start};
pub use session::Sessions;
pub use settings::{CONNECTIONS, CONNECTIONS_PER_ADDRESS, HttpSettings, WebSettings};
pub use state::HttpHandles;

#[cfg(test)]
mod tests;
