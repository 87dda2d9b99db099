//! Which transaction a message belongs to (RFC 3261 section 17.1.3, 17.2.3).

use crate::sip::message::method::Method;
use crate::sip::message::{Essentials, Request};

/// The start of every branch that RFC 3261 elements write.
pub const MAGIC: &str = "z9hG4bK";

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
