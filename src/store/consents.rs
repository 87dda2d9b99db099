//! Proofs that the holder of a number has asked for messages (C-2): only ever added to.

use rusqlite::{Connection, params};

use super::{StoreError, integer};

/// One proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// In international form, all of it: a proof that names nobody proves nothing.
    pub number: String,
    /// The device at which.
    pub device: String,
    /// The call in which.
    pub call: String,
    /// By what it was shown: `keypad` or `sms`.
    pub means: String,
    /// Milliseconds since 1970.
    pub at: u64,
}

/// Keeps a proof.
pub(super) fn insert(connection: &Connection, consent: &Consent) -> Result<(), StoreError> {
    let mut insert =
        connection.prepare_cached("INSERT INTO consents (number, device, call, means, at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute(params![consent.number, consent.device, consent.call, consent.means, integer(consent.at)])?;
    Ok(())
}
