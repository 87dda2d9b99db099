//! What is known of the ledger: where it ends, what waits, and whether it held together when it was last read from end to end (N-8).
#![allow(clippy::disallowed_methods, reason = "a verification takes its time, on a thread of its own")]

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::StoreError;
use super::ledger::{self, LedgerHead, Verified, VerifyError};
use crate::common::units::unix_millis;

/// What is known of the ledger.
#[derive(Debug, Clone, Default)]
pub struct LedgerStatus {
    /// Its end.
    pub head: LedgerHead,
    /// Lines that wait in memory, because the disk does not take them.
    pub waiting: usize,
    /// An epoch is overdue, or the key of the one before not wiped.
    pub stuck: bool,
    /// The last verification; `None`: the first one is still going on.
    pub verified: Option<Verification>,
}

/// How a verification ended.
#[derive(Debug, Clone)]
pub struct Verification {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// What it found.
    pub outcome: Result<Verified, VerifyError>,
}

impl LedgerStatus {
    /// What is wrong, for people; `None`: nothing.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let broken = self.verified.as_ref().and_then(|verified| verified.outcome.as_ref().err());
        broken.map(ToString::to_string)
    }
}

/// Shared by the store's thread and all who ask.
#[derive(Debug)]
pub(super) struct LedgerWatch {
    directory: PathBuf,
    keys: PathBuf,
    status: Mutex<LedgerStatus>,
    /// One verification at a time.
    turn: tokio::sync::Mutex<()>,
}

impl LedgerWatch {
    pub(super) fn new(directory: PathBuf, keys: PathBuf) -> Self {
        Self { directory, keys, status: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    pub(super) fn status(&self) -> LedgerStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn end(&self, head: LedgerHead, waiting: usize, stuck: bool) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        (status.head, status.waiting, status.stuck) = (head, waiting, stuck);
    }

    /// Reads it from end to end, on a thread of its own and by a connection of its own: nobody waits for it.
    pub(super) async fn verify(&self) -> Verification {
        let _turn = self.turn.lock().await;
        // What this process has written itself nobody can have changed in its memory.
        let (directory, keys, head) = (self.directory.clone(), self.keys.clone(), self.status().head);
        let outcome = tokio::task::spawn_blocking(move || ledger::verify(&directory, &keys, &[head])).await;
        let outcome = outcome.unwrap_or(Err(VerifyError::Store(StoreError::Closed)));
        match &outcome {
            Ok(Verified { head, epochs, .. }) => {
                tracing::info!(lines = head.count, epochs, "the ledger is whole");
            }
            Err(error) => {
                tracing::error!(%error, "the ledger does not hold together: keep a copy of it, and compare it with heads from elsewhere (roomgate ledger verify --heads)")
            }
        }
        let verification = Verification { at: unix_millis(SystemTime::now()), outcome };
        self.status.lock().unwrap_or_else(PoisonError::into_inner).verified = Some(verification.clone());
        verification
    }
}
