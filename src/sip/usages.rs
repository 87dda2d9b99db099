//! [`Usages`]: what SIP does beside calls. A new usage is a file of its own, a field here, and its place in the two lists of this file.

use super::access::directory::PeerDirectory;
use super::dialog::DialogKey;
use super::dialog_peer::DialogPeer;
use super::messages::Messages;
use super::registrar::RegisterUsage;
use super::registration::RegistrationClient;
use super::settings::Settings;
use super::subscriptions::Notifier;
use super::usage::{Environment, Usage};

/// All usages but calls.
#[derive(Debug)]
pub(super) struct Usages {
    pub(super) registered: RegisterUsage,
    pub(super) registrations: RegistrationClient,
    pub(super) subscriptions: Notifier,
    messages: Messages,
}

impl Usages {
    pub(super) fn new(settings: &Settings) -> Self {
        let (registered, registrations) = (RegisterUsage::new(settings), RegistrationClient::default());
        Self { registered, registrations, subscriptions: Notifier::default(), messages: Messages }
    }

    pub(super) fn all(&self) -> [&dyn Usage; 4] {
        [&self.registered, &self.registrations, &self.subscriptions, &self.messages]
    }

    fn all_mut(&mut self) -> [&mut dyn Usage; 4] {
        [&mut self.registered, &mut self.registrations, &mut self.subscriptions, &mut self.messages]
    }

    /// Who is known by what two of them keep.
    pub(super) const fn directory(&self) -> PeerDirectory<'_> {
        PeerDirectory { registered: &self.registered, registrations: &self.registrations }
    }

    /// Who is at the other end of a dialog that one of them has.
    pub(super) fn peer_in(&self, dialog: &DialogKey) -> Option<&DialogPeer> {
        self.all().into_iter().find_map(|usage| usage.peer_in(dialog))
    }

    /// Deadlines that wait for their time.
    pub(super) fn timers(&self) -> usize {
        self.all().iter().map(|usage| usage.timers()).sum()
    }

    /// Gives something to each in turn, until one says that it was its own.
    pub(super) fn offer<T>(
        &mut self,
        env: &mut Environment<'_>,
        mut thing: T,
        mut to: impl FnMut(&mut dyn Usage, &mut Environment<'_>, T) -> Option<T>,
    ) -> Option<T> {
        for usage in self.all_mut() {
            thing = to(usage, env, thing)?;
        }
        Some(thing)
    }

    /// Tells all of them.
    pub(super) fn tell(&mut self, env: &mut Environment<'_>, mut what: impl FnMut(&mut dyn Usage, &mut Environment<'_>)) {
        for usage in self.all_mut() {
            what(usage, env);
        }
    }
}
