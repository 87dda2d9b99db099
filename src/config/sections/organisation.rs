//! `[organisation]`, `[policy]` and `[prompts]`: what holds for all meetings.

use std::path::PathBuf;
use std::time::Duration;

use super::declare::section;
use crate::config::readers::{DAY, MINUTE, boolean, label, language, number, path, time};
use crate::config::reload::live;
use crate::config::section::Section;
use crate::policy::MeetingLimits;

section! {
    /// `[organisation]`
    pub struct OrganisationConfig {
        /// Shown on pages.
        name: String = |s, key| s.get(key, label(128)).unwrap_or_else(|| "Roomgate".to_owned()), live;
        /// Language of prompts.
        language: String = |s, key| s.get(key, language).unwrap_or_else(|| "en".to_owned()), live;
        /// Externals may join its meetings (M-11).
        anonymous_join: bool = |s, key| s.get(key, boolean).unwrap_or(true), live;
    }
}

section! {
    /// `[policy]`
    #[derive(Copy)]
    pub struct PolicyConfig {
        /// A call that gave the organiser's PIN counts as a member present (K-2).
        pin_counts_as_member: bool = |s, key| s.get(key, boolean).unwrap_or(false), live;
        /// A meeting that only externals are left in ends after this time (M-10).
        externals_only_timeout: Duration = |s, key| s.get(key, time(MINUTE..=7 * DAY)).unwrap_or(90 * MINUTE), live;
        /// How many a meeting takes (M-14).
        limits: MeetingLimits = |s, _| meeting_limits(s), |found, _, old, new| {
            live(found, "max_participants", &old.participants, &new.participants);
            live(found, "max_externals", &old.externals, &new.externals);
            live(found, "max_in_chat", &old.in_chat, &new.in_chat);
        };
    }
}

section! {
    /// `[prompts]`
    pub struct PromptsConfig {
        /// One directory a language in here (K-5).
        directory: PathBuf = |s, key| s.optional(key, path).unwrap_or_else(|| s.surroundings().prompts.clone()), live;
    }
}

fn meeting_limits(s: &mut Section<'_>) -> MeetingLimits {
    let shipped = MeetingLimits::default();
    let mut limit = |key, default| s.get(key, number(1..=100_000)).unwrap_or(default);
    MeetingLimits {
        participants: limit("max_participants", shipped.participants),
        externals: limit("max_externals", shipped.externals),
        in_chat: limit("max_in_chat", shipped.in_chat),
    }
}
