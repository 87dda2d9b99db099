//! Lines of the ledger for readers: those of this version, then those of earlier ones.

use rusqlite::Connection;

use super::columns::{COLUMNS, read};
use super::conditions::{conditions, fetch};
use super::lines::{LedgerQuery, LedgerRow};
use super::old;
use crate::store::StoreError;
use crate::store::limits::MOST_ROWS;

/// The lines that a query means, the newest first.
pub(in crate::store) fn list(connection: &Connection, query: &LedgerQuery) -> Result<Vec<LedgerRow>, StoreError> {
    let limit = query.limit.min(MOST_ROWS);
    let mut found = select(connection, query, limit)?;
    if found.len() < limit {
        found.extend(old::select(connection, query, limit - found.len())?);
    }
    Ok(found)
}

fn select(connection: &Connection, query: &LedgerQuery, limit: usize) -> Result<Vec<LedgerRow>, StoreError> {
    let asked = conditions(query, &[("kind = 'notice'", query.notices)]);
    let sql = format!("SELECT {COLUMNS}, hash FROM ledger WHERE {asked} ORDER BY sequence DESC LIMIT ?5");
    fetch(connection, &sql, (query, limit), read)
}
