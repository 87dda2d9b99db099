//! New settings while calls are up (O-2): who may call, what is bounded, where we register. What a dialog, a transaction or a
//! connection stands on stays.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use super::Settings;
use super::endpoint::Endpoint;

impl Endpoint {
    pub(super) fn reconfigure(&mut self, now: Instant, new: &Settings) {
        self.settings.adopt(new);
        self.guard.reconfigure(&new.limits, new.trusted.clone());
        self.authenticator.reconfigure(new.known.accounts.clone());
        let devices: HashSet<&Arc<str>> = new.known.accounts.users.values().map(|account| &account.label).collect();
        let is_known = |device: &Arc<str>| devices.contains(device) || new.known.label(device).is_some();
        self.registrar.reconfigure(now, new.registrar, is_known);
        self.reconfigure_accounts(now);
    }
}
