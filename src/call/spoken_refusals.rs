//! Refusals that are spoken before their status (S-8). Those of emergency calls have permits of their own (S-10).

use super::permits::ReservedPermits;
use crate::common::cause::Cause;
use crate::common::phrase::Phrase;

/// Refusals that are spoken at once; further ones are a status alone.
const AT_ONCE: usize = 4;
/// So many of them are left to who is known.
const FOR_KNOWN: usize = 2;

/// Permits for refusals that are spoken.
pub(super) fn permits() -> ReservedPermits {
    ReservedPermits::new(AT_ONCE, FOR_KNOWN)
}

/// The phrase before a refusal; `None` where its status says enough.
pub(super) fn phrase_for(cause: Cause) -> Option<Phrase> {
    let verdict = cause.verdict();
    verdict.phrase.filter(|_| matches!(verdict.status, 403 | 404 | 486))
}
