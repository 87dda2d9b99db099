//! [`FromFiles`]: what is made of files, and made again when they change (U-2, S-1).
#![allow(clippy::disallowed_methods, reason = "part of a driver")]

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::files::TlsError;

/// The files are looked at no more often than this, and only when somebody connects.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Load<T> = Box<dyn Fn() -> Result<T, TlsError> + Send + Sync>;

/// The last good one; a bad version leaves it in place, with one line of the log.
pub(super) struct FromFiles<T> {
    /// Their name in the log.
    what: &'static str,
    files: Vec<PathBuf>,
    load: Load<T>,
    current: Mutex<Current<T>>,
}

struct Current<T> {
    made: Arc<T>,
    stamp: Stamp,
    looked: Instant,
}

/// What distinguishes versions of the files: time, length and inode, so that neither a copy over a file nor a rename onto it is missed.
type Stamp = Vec<Option<(SystemTime, u64, u64)>>;

impl<T> fmt::Debug for FromFiles<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFiles").field("files", &self.files).finish_non_exhaustive()
    }
}

impl<T> FromFiles<T> {
    /// # Errors
    /// The files cannot be used now.
    pub(super) fn open(
        what: &'static str,
        files: Vec<PathBuf>,
        load: impl Fn() -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Self, TlsError> {
        let stamp = stamp(&files);
        let made = Arc::new(load()?);
        let current = Mutex::new(Current { made, stamp, looked: Instant::now() });
        Ok(Self { what, files, load: Box::new(load), current })
    }

    /// What the files make now.
    pub(super) fn now(&self) -> Arc<T> {
        self.at(Instant::now())
    }

    pub(super) fn at(&self, now: Instant) -> Arc<T> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(current.looked) >= LOOK_EVERY {
            current.looked = now;
            let found = stamp(&self.files);
            if found != current.stamp {
                // The stamp is kept even if loading fails: one log line for one bad version. Between the writing of
                // the certificate and that of its key the two do not fit, and the next change is looked at again.
                current.stamp = found;
                let file = self.files.first().map(|file| file.display());
                match (self.load)() {
                    Ok(made) => {
                        current.made = Arc::new(made);
                        tracing::info!(file = file.map(tracing::field::display), "{} read again", self.what);
                    }
                    Err(error) => tracing::warn!(%error, "new {} refused, the last good one stays", self.what),
                }
            }
        }
        Arc::clone(&current.made)
    }
}

fn stamp(files: &[PathBuf]) -> Stamp {
    let of = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
    };
    files.iter().map(of).collect()
}
