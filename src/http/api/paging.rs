//! How long a list may be.

use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::bad_query;
use crate::http::problem_details::ProblemDetails;

/// Lines of a list, unless the query says otherwise.
const LINES: usize = 100;
/// The most lines of a list.
const MOST_LINES: usize = 1000;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Window {
    /// How many at most; 100 unless said.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<usize>,
}

/// The number of lines that a query wants.
pub(super) fn lines(limit: Option<usize>) -> Result<usize, ProblemDetails> {
    let limit = limit.unwrap_or(LINES);
    if (1..=MOST_LINES).contains(&limit) {
        Ok(limit)
    } else {
        Err(bad_query(format!("`limit` is a number from 1 to {MOST_LINES}.")))
    }
}
