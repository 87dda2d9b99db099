//! Vocabulary of every folder: ids, causes, outcomes, quantities with their units, networks, language tags, rate limits, and what keeps secrets and strangers' texts out of the log.
//! Pure; nothing in this folder uses another one.

pub mod cause;
pub mod display_name;
pub mod ids;
pub mod ip_network;
pub mod language;
pub mod log_limit;
pub mod machine;
pub mod number;
pub mod phrase;
pub mod play_outcome;
pub mod printable;
pub mod problem;
pub mod rate_limit;
pub mod redact;
#[cfg(test)]
pub(crate) mod split_mix;
pub mod units;
