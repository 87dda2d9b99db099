//! [`RegisterUsage`]: REGISTER of devices that were let in, for the [`Registrar`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::processing::Registrar;
use crate::sip::access::identity::{Identity, Known};
use crate::sip::events::Command;
use crate::sip::interface::Output;
use crate::sip::message::StatusCode;
use crate::sip::message::method::Method;
use crate::sip::settings::Settings;
use crate::sip::transaction::Reply;
use crate::sip::transport::ConnectionId;
use crate::sip::usage::{Admitted, Environment, Usage};

/// See the file's paragraph.
#[derive(Debug)]
pub(in crate::sip) struct RegisterUsage {
    registrar: Registrar,
    /// User names of devices that have one, by label.
    users: HashMap<Arc<str>, String>,
}

impl RegisterUsage {
    pub(in crate::sip) fn new(settings: &Settings) -> Self {
        Self { registrar: Registrar::new(settings.registrar), users: users(&settings.known) }
    }

    pub(in crate::sip) const fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    /// What has changed goes to the store.
    fn tell(&mut self, env: &mut Environment<'_>) {
        while let Some(change) = self.registrar.poll() {
            env.core.emit(Output::Registered(change));
        }
    }

    /// A device with a user name registers under that alone (RFC 3261 section 10.3 item 4).
    fn reply(&mut self, now: Instant, admitted: &Admitted) -> Reply {
        let Some(Identity::Device(device)) = &admitted.identity else { return Reply::new(StatusCode::Forbidden) };
        let user = admitted.inbound.essentials.to.uri.user_text();
        if self.users.get(device).is_some_and(|own| user.as_ref() != Some(own)) {
            return Reply::new(StatusCode::Forbidden);
        }
        self.registrar.register(now, device, &admitted.inbound)
    }
}

fn users(known: &Known) -> HashMap<Arc<str>, String> {
    known.accounts.users.iter().map(|(user, account)| (Arc::clone(&account.label), user.clone())).collect()
}

impl Usage for RegisterUsage {
    fn request(&mut self, env: &mut Environment<'_>, admitted: Admitted) -> Option<Admitted> {
        if admitted.inbound.request.method != Method::Register {
            return Some(admitted);
        }
        let reply = self.reply(env.now, &admitted);
        env.core.respond(env.now, admitted.server, reply);
        self.tell(env);
        None
    }

    fn command(&mut self, env: &mut Environment<'_>, command: Command) -> Option<Command> {
        let Command::Restore(changes) = command else { return Some(command) };
        self.registrar.restore(env.now, changes);
        self.tell(env);
        None
    }

    fn reconfigured(&mut self, env: &mut Environment<'_>) {
        let known = &env.core.settings.known;
        self.users = users(known);
        let devices: HashSet<&Arc<str>> = known.accounts.users.values().map(|account| &account.label).collect();
        let is_known = |device: &Arc<str>| devices.contains(device) || known.label(device).is_some();
        self.registrar.reconfigure(env.now, env.core.settings.registrar, is_known);
        self.tell(env);
    }

    fn flow_closed(&mut self, env: &mut Environment<'_>, connection: ConnectionId) {
        self.registrar.flow_closed(env.now, connection);
        self.tell(env);
    }

    fn uses(&self, connection: ConnectionId) -> bool {
        self.registrar.uses(connection)
    }

    fn wake(&mut self, env: &mut Environment<'_>) {
        self.registrar.wake(env.now);
        self.tell(env);
    }

    fn deadline(&self) -> Option<Instant> {
        self.registrar.deadline()
    }
}
