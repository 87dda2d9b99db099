//! The ledger (N-8), for the API.

use crate::common::units::rfc3339;
use crate::http::QueryError;
use crate::http::admin::{BoxedAnswer, LedgerAdmin, LedgerReport};
use crate::store::{self, Deletion, LedgerQuery, LedgerRow, LedgerStatus, Verification, VerifyError};

/// Asks the store.
pub(super) struct LedgerReader(pub(super) store::StoreHandle);

impl LedgerAdmin for LedgerReader {
    fn lines(&self, query: LedgerQuery) -> BoxedAnswer<Result<Vec<LedgerRow>, QueryError>> {
        let store = self.0.clone();
        Box::pin(async move { store.ledger(query).await.map_err(Into::into) })
    }

    fn verify(&self) -> BoxedAnswer<LedgerReport> {
        let store = self.0.clone();
        Box::pin(async move {
            let verification = store.verify_ledger().await;
            report(&store.ledger_status(), &verification)
        })
    }

    fn head(&self) -> String {
        self.0.ledger_status().head.to_string()
    }

    fn deleted(&self, deletion: Deletion) -> BoxedAnswer<()> {
        let store = self.0.clone();
        Box::pin(async move { store.note_deletion(deletion).await })
    }
}

fn report(status: &LedgerStatus, verification: &Verification) -> LedgerReport {
    let (head, breaks_at, fault) = match &verification.outcome {
        Ok(verified) => (verified.head, None, None),
        Err(error @ VerifyError::Broken(broken)) => (status.head, Some(broken.at), Some(error.to_string())),
        Err(error @ VerifyError::Store(_)) => (status.head, None, Some(error.to_string())),
    };
    LedgerReport {
        whole: fault.is_none(),
        verified_at: rfc3339(verification.at),
        head: head.to_string(),
        lines: breaks_at.map_or(head.count, |at| at.saturating_sub(1)),
        breaks_at,
        fault,
        waiting: status.waiting,
    }
}
