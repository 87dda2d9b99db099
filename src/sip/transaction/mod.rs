//! The four transaction machines of RFC 3261 section 17 with the Accepted states of RFC 6026.
//!
//! Each is told of what happens and answers with [`Action`]s; bytes and sockets stay with their owner.
//! Matching of messages to transactions (section 17.1.3 and 17.2.3) is [`ServerKey`] and the branch of our own requests.

mod action;
mod client;
mod client_invite;
mod key;
mod server;
mod server_invite;
#[cfg(test)]
mod tests;
mod timers;

pub use action::Action;
pub use client::NonInviteClient;
pub use client_invite::InviteClient;
pub use key::{MAGIC, ServerKey};
pub use server::NonInviteServer;
pub use server_invite::InviteServer;
pub use timers::Timers;
