//! Digest (RFC 3261 section 22, RFC 7616, RFC 8760): the challenges we set ([`Authenticator`]) and those we answer ([`Client`]).
//!
//! A challenge and its answer flow in as header lines, a verdict or a header line flows out. Pure: the nonce's time is an input, and
//! what must be unforeseeable is drawn from a secret given at the start. A wrong password and an unknown user get the same answer
//! after the same work (S-3, X-4).
//!
//! Header lines are read and written here and not by `rsip`: its types hold one `qop` where RFC 7616 has a list, a count of at most 255 where eight
//! hexadecimal digits stand on the wire, and write `SHA256` for `SHA-256`.

mod client;
mod digest;
mod nonce;
mod server;
#[cfg(test)]
mod tests;

pub use client::{Client, Credentials};
pub use digest::{Algorithm, Ha1};
pub use server::{Account, Accounts, Authenticator, DigestVerdict};
