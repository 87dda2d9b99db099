//! The four transaction machines of RFC 3261 section 17 with the Accepted states of RFC 6026.
//!
//! Each is told of what happens and answers with [`Act`]s; bytes and sockets stay with the endpoint.
//! Matching of messages to transactions (section 17.1.3 and 17.2.3) is [`ServerKey`] and the branch of our own requests.

mod client;
mod client_invite;
mod server;
mod server_invite;
mod timer;

pub use client::Client;
pub use client_invite::ClientInvite;
pub use server::Server;
pub use server_invite::ServerInvite;
pub use timer::Timers;

use super::message::{Essentials, Method, Request};

/// The start of every branch that RFC 3261 elements write.
pub const MAGIC: &str = "z9hG4bK";

/// What a transaction wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Send the request, or the last response, again.
    Resend,
    /// Hand the response to the transaction's user.
    Pass,
    /// Acknowledge a refusal, and hand it to the transaction's user.
    AckAndPass,
    /// Acknowledge a refusal again.
    Ack,
    /// Nobody answered (B, F), or nobody acknowledged (H). The transaction is over.
    TimedOut,
    /// The transaction is over.
    Over,
}

/// What tells server transactions apart (RFC 3261 section 17.2.3). An ACK and a CANCEL have the key of their INVITE in [`ServerKey::of_invite`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerKey(String);

impl ServerKey {
    /// The key of a request.
    #[must_use]
    pub fn of(request: &Request, essentials: &Essentials) -> Self {
        Self::build(request, essentials, request.method.as_str())
    }

    /// The key that the INVITE has which this ACK or CANCEL belongs to.
    #[must_use]
    pub fn of_invite(request: &Request, essentials: &Essentials) -> Self {
        Self::build(request, essentials, Method::Invite.as_str())
    }

    fn build(request: &Request, essentials: &Essentials, method: &str) -> Self {
        let Essentials { via, from, call_id, cseq, .. } = essentials;
        let port = via.port.unwrap_or(0);
        match via.branch().filter(|branch| branch.len() > MAGIC.len() && branch.starts_with(MAGIC)) {
            Some(branch) => Self(format!("{method}\n{branch}\n{}\n{port}", via.host)),
            // RFC 2543 peers. The To tag is left out: an ACK carries ours, its INVITE did not.
            None => Self(format!(
                "{method}\n\n{}\n{port}\n{}\n{}\n{call_id}\n{}\n{}",
                via.host,
                via.branch().unwrap_or_default(),
                request.uri,
                from.tag().unwrap_or_default(),
                cseq.number
            )),
        }
    }
}

#[cfg(test)]
mod tests;
