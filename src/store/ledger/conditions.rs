//! The part of a statement that a query of the ledger makes.

use super::lines::LedgerQuery;
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
pub(super) fn bounds(query: &LedgerQuery, limit: usize) -> impl rusqlite::Params {
    let number = |number: Option<u64>| number.map(integer);
    (number(query.before), number(query.from), number(query.to), query.meeting.clone(), integer(limit as u64))
}
