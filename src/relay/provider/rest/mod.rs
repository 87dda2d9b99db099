//! Providers that are reached by HTTP: one request for each item, and webhooks for what comes back.
//!
//! What differs between them is a [`RestDialect`], which has neither socket nor clock; what they share is here: connections, time limits,
//! rests that are asked for, and for each item exactly one outcome. A request that never left is put off; one that was never answered
//! may have arrived (C-7).
#![allow(clippy::disallowed_methods, reason = "a driver: it has sockets and a clock")]

pub(super) mod azure;
mod client;
mod connector;
pub(super) mod twilio;
pub(super) mod webhook;

pub(super) use client::{RestDialect, RestProvider, SubmitVerdict};
