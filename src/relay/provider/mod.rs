//! Who carries short messages (C-10). Each provider is one file and one line of [`open`].
//!
//! A provider keeps nothing that is not on its way this moment: what waits, in which order and how long, is the
//! [outbox](super::outbox)'s. It says how much it takes at a time, and how each parcel has ended.

mod log;
mod smpp;

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Number;
pub use super::parcel::{Cut, Fate, Outcome, Parcel};
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

impl Kind {
    /// It takes messages cut into parts; the others cut them themselves.
    #[must_use]
    pub const fn cuts(&self) -> bool {
        matches!(self, Self::Smpp(_))
    }
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
    /// The provider's name for the message, where it has one: by it a repeated message is known (C-6).
    pub id: Option<String>,
    /// Who.
    pub from: Number,
    /// What, all parts of it.
    pub text: Redacted<String>,
}

/// What a provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// So many parcels may be unanswered from now on; 0 while there is no way to it.
    Takes(usize),
    /// How a parcel has ended; said once for each that was submitted.
    Outcome {
        /// Of this parcel.
        id: u64,
        /// How.
        outcome: Outcome,
    },
    /// A receipt.
    Receipt {
        /// The provider's name for the message.
        name: String,
        /// What it says.
        fate: Fate,
    },
    /// Somebody has written.
    Heard(Heard),
    /// Say [`Provider::taken`] with this number when what was said before it is where a crash does not reach it.
    Taken(u64),
}

/// Somebody who carries short messages. Dropped, it ends.
pub trait Provider: Send + Sync {
    /// Takes a parcel. Never waits; at most as many are unanswered as it takes ([`Event::Takes`]), and to one number at most one.
    fn submit(&self, parcel: Parcel);

    /// What it said before [`Event::Taken`] with this number is safe: whoever has sent it need not send it again.
    fn taken(&self, _number: u64) {}
}

/// The provider that these settings describe; what it says goes to `events`.
#[must_use]
pub fn open(settings: ProviderSettings, events: mpsc::Sender<Event>) -> Arc<dyn Provider> {
    match settings.kind {
        Kind::Log => Arc::new(log::Log::open(settings.number, events)),
        Kind::Smpp(smpp) => Arc::new(smpp::Smpp::open(smpp, settings.number, events)),
    }
}

/// Runs a session over these octets of a centre.
#[doc(hidden)]
pub fn fuzz_smpp(octets: &[u8]) {
    smpp::fuzz(octets);
}
