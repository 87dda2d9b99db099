//! [`SpokenRefusals`]: how many refusals are spoken at once (S-8). Those of emergency calls have places of their own (S-10).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::common::cause::Cause;
use crate::common::phrase::Phrase;
use crate::media::Share;

/// Refusals that are spoken at once; further ones are a status alone.
const AT_ONCE: usize = 4;
/// So many of them are left to who is known.
const FOR_KNOWN: usize = 2;

/// The places for refusals that are spoken.
#[derive(Debug)]
pub(super) struct SpokenRefusals(Arc<Semaphore>);

impl Default for SpokenRefusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl SpokenRefusals {
    /// A place, given back when it is dropped; `None`: as many are spoken as may be.
    pub(super) fn place(&self, share: Share) -> Option<OwnedSemaphorePermit> {
        let is_left_to_known = share == Share::Strangers && self.0.available_permits() <= FOR_KNOWN;
        if is_left_to_known { None } else { Arc::clone(&self.0).try_acquire_owned().ok() }
    }
}

/// The phrase before a refusal; `None` where its status says enough.
pub(super) fn phrase_for(cause: Cause) -> Option<Phrase> {
    let verdict = cause.verdict();
    verdict.phrase.filter(|_| matches!(verdict.status, 403 | 404 | 486))
}
