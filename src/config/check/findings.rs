//! [`Findings`]: mistakes and warnings, each at its place.

use crate::common::problem::Problem;
use crate::config::places::Places;

/// What was found.
pub(in crate::config) struct Findings<'a> {
    places: &'a Places,
    /// Some file could not be read: names that are not there may well be in it.
    pub(super) incomplete: bool,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(in crate::config) const fn new(places: &'a Places, incomplete: bool) -> Self {
        Self { places, incomplete, problems: Vec::new(), warnings: Vec::new() }
    }

    pub(in crate::config) fn into_parts(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems, self.warnings)
    }

    pub(super) fn problem(&mut self, key: &str, what: impl Into<String>, hint: impl Into<String>) {
        let problem = self.finding(key, what, hint);
        self.problems.push(problem);
    }

    pub(super) fn warning(&mut self, key: &str, what: impl Into<String>, hint: impl Into<String>) {
        let warning = self.finding(key, what, hint);
        self.warnings.push(warning);
    }

    fn finding(&self, key: &str, what: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem { place: self.places.of(key), key: key.to_owned(), what: what.into(), hint: hint.into() }
    }
}
