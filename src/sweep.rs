//! Recordings that have outlived their retention are deleted (N-12): at start, so also after downtime, and every hour.
#![allow(clippy::disallowed_methods, reason = "a task that waits for the hour")]

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often; retention is counted in days or hours.
const EVERY: Duration = Duration::from_secs(3600);

/// Deletes old recordings for as long as the daemon runs.
pub async fn run(directory: PathBuf, retention: Duration) {
    let mut hours = tokio::time::interval(EVERY);
    loop {
        hours.tick().await;
        let directory = directory.clone();
        let swept = tokio::task::spawn_blocking(move || sweep(&directory, retention, SystemTime::now())).await;
        match swept {
            Ok(Ok(0)) => {}
            Ok(Ok(deleted)) => tracing::info!(deleted, "recordings deleted at the end of their retention"),
            Ok(Err(error)) => tracing::error!(%error, "old recordings cannot be deleted"),
            Err(error) => tracing::error!(%error, "the sweep of recordings failed"),
        }
    }
}

/// Deletes what was written last more than `retention` before `now`; a recording that goes on is young.
fn sweep(directory: &Path, retention: Duration, now: SystemTime) -> io::Result<usize> {
    let mut deleted = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        let ours = path.extension().is_some_and(|extension| extension == "ogg") && entry.file_type()?.is_file();
        let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
        if ours && age > retention {
            std::fs::remove_file(&path)?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_recordings_older_than_the_retention_go() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["old.ogg", "note.txt"] {
            std::fs::write(directory.path().join(name), "x").unwrap();
        }
        let (day, now) = (Duration::from_secs(86_400), SystemTime::now());
        assert_eq!(sweep(directory.path(), day, now).unwrap(), 0);
        assert_eq!(sweep(directory.path(), day, now + 2 * day).unwrap(), 1);
        assert!(directory.path().join("note.txt").exists());
    }
}
