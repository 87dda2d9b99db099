//! Scenarios: a whole gateway, with phones and browsers around it, in one process, without sockets and in virtual time.
//!
//! What runs is the daemon's own code from the first byte of an INVITE to the last line of the ledger, wired as [`crate::app`] wires
//! it. Each participant sends a tone of its own; a listener says who hears whom, and knows every prompt by its samples. A scenario is
//! written as sentences and ends with [`world::World::nothing_left`].
#![allow(clippy::disallowed_methods, reason = "a world has a clock, and starts what lives in it")]

mod calls;
mod encryption;
mod handover;
mod keypad;
mod listener;
mod lobby;
mod menu;
mod microphones;
mod moves;
mod network;
mod notices;
mod page;
mod phone;
mod refusals;
mod sip;
mod world;
