//! From settings to a running gateway, and back: every worker, task and channel between rooms begins here.
#![allow(clippy::disallowed_methods, reason = "wiring: tasks and clocks are started here")]

mod admin;
mod created_meetings;
pub(crate) mod gateway;
mod http_state;
mod ledger;
mod port_probe;
mod queries;
pub mod registration_store;
mod reload;
pub mod retention;
mod room_calls;
mod runtime_config;
mod shutdown;
mod sip_config;
mod sms;
mod watchdog;

pub use self::port_probe::{ProbeReport, probe};
pub(crate) use gateway::Gateway;
pub use gateway::{RunError, Start, check, run};
