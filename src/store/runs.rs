//! The starts of the daemon, counted, so that ids of calls and presences do not begin anew at each of them (M-16, N-8).

use rusqlite::Connection;

use super::StoreError;

/// Counts this start and returns its number, from 1.
pub(super) fn begin(connection: &mut Connection) -> Result<u32, StoreError> {
    let transaction = connection.transaction()?;
    transaction.execute("INSERT INTO runs DEFAULT VALUES", [])?;
    let run = transaction.last_insert_rowid();
    transaction.execute("DELETE FROM runs WHERE run < ?", [run])?;
    transaction.commit()?;
    Ok(u32::try_from(run).unwrap_or(u32::MAX))
}
