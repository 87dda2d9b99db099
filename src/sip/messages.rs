//! [`Messages`]: MESSAGE of a device outside of dialogs (RFC 3428, C-1). It means the call of the same device, or from the same place under the same
//! name; in a call's own dialog it is clear which.

use super::invite::not_inside;
use super::message::method::Method;
use super::usage::{Admitted, Environment, Usage};

/// See the file's paragraph.
#[derive(Debug, Default)]
pub(super) struct Messages;

impl Usage for Messages {
    fn request(&mut self, env: &mut Environment<'_>, admitted: Admitted) -> Option<Admitted> {
        if admitted.inbound.request.method != Method::Message {
            return Some(admitted);
        }
        let Admitted { server, inbound, identity, .. } = admitted;
        match env.sessions.call_of(&inbound.flow, identity.as_ref(), &inbound.essentials) {
            Some(call) => env.sessions.text(env.now, env.core, call, server, inbound),
            None => env.core.respond(env.now, server, not_inside()),
        }
        None
    }
}
