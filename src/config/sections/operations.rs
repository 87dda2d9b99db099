//! `[store]`, `[log]` and `[limits]`: how the daemon runs.

use std::path::PathBuf;
use std::time::Duration;

use super::declare::section;
use crate::config::readers::{HOUR, MINUTE, WrongValue, choice, number, path, text, time};
use crate::config::reload::{live, restart};
use crate::config::value::Value;
use crate::telemetry::log::{LogFormat, is_level};

section! {
    /// `[store]`
    pub struct StoreConfig {
        /// The state directory.
        directory: PathBuf = |s, key| s.optional(key, path).unwrap_or_else(|| s.surroundings().state.clone()), restart;
    }
}

section! {
    /// `[log]`
    pub struct LogConfig {
        /// Text or JSON.
        format: LogFormat = |s, key| s.get(key, choice(FORMATS)).unwrap_or(LogFormat::Text), restart;
        /// A level, or levels by module: `info,roomgate::sip=debug`.
        level: String = |s, key| s.get(key, level).unwrap_or_else(|| "info".to_owned()), live;
    }
}

section! {
    /// `[limits]` (X-2, M-14)
    #[derive(Copy)]
    pub struct LimitsConfig {
        /// Calls at once from one source address.
        calls_per_source: usize = |s, key| s.get(key, number(1..=100_000)).unwrap_or(50), live;
        /// INVITEs a second from one source address.
        invites_per_second: u32 = |s, key| s.get(key, number(1..=10_000)).unwrap_or(20), live;
        /// Requests a second of one caller of the API.
        api_requests_per_second: u32 = |s, key| s.get(key, number(1..=100_000)).unwrap_or(50), restart;
        /// How long present calls may go on after SIGTERM (O-4).
        drain: Duration = |s, key| s.get(key, time(Duration::ZERO..=24 * HOUR)).unwrap_or(2 * MINUTE), live;
    }
}

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

fn level(value: &Value) -> Result<String, WrongValue> {
    let level = text(value)?;
    let hint = "write error, warn, info, debug or trace, for rooms too: \"info,roomgate::sip=debug\"";
    if is_level(&level) { Ok(level) } else { Err(WrongValue::new(format!("{level:?} is no log level"), hint)) }
}
