//! [`Registrar`]: where registered devices are to be found (S-3; RFC 3261 section 10.3, RFC 3327, RFC 5626).
//!
//! REGISTER requests of devices that have proved who they are flow in; answers, and [`Change`]s for the store, flow out. A device is
//! its own address-of-record. Bindings die at their deadline; time is an input. Bounded by the devices there are, and for each by
//! [`RegistrarSettings::contacts`].

mod binding;
mod contact;
mod processing;
#[cfg(test)]
mod tests;
mod usage;

pub use binding::Stored;
#[cfg(test)]
use processing::Registrar;
pub use processing::{Change, RegistrarSettings};
pub(in crate::sip) use usage::RegisterUsage;
