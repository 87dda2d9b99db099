//! `smpp`: a short message centre by SMPP 3.4, bound as a transceiver.
//!
//! Over each connection a [`SmppSession`]; when it ends, what was submitted and never answered is said to be so (C-7), and the next one is made.
#![allow(clippy::disallowed_methods, reason = "a driver: it has a socket and a clock")]

mod bind;
mod deliver;
mod pdu;
mod reassembly;
mod session;
mod settings;
mod text;

pub(super) use bind::{SmppProvider, fuzz};
pub use settings::{SmppLogin, SmppSettings};
