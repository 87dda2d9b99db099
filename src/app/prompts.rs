//! The voices of the configuration (K-5), read at the start, at a reload and by `check-config`.

use crate::common::problem::Problem;
use crate::config::Settings;
use crate::prompt::Library;

/// Reads them.
///
/// # Errors
/// Every file that is missing or cannot be played.
pub(super) fn prompts(settings: &Settings) -> Result<Library, Vec<Problem>> {
    Library::load(&settings.prompts.directory, &settings.organisation.language)
}

/// The mistakes in files that the configuration names: for `check-config`.
#[must_use]
pub fn check(settings: &Settings) -> Vec<Problem> {
    prompts(settings).err().unwrap_or_default()
}
