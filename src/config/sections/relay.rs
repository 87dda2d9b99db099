//! `[relay]`: chat by SMS.

use std::collections::BTreeMap;

use super::declare::section;
use super::provider::provider;
use crate::common::rate_limit::RateLimit;
use crate::config::readers::{MINUTE, WrongValue, choice, list, number, text};
use crate::config::reload::{restart, restart_tables};
use crate::config::section::Section;
use crate::config::value::Value;
use crate::relay::outbox::OnUnknown;
use crate::relay::provider::ProviderSettings;
use crate::relay::{DailyLimits, Prefixes};

section! {
    /// `[relay]`: chat by SMS. Messages that are on their way belong to the provider and the rules that they were begun with.
    pub struct RelayConfig {
        /// Parts of messages in a day, around the devices of one meeting and altogether (C-2).
        daily: DailyLimits = |s, _| daily_limits(s), |found, _, old, new| {
            restart(found, "daily_limit", &old.all, &new.all);
            restart(found, "daily_limit_per_meeting", &old.meeting, &new.meeting);
        };
        /// Parts of messages to one number (C-4).
        segments: RateLimit = |s, _| segments(s), |found, _, old, new| {
            restart(found, "burst", &old.burst, &new.burst);
            restart(found, "per_minute", &old.every, &new.every);
        };
        /// The country code of numbers that are keyed in without one.
        country_code: Option<String> = |s, key| s.optional(key, country_code), restart;
        /// Numbers that may be written to begin like one of these; empty: like those of the country (C-2).
        allowed_prefixes: Vec<String> = |s, key| s.get(key, list(prefix)).unwrap_or_default(), restart;
        /// Answers to who is in no meeting, in a minute (C-2).
        answers_per_minute: u32 = |s, key| s.get(key, number(1..=1_000_000)).unwrap_or(10), restart;
        /// What is done with messages of which nobody knows whether the provider has them (C-7).
        on_unknown: OnUnknown = |s, key| s.get(key, choice(ON_UNKNOWN)).unwrap_or_default(), restart;
        /// `[relay.provider.X]`; without one there is no chat by SMS.
        providers as "provider": BTreeMap<String, ProviderSettings> = |s, key| s.named(key, provider), restart_tables;
    }
}

const ON_UNKNOWN: &[(&str, OnUnknown)] = &[("resend", OnUnknown::Resend), ("drop", OnUnknown::Drop)];

fn daily_limits(s: &mut Section<'_>) -> DailyLimits {
    DailyLimits {
        meeting: s.get("daily_limit_per_meeting", number(1..=100_000_000_u64)).unwrap_or(1000),
        all: s.get("daily_limit", number(1..=100_000_000_u64)).unwrap_or(5000),
    }
}

fn segments(s: &mut Section<'_>) -> RateLimit {
    let burst = s.get("burst", number(4..=1000_u32)).unwrap_or(12);
    let per_minute = s.get("per_minute", number(1..=1000_u32)).unwrap_or(10);
    RateLimit { burst, every: MINUTE / per_minute }
}

fn country_code(value: &Value) -> Result<String, WrongValue> {
    let code = text(value)?;
    let fits = (1..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit()) && !code.starts_with('0');
    if fits { Ok(code) } else { Err(WrongValue::new("is no country code", "write its digits in quotes, such as \"49\"")) }
}

fn prefix(value: &Value) -> Result<String, WrongValue> {
    let hint = "write the digits that a number begins with after its +, such as \"+49\" or \"+4917\"";
    Prefixes::parse(&text(value)?).ok_or_else(|| WrongValue::new("is no beginning of a telephone number", hint))
}
