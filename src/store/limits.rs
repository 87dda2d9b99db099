//! Names of files, limits and intervals of the store.

use std::time::Duration;

/// The database's name in the store's directory.
pub(super) const FILE: &str = "roomgate.db";

/// The last head of the ledger, beside its keys.
pub(super) const HEAD_FILE: &str = "ledger.head";

/// Requests committed together at most: a burst of notices costs one wait for the disk, not one each.
pub(super) const BATCH: usize = 256;

/// Rows of one answer at most.
pub(super) const MOST_ROWS: usize = 1000;

/// How long somebody else who has the file is waited for.
pub(super) const WAITS: Duration = Duration::from_secs(5);
/// What SQLite keeps of the file in memory, in KiB.
pub(super) const CACHE_KIB: i64 = 256;

/// Lines between two heads in the log (N-8).
pub(super) const CHECKPOINT_EVERY: u64 = 100;

/// Lines of the ledger that are kept in memory while the disk does not take them, half a kilobyte each. Above it lines are lost, each with an
/// error to who gave it.
pub(super) const MOST_WAITING: usize = 10_000;

/// SQLite's integers are signed; what does not fit is as good as endless.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
