//! The part of a statement that a query of the ledger makes, and how its lines are fetched.

use rusqlite::{Connection, Row};

use super::lines::{LedgerQuery, LedgerRow};
use crate::store::StoreError;
use crate::store::limits::integer;

/// Only what is asked for: an index serves no condition that may be none. `?1` to `?4` are given by [`bounds`].
pub(super) fn conditions(query: &LedgerQuery, more: &[(&'static str, bool)]) -> String {
    let bounded = [
        ("sequence < ?1", query.before.is_some()),
        ("at >= ?2", query.from.is_some()),
        ("at < ?3", query.to.is_some()),
        ("meeting = ?4", query.meeting.is_some()),
    ];
    let asked = bounded.iter().chain(more).filter(|(_, asked)| *asked).map(|(condition, _)| *condition);
    std::iter::once("TRUE").chain(asked).collect::<Vec<_>>().join(" AND ")
}

/// The parameters `?1` to `?5`: those of [`conditions`], then the limit.
fn bounds(query: &LedgerQuery, limit: usize) -> impl rusqlite::Params {
    let number = |number: Option<u64>| number.map(integer);
    (number(query.before), number(query.from), number(query.to), query.meeting.clone(), integer(limit as u64))
}

/// The lines that a statement with [`conditions`] and a limit selects. One that `read` cannot make sense of was changed by somebody else.
pub(super) fn fetch(
    connection: &Connection,
    sql: &str,
    (query, limit): (&LedgerQuery, usize),
    read: impl Fn(&Row<'_>) -> rusqlite::Result<Option<LedgerRow>>,
) -> Result<Vec<LedgerRow>, StoreError> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(bounds(query, limit))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let damaged = StoreError::Damaged { sequence: row.get("sequence")? };
        found.push(read(row).map_err(|_| damaged.clone())?.ok_or(damaged)?);
    }
    Ok(found)
}
