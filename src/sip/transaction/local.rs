//! How we appear in messages: `Via`, `Contact`, `Server` and `User-Agent`.

use std::net::{IpAddr, SocketAddr};

use crate::sip::transport::{Flow, Transport};

/// Our user part where no other is named.
const USER: &str = "roomgate";

/// What a `Contact` of ours says beside the address, which depends on the flow that the message takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sip) struct LocalContact {
    user: String,
    /// It has to be `sips:` (RFC 3261 section 12.1.1).
    is_secure: bool,
    /// It says `isfocus`: whoever sees that may ask who is in the conference (RFC 4579 section 5.2).
    is_focus: bool,
}

impl Default for LocalContact {
    fn default() -> Self {
        Self { user: USER.to_owned(), is_secure: false, is_focus: false }
    }
}

impl LocalContact {
    /// With a user part of its own.
    pub(in crate::sip) fn of_user(user: &str) -> Self {
        Self { user: user.to_owned(), ..Self::default() }
    }

    /// In a dialog, which may be secure.
    pub(in crate::sip) fn in_dialog(is_secure: bool) -> Self {
        Self { is_secure, ..Self::default() }
    }

    /// The same with `isfocus`.
    pub(in crate::sip) fn with_focus(self) -> Self {
        Self { is_focus: true, ..self }
    }
}

/// The parts of messages that say who and where we are.
#[derive(Debug)]
pub(in crate::sip) struct LocalIdentity {
    /// The address written into Contact and Via instead of the local one (S-7).
    pub(in crate::sip) advertised: Option<IpAddr>,
    /// `Server` and `User-Agent`.
    pub(in crate::sip) user_agent: String,
}

impl LocalIdentity {
    /// `host:port` of ours as peers reach us by `flow`.
    pub(in crate::sip) fn sent_by(&self, flow: &Flow) -> SocketAddr {
        SocketAddr::new(self.advertised.unwrap_or_else(|| flow.local.ip()), flow.local.port())
    }

    pub(in crate::sip) fn via(&self, flow: &Flow, branch: &str) -> String {
        let rport = if flow.connection.is_none() { ";rport" } else { "" };
        format!("SIP/2.0/{} {};branch={branch}{rport}", flow.transport.as_str(), self.sent_by(flow))
    }

    /// Our address as in a Contact, without brackets.
    pub(in crate::sip) fn contact_uri(&self, contact: &LocalContact, flow: &Flow) -> String {
        let transport = match flow.transport {
            _ if contact.is_secure => "",
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        let scheme = if contact.is_secure { "sips" } else { "sip" };
        format!("{scheme}:{}@{}{transport}", contact.user, self.sent_by(flow))
    }

    pub(in crate::sip) fn contact(&self, contact: &LocalContact, flow: &Flow) -> String {
        let focus = if contact.is_focus { ";isfocus" } else { "" };
        format!("<{}>{focus}", self.contact_uri(contact, flow))
    }
}
