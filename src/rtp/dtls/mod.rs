//! DTLS-SRTP (RFC 5763, 5764; A-3): datagrams of a handshake in and out, keys of SRTP when it is over.
//!
//! [`DtlsAssociation`] is one handshake on one socket, as client or as server ([`DtlsParameters`]), owned by the transport whose keys it makes. The
//! peer's certificate is checked against the [`Fingerprint`]s of its description alone; ours is a [`DtlsIdentity`], one for the life of the
//! daemon. A hostile handshake is bounded in time, bytes and addresses.

mod association;
mod error;
mod fingerprint;
mod identity;
mod parameters;
mod profiles;

pub use association::DtlsAssociation;
pub use error::DtlsError;
pub use fingerprint::Fingerprint;
pub use identity::DtlsIdentity;
pub use parameters::{DtlsParameters, DtlsRole};

#[cfg(test)]
mod tests;
