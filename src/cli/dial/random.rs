//! Random numbers of the system.

use super::dial_error::DialError;

/// 64 random bits.
pub(super) fn random() -> Result<u64, DialError> {
    getrandom::u64().map_err(|error| DialError::System(error.into()))
}
