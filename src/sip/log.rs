//! What the log says of strangers, by cause: each has a budget of lines, so that nobody fills the log.

use crate::common::log_limit::LogLimit;

/// One budget a cause.
#[derive(Debug)]
pub(super) struct LogLimits {
    /// A call for help was redirected or refused.
    pub(super) help: LogLimit,
    /// A call was turned away because as many are up as there may be.
    pub(super) full: LogLimit,
    /// A call was turned away because those before it wait too long for their answers.
    pub(super) overload: LogLimit,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { help: LogLimit::of_sources(), full: LogLimit::of_sources(), overload: LogLimit::of_sources() }
    }
}
