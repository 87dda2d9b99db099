//! [`Usage`]: what a use of SIP beside calls is to the endpoint.

use std::time::Instant;

use super::access::identity::{Identity, Proof};
use super::core::Core;
use super::dialog::DialogKey;
use super::dialog_peer::DialogPeer;
use super::events::Command;
use super::invite::InviteSessions;
use super::resolver::Target;
use super::token::Token;
use super::transaction::{Answer, InboundRequest, ServerId};
use super::transport::ConnectionId;
use crate::common::ids::CallId;

/// A request outside of dialogs whose sender was let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) server: ServerId,
    pub(super) inbound: Box<InboundRequest>,
    /// `None`: somebody unknown.
    pub(super) identity: Option<Identity>,
    pub(super) proof: Proof,
}

/// What a usage works with.
pub(super) struct Environment<'a> {
    pub(super) now: Instant,
    pub(super) core: &'a mut Core,
    pub(super) sessions: &'a mut InviteSessions,
}

/// See the file's paragraph. What a usage has nothing to do with, it leaves at the default.
pub(super) trait Usage {
    /// Takes a request outside of dialogs, and answers it; or gives back what is not its own.
    fn request(&mut self, _env: &mut Environment<'_>, admitted: Admitted) -> Option<Admitted> {
        Some(admitted)
    }

    /// Who is at the other end of a dialog, if that is its own.
    fn peer_in(&self, _dialog: &DialogKey) -> Option<&DialogPeer> {
        None
    }

    /// Takes a request in a dialog of its own, from whoever is at the other end.
    fn in_dialog(&mut self, _env: &mut Environment<'_>, _dialog: &DialogKey, _server: ServerId, _inbound: &InboundRequest) {}

    /// Takes a request in the dialog of a call, and answers it. `false`: it is not its own.
    fn in_call(&mut self, _env: &mut Environment<'_>, _call: CallId, _server: ServerId, _inbound: &InboundRequest) -> bool {
        false
    }

    /// A call is over, and what hangs on it.
    fn call_over(&mut self, _env: &mut Environment<'_>, _call: CallId) {}

    /// The answer to a request of its own; `None`: nobody answered, or there is no way.
    fn response(&mut self, _env: &mut Environment<'_>, _token: Token, _answer: Option<&Answer>) {}

    /// The addresses of a server that was looked up; none: it is not to be found.
    fn located(&mut self, _env: &mut Environment<'_>, _lookup: u64, _targets: &[Target]) {}

    /// Takes a command; or gives back what is not its own.
    fn command(&mut self, _env: &mut Environment<'_>, command: Command) -> Option<Command> {
        Some(command)
    }

    /// Settings have changed (O-2).
    fn reconfigured(&mut self, _env: &mut Environment<'_>) {}

    fn flow_closed(&mut self, _env: &mut Environment<'_>, _connection: ConnectionId) {}

    /// Whether a connection leads to somebody who must be reached by it.
    fn uses(&self, _connection: ConnectionId) -> bool {
        false
    }

    fn wake(&mut self, _env: &mut Environment<'_>) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Deadlines that wait for their time.
    fn timers(&self) -> usize {
        0
    }
}
