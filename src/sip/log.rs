//! What the log says of strangers, by cause: each has a budget of lines, so that nobody fills the log.

use crate::common::rate_limit::LogBudget;

/// One budget a cause.
#[derive(Debug, Default)]
pub(super) struct LogLimits {
    /// A call for help was redirected or refused.
    pub(super) help: LogBudget,
    /// A call was turned away because as many are up as there may be.
    pub(super) full: LogBudget,
}
