//! Who carries short messages (C-10). Each provider is one file and one line of [`open`].

mod log;

use super::{Message, Number};

/// What kind of provider it is: `kind` of `[relay.provider.X]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Prints messages on standard output: for the demo, nothing leaves the machine.
    Log,
}

/// `[relay.provider.X]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// What kind.
    pub kind: Kind,
    /// Our number there.
    pub number: Number,
}

/// Somebody who carries short messages.
pub trait Provider: Send + Sync {
    /// Takes a message. Never waits.
    fn submit(&self, message: &Message);
}

/// The provider that these settings describe.
#[must_use]
pub fn open(settings: ProviderSettings) -> Box<dyn Provider> {
    match settings.kind {
        Kind::Log => Box::new(log::Log::new(settings.number)),
    }
}
