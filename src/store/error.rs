//! [`StoreError`]: why the store cannot be opened, or did not do what was asked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the store cannot be opened, or could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A directory or the key file.
    #[error("{}: {error}", path.display())]
    Io {
        /// What was touched.
        path: PathBuf,
        /// The error of the system.
        error: Arc<io::Error>,
    },
    /// The database: full disk, damaged file, locked by another process.
    #[error("the store failed: {0}")]
    Database(Arc<rusqlite::Error>),
    /// A later version has written this store; an earlier one would misread it.
    #[error(
        "the store has schema {found}, this version knows {known} at most: go back to the later version, or use another store"
    )]
    Newer {
        /// The schema on disk.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// No epoch of the ledger could begin yet (N-8): its key cannot be written.
    #[error("the ledger has no key yet")]
    NoKey,
    /// A stored line cannot be read: the file was changed by somebody else.
    #[error("line {sequence} of the ledger is damaged")]
    Damaged {
        /// The line.
        sequence: i64,
    },
    /// The store's thread has ended.
    #[error("the store is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// The error of a path.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |error| StoreError::Io { path: path.to_owned(), error: Arc::new(error) }
}
