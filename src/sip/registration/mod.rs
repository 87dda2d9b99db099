//! Where we register ourselves (S-3): at a PBX that then sends us its calls as to any of its phones (RFC 3261 section 10.2).
//!
//! Each [`RegistrationAccount`] is asked for again before the registrar forgets it, at the next of the registrar's addresses when one fails, and,
//! whatever happens, without end: at growing distances with jitter (RFC 5626 section 4.5). A challenge of another realm is not answered.

mod binding;
mod client;
mod retry;
#[cfg(test)]
mod tests;

pub use binding::{AccountStanding, RegistrationAccount, contact};
pub(in crate::sip) use client::RegistrationClient;
