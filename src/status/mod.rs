//! `roomgate status` (U-1): who is up, who is kept out, and what the daemon holds at this moment.
//!
//! The daemon gathers a [`Status`] from its rooms for `GET /api/v1/status`; the command fetches it as the operator and prints it
//! for people, or as JSON for programs. Names in the JSON stay as they are; new ones may come.
#![allow(clippy::disallowed_methods, reason = "reads the clock: how long everything has been up")]

mod call;
mod census;
mod command;
pub mod metrics;
mod report;
mod sources;
mod text;

pub use census::Census;
pub use command::run;
pub use report::{
    AccountStatus, Blocks, CallStatus, DeviceStatus, FailureStatus, LedgerHealth, MediaLoad, MeetingStatus, ParticipantStatus,
    RegistrationStatus, Resources, RtpPorts, SipLoad, SmsStatus, Status, schemas,
};
pub use sources::Sources;
