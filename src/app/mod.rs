//! From settings to a running gateway, and back: every worker, task and channel between folders begins here.
//!
//! [`run`] opens a `Gateway` (store, SIP, meetings, calls), starts the HTTP server with handles of it, and stops everything in order.
//! `MeetingDirectory` owns which meetings there are; `Reloader` takes a new configuration as a whole or not at all (O-2).
#![allow(clippy::disallowed_methods, reason = "wiring: tasks and clocks are started here")]

mod addresses;
mod administration;
mod created_meetings;
mod device_calls;
mod gateway;
mod http_config;
mod media_config;
mod media_report;
mod meeting_directory;
mod port_probe;
mod prompts;
mod registration_store;
mod reload;
mod reload_targets;
mod retention;
mod run;
mod run_error;
mod runtime_config;
mod shutdown;
mod sip_config;
mod sms;
mod startup_message;
mod watchdog;

pub use self::port_probe::{ProbeReport, probe};
#[cfg(test)]
pub(crate) use gateway::Gateway;
#[cfg(test)]
pub(crate) use media_config::media_settings;
pub use prompts::check;
pub use run::{Start, run};
pub use run_error::RunError;
