//! `[recording]`, `[records]` and `[chat]`: what is kept of meetings, and how long.

use std::path::PathBuf;
use std::time::Duration;

use super::declare::section;
use crate::config::readers::{DAY, label, path, time};
use crate::config::reload::{live, restart};
use crate::config::section::Section;
use crate::policy::retention::Retention;

/// The longest time that anything is kept, about a hundred years.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

section! {
    /// `[recording]`
    pub struct RecordingConfig {
        /// How long; `None`: until somebody deletes them.
        retention: Option<Duration> = |s, key| s.get(key, time(Duration::ZERO..=LONGEST)).filter(|time| !time.is_zero()), live;
        /// Where recordings are kept.
        directory: PathBuf = |s, key| s.optional(key, path).unwrap_or_else(|| s.surroundings().state.join("recordings")), restart;
    }
}

section! {
    /// `[records]`
    pub struct RecordsConfig {
        /// How long records of calls are kept; `None`: for ever.
        retention: Option<Duration> = |s, key| {
            Some(s.get(key, time(Duration::ZERO..=LONGEST)).unwrap_or(90 * DAY)).filter(|time| !time.is_zero())
        }, live;
    }
}

/// `[chat]`
pub(in crate::config) fn chat(s: &mut Section<'_>) -> Retention {
    let region = s.optional("region", label(64)).unwrap_or_default();
    let keep = s.get("retention", time(Duration::ZERO..=LONGEST)).unwrap_or(Retention::UNLESS_SAID);
    Retention { keep, region: region.into() }
}
