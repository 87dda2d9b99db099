//! Proofs that the holder of a number has asked for messages (C-2): only ever added to. Each is a line of the ledger as well (N-8).

use rusqlite::{Connection, params};
use serde::Serialize;
use utoipa::ToSchema;

use super::StoreError;
use super::limits::integer;
use crate::common::redact::MaskedCaller;

/// One proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Consent {
    /// In international form: all of it in the store, since a proof that names nobody proves nothing; masked wherever it is shown.
    #[schema(value_type = String)]
    pub number: MaskedCaller,
    /// The device at which.
    pub device: String,
    /// The call in which.
    pub call: String,
    /// By what it was shown: `keypad` or `sms`.
    pub means: String,
    /// When, in milliseconds since 1970; shown as RFC 3339 writes it.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub at: u64,
}

/// Keeps a proof.
pub(super) fn insert(connection: &Connection, consent: &Consent) -> Result<(), StoreError> {
    let mut insert =
        connection.prepare_cached("INSERT INTO consents (number, device, call, means, at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute(params![consent.number.expose(), consent.device, consent.call, consent.means, integer(consent.at)])?;
    Ok(())
}
