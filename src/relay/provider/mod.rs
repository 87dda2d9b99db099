//! Who carries short messages (C-10). Each provider is one file and one line of [`open`].

mod log;
mod smpp;

use tokio::sync::mpsc;

use super::{Message, Number};
use crate::ids::CallId;
use crate::redact::Redacted;

pub use smpp::{Login, SmppSettings};

/// What kind of provider it is: `kind` of `[relay.provider.X]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Prints messages on standard output: for the demo, nothing leaves the machine.
    Log,
    /// A short message centre, by SMPP 3.4.
    Smpp(SmppSettings),
}

/// `[relay.provider.X]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// What kind.
    pub kind: Kind,
    /// Our number there.
    pub number: Number,
}

/// Somebody has written to our number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The provider's name for the message, where it has one: by it a repeated message is known.
    pub id: Option<String>,
    /// Who.
    pub from: Number,
    /// What, all parts of it.
    pub text: Redacted<String>,
}

/// Runs a session over these octets of a centre.
#[doc(hidden)]
pub fn fuzz_smpp(octets: &[u8]) {
    smpp::fuzz(octets);
}

/// Somebody who carries short messages. Dropped, it ends.
pub trait Provider: Send + Sync {
    /// Takes a message. Never waits; messages to one number are sent in this order.
    fn submit(&self, message: Message);

    /// Drops what waits for this call (C-7).
    fn forget(&self, call: CallId);
}

/// The provider that these settings describe; what is written to it comes out of `heard`.
#[must_use]
pub fn open(settings: ProviderSettings, heard: mpsc::Sender<Heard>) -> Box<dyn Provider> {
    match settings.kind {
        Kind::Log => Box::new(log::Log::new(settings.number)),
        Kind::Smpp(smpp) => Box::new(smpp::Smpp::open(smpp, settings.number, heard)),
    }
}
