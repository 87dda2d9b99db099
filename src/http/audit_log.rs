//! [`AuditLog`]: who has changed what by the API, or fetched a recording (U-4).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use utoipa::ToSchema;

/// Lines of the audit that are remembered; the log has them all.
const KEPT: usize = 1000;

/// A line of the audit: a request that may have changed something, or has fetched a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct AuditLine {
    /// When it was answered.
    #[serde(serialize_with = "crate::common::units::moment")]
    #[schema(value_type = String, format = DateTime)]
    pub(super) at: u64,
    /// `operator`, `organiser of MEETING`, `member of MEETING` or `device DEVICE`.
    pub(super) who: String,
    /// From where.
    pub(super) address: String,
    /// The HTTP method.
    pub(super) method: String,
    /// The path, without its query.
    pub(super) path: String,
    /// The HTTP status of the answer.
    pub(super) status: u16,
}

/// The last lines.
#[derive(Debug, Default)]
pub(super) struct AuditLog(Mutex<VecDeque<AuditLine>>);

impl AuditLog {
    pub(super) fn note(&self, line: AuditLine) {
        let AuditLine { who, address, method, path, status, .. } = &line;
        tracing::info!(target: "roomgate::audit", who, address, method, path, status, "API");
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }

    /// The newest lines first, at most `limit`.
    pub(super) fn newest(&self, limit: usize) -> Vec<AuditLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().take(limit).cloned().collect()
    }
}
