//! `roomgate dial`: a test phone for the administrator (U-1). Calls, speaks, presses keys, listens, and reports as JSON.
//!
//! It is made of the gateway's own SIP endpoint and one `Port`, so what it proves is proved for both ends.
#![allow(clippy::disallowed_methods, reason = "a command that runs in real time")]

mod arrivals;
mod call_audio;
mod dial_error;
mod random;
mod report;
mod test_phone;

pub use test_phone::run;
