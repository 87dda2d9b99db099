//! [`Reply`]: what a response says, before it is one; and where responses go.

use std::net::SocketAddr;

use super::local::{LocalContact, LocalIdentity};
use crate::sip::message::header::Via;
use crate::sip::message::{Request, header_names};
use crate::sip::transport::Flow;

/// A header line of ours.
pub(in crate::sip) type Header = (&'static str, String);

/// What makes a response more precise: code and text of a `Warning` (RFC 3261 section 20.43, S-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// 300 to 399.
    pub code: u16,
    /// For people.
    pub text: String,
}

impl Warning {
    /// Anything that has no code of its own.
    pub const MISCELLANEOUS: u16 = 399;
    /// Longest text, in characters.
    const LONGEST: usize = 200;

    /// The header's value, with ourselves as its agent.
    pub(super) fn value(&self, local: &LocalIdentity, flow: &Flow) -> String {
        let printable = |letter: &char| !letter.is_control() && !matches!(letter, '"' | '\\');
        let text: String = self.text.chars().filter(printable).take(Self::LONGEST).collect();
        format!("{} {} \"{text}\"", self.code, local.sent_by(flow))
    }
}

/// A response without what its request gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sip) struct Reply {
    pub(in crate::sip) status: u16,
    pub(in crate::sip) headers: Vec<Header>,
    pub(in crate::sip) contact: Option<LocalContact>,
    pub(in crate::sip) warning: Option<Warning>,
    /// A session description.
    pub(in crate::sip) sdp: Option<String>,
}

impl Reply {
    /// A status alone.
    pub(in crate::sip) fn new(status: impl Into<u16>) -> Self {
        Self { status: status.into(), headers: Vec::new(), contact: None, warning: None, sdp: None }
    }

    pub(in crate::sip) fn with(mut self, headers: impl IntoIterator<Item = Header>) -> Self {
        self.headers.extend(headers);
        self
    }

    pub(in crate::sip) fn contact(self, contact: LocalContact) -> Self {
        Self { contact: Some(contact), ..self }
    }

    pub(in crate::sip) fn warning(self, warning: Option<Warning>) -> Self {
        Self { warning, ..self }
    }

    pub(in crate::sip) fn sdp(self, sdp: Option<String>) -> Self {
        Self { sdp, ..self }
    }
}

/// Where responses go (RFC 3261 section 18.2.2, RFC 3581). Always to the address the request came from: `maddr` is not followed,
/// so nobody can have us send to a third party.
pub(super) fn reply_flow(flow: Flow, via: &Via) -> Flow {
    let port = match (flow.connection, via.params.has("rport")) {
        (None, true) => flow.peer.port(),
        // For a connection this is where a new one would go, should this one be gone.
        _ => via.port.unwrap_or(5060),
    };
    let mut peer = flow.peer;
    // A link-local address keeps its interface.
    peer.set_port(port);
    Flow { peer, ..flow }
}

/// `received` and `rport` (RFC 3261 section 18.2.1, RFC 3581 section 4).
pub(super) fn set_received(request: &mut Request, mut via: Via, source: SocketAddr) {
    let rport = via.params.has("rport");
    if rport || via.host.ip() != Some(source.ip()) {
        via.params.set("received", Some(source.ip().to_string()));
    }
    if rport {
        via.params.set("rport", Some(source.port().to_string()));
    }
    request.headers.replace_first(header_names::VIA, via);
}
